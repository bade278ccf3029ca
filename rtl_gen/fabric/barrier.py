"""Time-step barrier: ends a step when nothing is left to happen in it."""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Barrier"]


class Barrier(wiring.Component):
    """Strobe ``step`` once all work of the running time step is done.

    Why no event can be overlooked: an event is at any time in exactly one place (a queue, a core) and
    leaves it in the very clock edge in which it enters the next, where it shows as "not idle" from the
    following cycle on. Work that becomes other work inside a core must overlap in the same way. So with the
    host's input closed, one idle cycle means that nothing is left that could start anything, and ``idle``
    stays true until the next strobe; it is therefore safe that ``step``, a flip-flop, comes a cycle after
    the idle cycle that caused it. A strobe in cycle t starts new work, which shows as "not idle" from cycle
    t + 1 on at the latest. ``idle`` is ignored in cycles t and t + 1, so that work which an engine only
    begins during t + 1 does not lose against the next strobe either: the next strobe comes in cycle t + 3
    at the earliest.

    Members
    -------
    closed : In(1)
        Level: the host sends nothing more in this time step. Rises after the host's last event of the step
        has entered a place that ``idle`` covers, and stays high until the strobe; falls in the cycle after
        the strobe (host input is open again). Left high, steps follow each other without input.
    idle : In(1)
        Every core and router is idle and every queue between them, host's included, is empty.
    step : Out(1)
        Strobe, one cycle: the time step is over.
    """

    closed: Signal
    idle: Signal
    step: Signal

    def __init__(self) -> None:
        super().__init__({"closed": In(1), "idle": In(1), "step": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        settling = Signal()
        m.d.sync += [
            self.step.eq(self.closed & self.idle & ~self.step & ~settling),
            settling.eq(self.step),
        ]
        return m
