"""Memory macros and the packing of their contents."""

from collections.abc import Callable

import numpy as np
import pytest
from amaranth.hdl import Module
from amaranth.lib import wiring

from rtl_gen.memory import SramParameters, pack_rows, rows_to_words


class SramPins(wiring.Component):
    """One memory macro and nothing else."""

    def __init__(self, sram: SramParameters) -> None:
        self.srams = (sram,)
        super().__init__(sram.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        wiring.connect(m, wiring.flipped(self), self.srams[0].place(m, "macro"))
        return m


@pytest.mark.parametrize(("depth", "width"), [(1, 7), (5, 32), (6, 100)])
def test_macro_keeps_its_rows(bench: Callable[..., None], depth: int, width: int) -> None:
    bench(
        top=SramPins(SramParameters(depth=depth, width=width)),
        module="testbenches.memory_bench",
        parameters={"depth": depth, "width": width},
    )


def test_equal_sizes_share_a_module_and_nothing_is_initialised() -> None:
    sram = SramParameters(depth=1024, width=128)
    assert sram.module == "sram_1024x128"
    assert sram.verilog() == SramParameters(depth=1024, width=128).verilog()
    assert "module sram_1024x128 (" in sram.verilog()
    assert "reg [127:0] rows [0:1023];" in sram.verilog()
    assert "initial" not in sram.verilog()


@pytest.mark.parametrize("lane_width", [1, 3, 8, 16])
def test_packed_rows_unpack_to_the_same_codes(lane_width: int) -> None:
    rng = np.random.default_rng(seed=10)
    codes = rng.integers(-(1 << (lane_width - 1)), 1 << (lane_width - 1), (7, 11))
    codes.flags.writeable = False
    rows = pack_rows(codes, lane_width)
    assert (codes < 0).any()
    for row, expected in zip(rows, codes, strict=True):
        lanes = [(row >> (lane_width * lane)) & ((1 << lane_width) - 1) for lane in range(11)]
        assert lanes == [int(code) % (1 << lane_width) for code in expected]
        assert row < 1 << (lane_width * 11)


def test_packing_refuses_codes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match=r"^codes must be -128 to 255, got 0 to 256$"):
        pack_rows(np.array([[0, 256]]), 8)


def test_words_put_together_give_the_rows() -> None:
    rows = [0x0123456789ABCDEF5, (1 << 68) - 1, 0]
    words = list(rows_to_words(rows, width=68))
    assert words[:3] == [(0, 0, 0xABCDEF5 | 0x9 << 28), (0, 1, 0x12345678), (0, 2, 0)]
    assert [sum(data << 32 * word for r, word, data in words if r == row) for row in range(3)] == rows


@pytest.mark.parametrize(
    ("depth", "width", "message"),
    [
        (0, 8, r"^depth must be 1 to 1048576, got 0$"),
        (8, 0, r"^width must be 1 to 32768, got 0$"),
        (8, 32769, r"^width must be 1 to 32768, got 32769$"),
    ],
)
def test_sizes_beyond_the_load_bus_are_refused(depth: int, width: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SramParameters(depth=depth, width=width)
