"""Registers that collect the events of one time step while the activations of the last one are held still."""

from amaranth.hdl import Cat, Const, Module, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..formats import EventFormat

__all__ = ["AxonRegisters"]

DECODER_WIDTH = 5
"""Axon bits that one level of the event decoder looks at."""


class AxonRegisters(wiring.Component):
    """Activation codes of a core's axons, exchanged at the time step.

    The last ``n_bias_axons`` axons are always on with the largest code. Events for those, and for axons that
    do not exist, are ignored. Sizes are checked where an engine is sized, see :class:`EngineParameters`.

    Members
    -------
    events : In(stream of EventFormat.event)
        Events of the coming time step. Always ready.
    step : In(1)
        Strobe: show what the events brought and start over. An event in the same cycle is of the new step.
    activations : Out(ArrayLayout(unsigned(activation_width), n_axons))
        Codes of the time step that ``step`` ended, from the cycle after it until the next; 0 if no event.
    collision : Out(1)
        An axon got two events in one time step. Stays until reset.
    """

    events: wiring.PureInterface
    step: Signal
    activations: data.View
    collision: Signal

    def __init__(self, event_format: EventFormat, n_axons: int, n_bias_axons: int) -> None:
        self._event_format = event_format
        self._n_driven = n_axons - n_bias_axons
        self._n_bias = n_bias_axons
        super().__init__(
            {
                "events": In(stream.Signature(event_format.event)),
                "step": In(1),
                "activations": Out(data.ArrayLayout(unsigned(event_format.activation_width), n_axons)),
                "collision": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        event_format, n_driven = self._event_format, self._n_driven
        event, code_width = self.events.payload, event_format.activation_width
        pending = Signal(n_driven * code_width)
        held = Signal(n_driven * code_width)
        axon = Signal(max(event_format.axon_width, DECODER_WIDTH + 1))

        bias = Const(event_format.payload_max, code_width).replicate(self._n_bias)
        m.d.comb += [
            self.events.ready.eq(1),
            axon.eq(event.axon),
            Value.cast(self.activations).eq(Cat(held, bias)),
        ]
        with m.If(self.step):
            m.d.sync += [held.eq(pending), pending.eq(0)]
        with m.Elif(self.events.valid & pending.word_select(axon, code_width).any()):
            m.d.sync += self.collision.eq(1)

        # Two levels of case statements: a simulator tries the cases one after the other.
        line = 1 << DECODER_WIDTH
        with m.If(self.events.valid), m.Switch(axon[DECODER_WIDTH:]):
            for first in range(0, n_driven, line):
                with m.Case(first // line), m.Switch(axon[:DECODER_WIDTH]):
                    for index in range(first, min(first + line, n_driven)):
                        with m.Case(index % line):
                            m.d.sync += pending.word_select(index, code_width).eq(
                                event_format.activation(event)
                            )
        return m
