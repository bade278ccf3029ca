"""Requantisation against exact rational arithmetic, at every edge."""

from fractions import Fraction
from math import floor

import numpy as np
import pytest

from rtl_gen.neuron.requantizer import Requantizer, requantize
from testbenches.playback import simulate

ACCUMULATOR_WIDTH = 28
CODE_MAX = 255


def exact(accumulator: int, gain: int, shift: int) -> int:
    return min(max(floor(Fraction(accumulator * gain, 1 << shift) + Fraction(1, 2)), 0), CODE_MAX)


def edges() -> list[tuple[int, int, int]]:
    """Return (accumulator, gain, shift) around rounding ties, both clamps and both ends, for every shift."""
    largest = (1 << (ACCUMULATOR_WIDTH - 1)) - 1
    vectors = []
    for shift in range(64):
        for gain in (1, 3, 1 << 15, (1 << 16) - 1):
            for code in (0, 1, 254, 255):
                tie = Fraction(2 * code + 1, 2) * (1 << shift) / gain
                vectors += [(floor(tie) + step, gain, shift) for step in (-1, 0, 1, 2)]
            tie_below_zero = floor(Fraction(-(1 << shift), 2 * gain))
            vectors += [(tie_below_zero + step, gain, shift) for step in (-1, 0, 1)]
            vectors += [(value, gain, shift) for value in (0, 1, -1, largest, -largest - 1)]
    return [vector for vector in vectors if -largest - 1 <= vector[0] <= largest]


def test_twin_rounds_half_up_and_clamps_at_every_shift() -> None:
    vectors = edges()
    expected = [exact(*vector) for vector in vectors]
    assert {0, 1, 2, 254, 255} <= set(expected)
    actual = [int(requantize(np.array([acc]), gain, shift, CODE_MAX)[0]) for acc, gain, shift in vectors]
    assert actual == expected


@pytest.mark.parametrize(
    ("accumulator", "shift", "code"),
    [
        (127, 8, 0),
        (128, 8, 1),
        (-128, 8, 0),
        (383, 8, 1),
        (384, 8, 2),
        (1, 0, 1),
        (255, 0, 255),
        (256, 0, 255),
    ],
)
def test_twin_gives_hand_computed_codes(accumulator: int, shift: int, code: int) -> None:
    assert requantize(np.array([accumulator]), 1, shift, CODE_MAX) == code


def test_hardware_equals_twin_at_every_edge() -> None:
    dut = Requantizer(ACCUMULATOR_WIDTH, code_width=8)

    async def bench(ctx):
        ctx.set(dut.enable, 1)
        for accumulator, gain, shift in edges():
            ctx.set(dut.accumulator, accumulator)
            ctx.set(dut.gain, gain)
            ctx.set(dut.shift, shift)
            await ctx.tick()
            assert ctx.get(dut.code) == exact(accumulator, gain, shift), (accumulator, gain, shift)
        last = ctx.get(dut.code)
        ctx.set(dut.enable, 0)
        ctx.set(dut.accumulator, 1 << 20)
        ctx.set(dut.shift, 13 if last != 128 else 14)
        await ctx.tick()
        assert ctx.get(dut.code) == last, "the code must hold while enable is low"

    simulate(dut, bench)


@pytest.mark.parametrize(
    ("gain", "shift", "message"),
    [
        (1 << 16, 0, r"^gain must be 0 to 65535, got 65536$"),
        (-1, 0, r"^gain must be 0 to 65535, got -1$"),
        (1, 64, r"^shift must be 0 to 63, got 64$"),
    ],
)
def test_scales_that_no_register_holds_are_refused(gain: int, shift: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        requantize(np.array([1]), gain, shift, CODE_MAX)
