"""Streams: queue and round-robin choice.

Rules that every stream here keeps (and may rely on): a payload moves in each cycle in which ``valid`` and
``ready`` are both high; once ``valid`` is high, it stays high and the payload stays the same until then;
reset alone may take an offer back.
"""

from amaranth.hdl import Array, Module, Mux, Shape, ShapeLike, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .formats import bits_for_count

__all__ = ["Queue", "RoundRobin"]


class Queue(wiring.Component):
    """First-in, first-out queue in flip-flops: a ring of ``depth`` registers.

    Moves one payload per cycle in and out. Latency is one cycle. No combinational path leads from one
    stream to the other, so queues may be chained and closed to rings. The registers need no reset:
    ``level`` tells which of them hold anything.

    Members
    -------
    input : In(stream of shape)
        Ready whenever the queue is not full, whatever happens at the output.
    output : Out(stream of shape)
        The oldest payload. Valid whenever the queue is not empty.
    level : Out(range(depth + 1))
        How many payloads are stored.
    empty : Out(1)
        Nothing is stored.
    """

    input: stream.Interface
    output: stream.Interface
    level: Signal
    empty: Signal

    def __init__(self, shape: ShapeLike, depth: int) -> None:
        if not 2 <= depth <= 16:
            raise ValueError(f"queue: depth must be 2 to 16, got {depth}")
        self.shape = shape
        self.depth = depth
        super().__init__(
            {
                "input": In(stream.Signature(shape)),
                "output": Out(stream.Signature(shape)),
                "level": Out(range(depth + 1)),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        width = Shape.cast(self.shape).width
        entries = Array(Signal(width, name=f"entry_{i}", reset_less=True) for i in range(self.depth))
        write_index = Signal(range(self.depth))
        read_index = Signal(range(self.depth))
        push = Signal()
        pop = Signal()
        m.d.comb += [
            self.empty.eq(self.level == 0),
            self.input.ready.eq(self.level != self.depth),
            self.output.valid.eq(~self.empty),
            Value.cast(self.output.payload).eq(entries[read_index]),
            push.eq(self.input.valid & self.input.ready),
            pop.eq(self.output.valid & self.output.ready),
        ]
        m.d.sync += self.level.eq(self.level + push - pop)
        with m.If(push):
            m.d.sync += [
                entries[write_index].eq(self.input.payload),
                write_index.eq(_successor(write_index, self.depth)),
            ]
        with m.If(pop):
            m.d.sync += read_index.eq(_successor(read_index, self.depth))
        return m


class RoundRobin(wiring.Component):
    """Choose one of ``n`` requesters; who was served last comes last.

    Deterministic. Once granted, a requester that keeps asking keeps the grant until it is served, so a
    stream chosen by ``grant`` stays stable while it waits. No requester starves: from the cycle in which it
    raises its request, at most ``n - 1`` others are served before it.

    Members
    -------
    requests : In(n)
        Who asks. A request should stay up until it is served.
    next : In(1)
        The granted requester is served in this cycle; the next cycle may grant another.
    grant : Out(range(n))
        Who may go, combinationally from ``requests``; meaningless while nobody asks.
    """

    requests: Signal
    next: Signal
    grant: Signal

    def __init__(self, n: int) -> None:
        self.n = n
        super().__init__({"requests": In(n), "next": In(1), "grant": Out(bits_for_count(n))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        favourite = Signal.like(self.grant)
        with m.Switch(favourite):
            for first in range(self.n):
                with m.Case(first):
                    for candidate in reversed(range(first, first + self.n)):
                        with m.If(self.requests[candidate % self.n]):
                            m.d.comb += self.grant.eq(candidate % self.n)
        with m.If(self.requests.any()):
            m.d.sync += favourite.eq(self.grant)
            with m.If(self.next):
                m.d.sync += favourite.eq(_successor(self.grant, self.n))
        return m


def _successor(index: Signal, count: int) -> Value:
    """Return the index after ``index`` on a ring of ``count`` entries."""
    return Mux(index == count - 1, 0, index + 1)
