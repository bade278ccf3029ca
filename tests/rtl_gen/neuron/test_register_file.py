"""Register files of any depth, one row included."""

import numpy as np
import pytest
from amaranth.hdl import signed

from rtl_gen.neuron.register_file import RegisterFile
from testbenches.playback import simulate


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_rows_hold_what_was_written_last(depth: int) -> None:
    dut = RegisterFile(signed(12), depth)
    rng = np.random.default_rng(seed=8)

    async def bench(ctx):
        rows = [0] * depth
        for _ in range(60):
            row, value, is_write = (
                int(rng.integers(depth)),
                int(rng.integers(-2048, 2048)),
                int(rng.integers(2)),
            )
            ctx.set(dut.write_enable, is_write)
            ctx.set(dut.write_row, row)
            ctx.set(dut.write_data, value)
            ctx.set(dut.read_row, row)
            assert ctx.get(dut.read_data) == rows[row], "a write must show in the next cycle only"
            await ctx.tick()
            rows[row] = value if is_write else rows[row]
            assert ctx.get(dut.read_data) == rows[row]
        assert any(rows)

    simulate(dut, bench)
