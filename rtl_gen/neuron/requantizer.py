"""Requantisation: a wide sum of products becomes an activation code, which is also the rectifier (ReLU)."""

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import NDArray

from ..formats import GAIN_WIDTH, SHIFT_WIDTH

__all__ = ["Requantizer", "requantize"]


def requantize(accumulator: NDArray[np.integer], gain: int, shift: int, code_max: int) -> NDArray[np.int64]:
    """Return ``accumulator * gain / 2**shift`` rounded half up and clamped to ``[0, code_max]``.

    Exact in 64 bits for sums below 2**46 in magnitude, more than any :class:`MacFormat` allows.
    Raises ValueError when ``gain`` or ``shift`` does not fit its register.
    """
    for name, value, width in (("gain", gain, GAIN_WIDTH), ("shift", shift, SHIFT_WIDTH)):
        if not 0 <= value < 1 << width:
            raise ValueError(f"{name} must be 0 to {(1 << width) - 1}, got {value}")
    half = np.int64((1 << shift) >> 1)
    codes: NDArray[np.int64] = ((accumulator.astype(np.int64) * gain + half) >> shift).clip(0, code_max)
    return codes


class Requantizer(wiring.Component):
    """Multiply, shift with rounding half up, clamp to ``[0, 2**code_width - 1]``. Latency one cycle.

    Members
    -------
    enable : In(1)
        Strobe: take a new sum.
    accumulator : In(signed(accumulator_width))
        The sum [LSB]. Sampled while ``enable`` is high.
    gain, shift : In(16), In(6)
        Multiplier and right shift.
    code : Out(code_width)
        Code of the last sum taken, from the cycle after ``enable``.
    """

    enable: Signal
    accumulator: Signal
    gain: Signal
    shift: Signal
    code: Signal

    def __init__(self, accumulator_width: int, code_width: int) -> None:
        super().__init__(
            {
                "enable": In(1),
                "accumulator": In(signed(accumulator_width)),
                "gain": In(unsigned(GAIN_WIDTH)),
                "shift": In(unsigned(SHIFT_WIDTH)),
                "code": Out(unsigned(code_width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        product_width = len(self.accumulator) + GAIN_WIDTH
        product = Signal(signed(product_width))
        # Twice the quotient, so that its lowest bit is the half; a shift by 0 is then no special case.
        doubled = Signal(signed(product_width + 1))
        rounded = Signal(signed(product_width + 1))
        code_max = Const((1 << len(self.code)) - 1)
        m.d.comb += [
            product.eq(self.accumulator * self.gain),
            doubled.eq(Cat(Const(0, 1), product).as_signed() >> self.shift),
            rounded.eq((doubled + 1) >> 1),
        ]
        with m.If(self.enable):
            m.d.sync += self.code.eq(Mux(rounded < 0, 0, Mux(rounded > code_max, code_max, rounded)))
        return m
