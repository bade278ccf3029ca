"""The parallel digital neuron: a multiplier per input and an adder tree, a whole neuron per cycle."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Signal, Value, signed, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from ..formats import GAIN_WIDTH, SHIFT_WIDTH
from .integer import MacParameters
from .requantizer import Requantizer

__all__ = ["LEVELS_PER_STAGE", "ParallelMac", "ParallelMacParameters"]

LEVELS_PER_STAGE = 2
"""Levels of the adder tree between two pipeline registers."""


@dataclass(frozen=True, kw_only=True)
class ParallelMacParameters(MacParameters):
    """A neuron of ``n_inputs`` multipliers."""

    @property
    def n_levels(self) -> int:
        """Levels of the adder tree."""
        return (self.n_inputs - 1).bit_length()

    @property
    def latency(self) -> int:
        """Cycles from ``valid_in`` to ``valid_out``: products, adder tree, requantisation."""
        return 1 + -(-self.n_levels // LEVELS_PER_STAGE) + 1

    def create(self) -> "ParallelMac":
        """Return the hardware."""
        return ParallelMac(self)


class ParallelMac(wiring.Component):
    """Parallel neuron: takes all inputs of a neuron at once, a new neuron in every cycle.

    A pipeline register changes only when something valid enters it.

    Members
    -------
    valid_in : In(1)
        Strobe: ``weights`` and ``activations`` belong to a neuron.
    weights : In(n_inputs * weight_width)
        Signed weights, input 0 in the low bits; each at least ``-mac.weight_max``. No ``ArrayLayout``, which
        would give the emitted Verilog an alias net per field.
    activations : In(n_inputs * activation_width)
        Activation codes in the same order.
    gain, shift : In(16), In(6)
        Requantisation. Constant while a neuron is in the pipeline.
    valid_out : Out(1)
        Strobe: ``valid_in`` as it was ``latency`` cycles ago.
    code : Out(code_width)
        The neuron's code, from ``valid_out`` until the next.
    """

    valid_in: Signal
    weights: Signal
    activations: Signal
    gain: Signal
    shift: Signal
    valid_out: Signal
    code: Signal

    def __init__(self, parameters: ParallelMacParameters) -> None:
        self.parameters = parameters
        n_inputs = parameters.n_inputs
        super().__init__(
            {
                "valid_in": In(1),
                "weights": In(unsigned(n_inputs * parameters.weight_width)),
                "activations": In(unsigned(n_inputs * parameters.activation_width)),
                "gain": In(unsigned(GAIN_WIDTH)),
                "shift": In(unsigned(SHIFT_WIDTH)),
                "valid_out": Out(1),
                "code": Out(unsigned(parameters.code_width)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        parameters = self.parameters
        m = Module()
        stage_valid = self.valid_in

        def pipelined(name: str, nodes: Sequence[Signal]) -> list[Value]:
            """Register all nodes of one level as one wide register, which simulators update at once."""
            nonlocal stage_valid
            width = len(nodes[0])
            register = Signal(len(nodes) * width, name=name, reset_less=True)
            with m.If(stage_valid):
                m.d.sync += register.eq(Cat(*nodes))
            next_valid = Signal(name=f"{name}_valid")
            m.d.sync += next_valid.eq(stage_valid)
            stage_valid = next_valid
            return [register.word_select(index, width).as_signed() for index in range(len(nodes))]

        def adder_level(level: int, terms: Sequence[Value]) -> list[Signal]:
            """Add neighbours; the width is that of the largest sum that this level can hold."""
            shape = signed(parameters.partial(min(1 << level, parameters.n_inputs)).accumulator_width)
            sums = []
            for index in range(0, len(terms), 2):
                pair = terms[index : index + 2]
                name = f"sum_{level}_{index // 2}" if len(pair) == 2 else f"odd_{level}"
                sums.append(Signal(shape, name=name))
                m.d.comb += sums[-1].eq(sum(pair[1:], pair[0]))
            return sums

        products = []
        for index in range(parameters.n_inputs):
            width = parameters.partial(1).accumulator_width
            products.append(Signal(signed(width), name=f"product_{index}"))
            weight = self.weights.word_select(index, parameters.weight_width).as_signed()
            activation = self.activations.word_select(index, parameters.activation_width)
            m.d.comb += products[-1].eq(weight * activation)
        terms: Sequence[Value] = pipelined("products", products)
        for level in range(1, parameters.n_levels + 1):
            sums = adder_level(level, terms)
            is_end_of_stage = level % LEVELS_PER_STAGE == 0 or level == parameters.n_levels
            terms = pipelined(f"sums_{level}", sums) if is_end_of_stage else sums

        m.submodules.requantizer = requantizer = Requantizer(
            parameters.mac.accumulator_width, parameters.code_width
        )
        m.d.comb += [
            requantizer.enable.eq(stage_valid),
            requantizer.accumulator.eq(terms[0]),
            requantizer.gain.eq(self.gain),
            requantizer.shift.eq(self.shift),
            self.code.eq(requantizer.code),
        ]
        m.d.sync += self.valid_out.eq(stage_valid)
        return m
