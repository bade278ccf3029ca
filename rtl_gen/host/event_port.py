"""Events to and from the host over AXI4-Stream: one packet is one time step.

Each beat of a packet is an event with its destination (a flit), in the low bits of ``tdata``. The last beat
(``tlast``) is no event: it closes the step. So a step without events is a packet of one beat.
"""

from amaranth.hdl import Module, Mux, ShapeLike, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.formats import EventFormat

__all__ = ["AxiStreamSignature", "EventEgress", "EventIngress", "StreamRegister", "beat_width"]

COUNT_WIDTH = 32


def beat_width(event_format: EventFormat) -> int:
    """Return the width of ``tdata``: a flit, rounded up to bytes [bits]."""
    return -(-event_format.flit_width // 8) * 8


class AxiStreamSignature(wiring.Signature):
    """AXI4-Stream with the names of the standard (Arm IHI 0051); seen from the transmitter."""

    def __init__(self, data_width: int) -> None:
        super().__init__({"tvalid": Out(1), "tready": In(1), "tdata": Out(data_width), "tlast": Out(1)})


class StreamRegister(wiring.Component):
    """Two-entry queue: one transfer per cycle, one cycle of latency, all outputs registered.

    ``i.ready`` does not depend on ``o.ready`` in the same cycle, so it cuts the path between two neighbours.

    Members
    -------
    i : In(stream of shape)
    o : Out(stream of shape)
    idle : Out(1)
        Nothing is held.
    """

    i: stream.Interface
    o: stream.Interface
    idle: Signal

    def __init__(self, shape: ShapeLike) -> None:
        super().__init__(
            {"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape)), "idle": Out(1)}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        spare_held = Signal()
        spare = Signal.like(self.o.payload)
        m.d.comb += [self.i.ready.eq(~spare_held), self.idle.eq(~self.o.valid)]
        with m.If(self.o.ready | ~self.o.valid):
            m.d.sync += [
                self.o.valid.eq(spare_held | self.i.valid),
                self.o.payload.eq(Mux(spare_held, Value.cast(spare), Value.cast(self.i.payload))),
                spare_held.eq(0),
            ]
        with m.Elif(self.i.valid & ~spare_held):
            m.d.sync += [spare_held.eq(1), spare.eq(self.i.payload)]
        return m


class EventIngress(wiring.Component):
    """Events from the host into the fabric; one per cycle, one cycle of latency.

    Members
    -------
    axis : In(AxiStreamSignature)
    events : Out(stream of EventFormat.flit)
    step : In(1)
        Strobe: the time step is over. Only while ``closed`` and ``idle``.
    closed : Out(1)
        The closing beat was accepted: nothing more is until ``step``.
    idle : Out(1)
        No event is held here.
    clear_counters : In(1)
        Strobe: count from 0 again.
    count : Out(32)
        Events accepted; wraps.
    """

    axis: wiring.PureInterface
    events: stream.Interface
    step: Signal
    closed: Signal
    idle: Signal
    clear_counters: Signal
    count: Signal

    def __init__(self, event_format: EventFormat) -> None:
        self.event_format = event_format
        super().__init__(
            {
                "axis": In(AxiStreamSignature(beat_width(event_format))),
                "events": Out(stream.Signature(event_format.flit)),
                "step": In(1),
                "closed": Out(1),
                "idle": Out(1),
                "clear_counters": In(1),
                "count": Out(COUNT_WIDTH),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.queue = queue = StreamRegister(self.event_format.flit)
        wiring.connect(m, queue.o, wiring.flipped(self.events))
        accepted = Signal()
        m.d.comb += [
            self.axis.tready.eq(queue.i.ready & ~self.closed),
            queue.i.valid.eq(self.axis.tvalid & ~self.axis.tlast & ~self.closed),
            queue.i.payload.eq(self.axis.tdata[: self.event_format.flit_width]),
            accepted.eq(queue.i.valid & queue.i.ready),
            self.idle.eq(queue.idle),
        ]
        with m.If(self.axis.tvalid & self.axis.tready & self.axis.tlast):
            m.d.sync += self.closed.eq(1)
        with m.If(self.step):
            m.d.sync += self.closed.eq(0)
        m.d.sync += self.count.eq(Mux(self.clear_counters, 0, self.count) + accepted)
        return m


class EventEgress(wiring.Component):
    """Events from the fabric to the host, and a closing beat for each step; one per cycle, one of latency.

    The low bits of a closing beat are the number of the step that ended, from 0; its events came before it
    in the same packet.

    Members
    -------
    events : In(stream of EventFormat.flit)
    axis : Out(AxiStreamSignature)
    step : In(1)
        Strobe: the time step is over. Only while ``idle``.
    idle : Out(1)
        No event waits or is held, and no closing beat is unsent.
    clear_counters : In(1)
        Strobe: count from 0 again; the next step to end is number 0.
    count : Out(32)
        Events delivered; wraps.
    steps : Out(32)
        Time steps completed; wraps.
    """

    events: stream.Interface
    axis: wiring.PureInterface
    step: Signal
    idle: Signal
    clear_counters: Signal
    count: Signal
    steps: Signal

    def __init__(self, event_format: EventFormat) -> None:
        super().__init__(
            {
                "events": In(stream.Signature(event_format.flit)),
                "axis": Out(AxiStreamSignature(beat_width(event_format))),
                "step": In(1),
                "idle": Out(1),
                "clear_counters": In(1),
                "count": Out(COUNT_WIDTH),
                "steps": Out(COUNT_WIDTH),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        beat = data.StructLayout({"tdata": len(self.axis.tdata), "tlast": 1})
        m.submodules.queue = queue = StreamRegister(beat)
        closing = Signal()
        step_number = Signal(min(COUNT_WIDTH, len(self.axis.tdata)))
        delivered = Signal()
        m.d.comb += [
            self.events.ready.eq(queue.i.ready & ~closing),
            queue.i.valid.eq(self.events.valid | closing),
            queue.i.payload.tdata.eq(Mux(closing, step_number, Value.cast(self.events.payload))),
            queue.i.payload.tlast.eq(closing),
            self.axis.tvalid.eq(queue.o.valid),
            self.axis.tdata.eq(queue.o.payload.tdata),
            self.axis.tlast.eq(queue.o.payload.tlast),
            queue.o.ready.eq(self.axis.tready),
            delivered.eq(self.axis.tvalid & self.axis.tready & ~self.axis.tlast),
            self.idle.eq(queue.idle & ~closing & ~self.events.valid),
        ]
        with m.If(queue.i.ready):
            m.d.sync += closing.eq(0)
        with m.If(self.step):
            m.d.sync += [closing.eq(1), step_number.eq(self.steps)]
        m.d.sync += [
            self.count.eq(Mux(self.clear_counters, 0, self.count) + delivered),
            self.steps.eq(Mux(self.clear_counters, 0, self.steps) + self.step),
        ]
        return m
