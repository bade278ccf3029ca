"""Memory macro: rows hold what their words were last written to, reads are registered and held."""

from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from . import parameters


@cocotb.test()
async def rows_read_back_after_words_were_written_in_any_order(dut: Any) -> None:
    depth, width = parameters()["depth"], parameters()["width"]
    n_words = -(-width // 32)
    mask = (1 << width) - 1
    rng = np.random.default_rng(seed=9)
    rows = [0] * depth
    dut.read_enable.value = 0
    dut.write_enable.value = 0
    cocotb.start_soon(Clock(dut.clk, 10, unit="ns").start())
    await FallingEdge(dut.clk)
    first = [divmod(int(index), n_words) for index in rng.permutation(depth * n_words)]
    again = [(int(rng.integers(depth)), int(rng.integers(n_words))) for _ in range(20)]
    for row, word in first + again:
        value = int(rng.integers(1 << 32))
        dut.write_enable.value = 1
        dut.write_row.value = row
        dut.write_word.value = word
        dut.write_data.value = value
        await FallingEdge(dut.clk)
        rows[row] = (rows[row] & ~(0xFFFFFFFF << 32 * word) | value << 32 * word) & mask
    dut.write_enable.value = 0
    dut.write_data.value = 0
    await FallingEdge(dut.clk)
    assert any(rows), "nothing was written"
    for row in rng.permutation(depth):
        dut.read_enable.value = 1
        dut.read_row.value = int(row)
        await FallingEdge(dut.clk)
        assert int(dut.read_data.value) == rows[row]
        dut.read_enable.value = 0
        dut.read_row.value = int(row + 1) % depth
        await FallingEdge(dut.clk)
        assert int(dut.read_data.value) == rows[row], "data must hold until the next read"
