"""The serial digital neuron: one multiplier and one adder take turns over inputs and over neurons."""

from dataclasses import dataclass

from amaranth.hdl import Module, Mux, Signal, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..formats import GAIN_WIDTH, SHIFT_WIDTH, bits_for_count
from .integer import MacParameters
from .register_file import RegisterFile
from .requantizer import Requantizer

__all__ = ["SerialMac", "SerialMacParameters"]


@dataclass(frozen=True, kw_only=True)
class SerialMacParameters(MacParameters):
    """One multiply-accumulate lane for ``n_contexts`` neurons of ``n_inputs`` inputs each."""

    n_contexts: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.n_contexts <= 1 << 16:
            raise ValueError(f"n_contexts must be 1 to {1 << 16}, got {self.n_contexts}")

    @property
    def module(self) -> str:
        """Name of the Verilog module, different for different parameters."""
        return (
            f"serial_mac_{self.n_inputs}x{self.n_contexts}"
            f"_w{self.weight_width}a{self.activation_width}c{self.code_width}"
        )

    def create(self) -> "SerialMac":
        """Return the hardware."""
        return SerialMac(self)


class SerialMac(wiring.Component):
    """Serial neuron: one product per cycle goes to the accumulator of one context.

    The accumulators hold anything after power-up: flush every context once after reset.

    Members
    -------
    accumulate : In(1)
        Strobe: add ``weight * activation`` to the accumulator of ``context``.
    flush : In(1)
        Strobe: requantise the accumulator of ``context`` and clear it. Never together with ``accumulate``.
    context : In(context_width)
        Which neuron.
    weight, activation : In(signed(weight_width)), In(activation_width)
        The factors. A weight is at least ``-mac.weight_max``.
    gain, shift : In(16), In(6)
        Requantisation. Sampled while ``flush`` is high.
    code : Out(code_width)
        Code of the last flush, from the cycle after ``flush``.
    """

    accumulate: Signal
    flush: Signal
    context: Signal
    weight: Signal
    activation: Signal
    gain: Signal
    shift: Signal
    code: Signal

    def __init__(self, parameters: SerialMacParameters) -> None:
        self.parameters = parameters
        super().__init__(
            {
                "accumulate": In(1),
                "flush": In(1),
                "context": In(bits_for_count(parameters.n_contexts)),
                "weight": In(signed(parameters.weight_width)),
                "activation": In(unsigned(parameters.activation_width)),
                "gain": In(unsigned(GAIN_WIDTH)),
                "shift": In(unsigned(SHIFT_WIDTH)),
                "code": Out(unsigned(parameters.code_width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        parameters = self.parameters
        m = Module()
        shape = signed(parameters.mac.accumulator_width)
        m.submodules.accumulators = accumulators = RegisterFile(shape, parameters.n_contexts)
        m.submodules.requantizer = requantizer = Requantizer(shape.width, parameters.code_width)

        product = Signal(signed(parameters.weight_width + parameters.activation_width))
        total = Signal(shape)
        m.d.comb += [
            product.eq(self.weight * self.activation),
            total.eq(accumulators.read_data + product),
            accumulators.read_row.eq(self.context),
            accumulators.write_row.eq(self.context),
            accumulators.write_enable.eq(self.accumulate | self.flush),
            accumulators.write_data.eq(Mux(self.flush, 0, total)),
            requantizer.enable.eq(self.flush),
            # A still multiplier takes no energy.
            requantizer.accumulator.eq(Mux(self.flush, accumulators.read_data, 0)),
            requantizer.gain.eq(self.gain),
            requantizer.shift.eq(self.shift),
            self.code.eq(requantizer.code),
        ]
        return m
