"""Five-port router: queues at the inputs, XY routing, round-robin choice at the outputs."""

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..formats import EventFormat
from ..stream import Queue, RoundRobin
from .route import Direction, next_hop_value

__all__ = ["Router"]


class Router(wiring.Component):
    """Move flits between four neighbours and the local core, one flit per event.

    A flit waits in the queue of the port that it came in by. Its destination and the straps ``x`` and ``y``
    give the one port that it leaves by (XY routing), where the heads of the queues take turns: a head that
    wants a port waits for at most four other flits to leave there. Latency is one cycle when nothing is in
    the way; each port moves up to one flit per cycle. Flits from one port to another keep their order.

    Outputs keep the stream rules: an offered flit stays until it is taken. No combinational path leads from
    an output's ``ready`` to an input's ``ready`` or from an input to an output, so any mesh is free of
    loops.

    Every input reaches every output, its own port included. XY routing uses two of those U-turns: local to
    local (a core that feeds itself) and, below the host, north to north (a host that talks to itself). The
    others, and turns from a column into a row except below the host, cannot happen in a mesh with right
    straps; they are wired all the same, so that no flit, however wrong, can block a queue for good. There
    is no deadlock as long as cores and host take what they are offered without waiting for the fabric to
    take something from them: flits wait for rows before columns and for columns before cores, never in a
    ring.

    Members
    -------
    x, y : In(x_width), In(y_width)
        Straps: the position of this router. Constant while flits are on their way.
    north_in, east_in, south_in, west_in, local_in : In(stream of EventFormat.flit)
        Flits from the neighbours and from the core. Ready whenever that port's queue is not full.
    north_out, east_out, south_out, west_out, local_out : Out(stream of EventFormat.flit)
        Flits to the neighbours and to the core. The payload is 0 while nothing is offered, so that idle
        links do not toggle.
    idle : Out(1)
        No flit is stored. A flit accepted in this cycle shows in the next.
    """

    x: Signal
    y: Signal
    idle: Signal

    def __init__(self, event_format: EventFormat, queue_depth: int) -> None:
        self.event_format = event_format
        self.queue_depth = queue_depth
        link = stream.Signature(event_format.flit)
        super().__init__(
            {
                "x": In(event_format.x_width),
                "y": In(event_format.y_width),
                **{f"{direction.label}_in": In(link) for direction in Direction},
                **{f"{direction.label}_out": Out(link) for direction in Direction},
                "idle": Out(1),
            }
        )
        self._queues = [Queue(event_format.flit, queue_depth) for _ in Direction]  # checks the depth

    def elaborate(self, platform: object) -> Module:
        m = Module()
        turns = [RoundRobin(len(Direction)) for _ in Direction]
        hops = [Signal(Direction, name=f"{direction.label}_hop") for direction in Direction]
        outputs = [getattr(self, f"{direction.label}_out") for direction in Direction]

        for direction, queue, hop in zip(Direction, self._queues, hops, strict=True):
            m.submodules[f"{direction.label}_queue"] = queue
            wiring.connect(m, wiring.flipped(getattr(self, f"{direction.label}_in")), queue.input)
            head = queue.output.payload
            m.d.comb += hop.eq(next_hop_value(self.x, self.y, head.x, head.y))
            with m.Switch(hop):
                for way, output, turn in zip(Direction, outputs, turns, strict=True):
                    with m.Case(way):
                        m.d.comb += queue.output.ready.eq(output.ready & (turn.grant == direction.value))
        m.d.comb += self.idle.eq(Cat(queue.empty for queue in self._queues).all())

        for direction, output, turn in zip(Direction, outputs, turns, strict=True):
            m.submodules[f"{direction.label}_turn"] = turn
            wants = [
                queue.output.valid & (hop == direction) for queue, hop in zip(self._queues, hops, strict=True)
            ]
            m.d.comb += [
                turn.requests.eq(Cat(wants)),
                turn.next.eq(output.ready),
                output.valid.eq(turn.requests.any()),
            ]
            with m.If(output.valid), m.Switch(turn.grant):
                for index, queue in enumerate(self._queues):
                    with m.Case(index):
                        m.d.comb += output.payload.eq(queue.output.payload)
        return m
