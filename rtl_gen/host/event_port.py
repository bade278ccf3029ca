"""Events to and from the host over AXI4-Stream: one packet is one time step.

Each beat of a packet is an event with its destination (a flit), in the low bits of ``tdata``. The last beat
(``tlast``) is no event: it closes the step. So a step without events is a packet of one beat.
"""

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..formats import EventFormat
from ..stream import Queue

__all__ = ["AxiStreamSignature", "EventEgress", "EventIngress", "beat_width"]

COUNT_WIDTH = 32


def beat_width(event_format: EventFormat) -> int:
    """Return the width of ``tdata``: a flit, rounded up to bytes [bits]."""
    return -(-event_format.flit_width // 8) * 8


class AxiStreamSignature(wiring.Signature):
    """AXI4-Stream with the names of the standard (Arm IHI 0051); seen from the transmitter."""

    def __init__(self, data_width: int) -> None:
        super().__init__({"tvalid": Out(1), "tready": In(1), "tdata": Out(data_width), "tlast": Out(1)})


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
        m.submodules.queue = queue = Queue(self.event_format.flit, depth=2)
        wiring.connect(m, queue.output, wiring.flipped(self.events))
        accepted = Signal()
        m.d.comb += [
            self.axis.tready.eq(queue.input.ready & ~self.closed),
            queue.input.valid.eq(self.axis.tvalid & ~self.axis.tlast & ~self.closed),
            queue.input.payload.eq(self.axis.tdata[: self.event_format.flit_width]),
            accepted.eq(queue.input.valid & queue.input.ready),
            self.idle.eq(queue.empty),
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
        m.submodules.queue = queue = Queue(beat, depth=2)
        closing = Signal()
        step_number = Signal(min(COUNT_WIDTH, len(self.axis.tdata)))
        delivered = Signal()
        m.d.comb += [
            self.events.ready.eq(queue.input.ready & ~closing),
            queue.input.valid.eq(self.events.valid | closing),
            queue.input.payload.tdata.eq(Mux(closing, step_number, Value.cast(self.events.payload))),
            queue.input.payload.tlast.eq(closing),
            self.axis.tvalid.eq(queue.output.valid),
            self.axis.tdata.eq(queue.output.payload.tdata),
            self.axis.tlast.eq(queue.output.payload.tlast),
            queue.output.ready.eq(self.axis.tready),
            delivered.eq(self.axis.tvalid & self.axis.tready & ~self.axis.tlast),
            self.idle.eq(queue.empty & ~closing & ~self.events.valid),
        ]
        with m.If(self.step):
            m.d.sync += step_number.eq(self.steps)
        m.d.sync += [
            closing.eq(self.step),  # the queue is empty then, so one cycle is enough
            self.count.eq(Mux(self.clear_counters, 0, self.count) + delivered),
            self.steps.eq(Mux(self.clear_counters, 0, self.steps) + self.step),
        ]
        return m
