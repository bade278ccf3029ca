"""cocotb agents for streams: source, sink, monitor, and generators of pauses for both ends.

All agents drive at the falling clock edge and look in the read-only phase of the same moment, when
everything has settled to what the next rising edge will see. So no agent can race another or the design, in
any simulator.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import repeat
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.task import Task
from cocotb.triggers import ClockCycles, FallingEdge, ReadOnly

__all__ = [
    "StreamMonitor",
    "StreamSink",
    "StreamSource",
    "never",
    "reset",
    "sometimes",
    "start_clock_and_reset",
]


def never() -> Iterator[bool]:
    """Pause in no cycle."""
    return repeat(False)


def sometimes(probability: float, rng: np.random.Generator) -> Iterator[bool]:
    """Pause in each cycle with ``probability``."""
    while True:
        yield bool(rng.random() < probability)


async def start_clock_and_reset(dut: Any) -> None:
    """Start the clock ``clk`` and reset; returns at a falling edge, with reset released."""
    Clock(dut.clk, 10, "ns").start()
    await reset(dut)


async def reset(dut: Any) -> None:
    """Hold ``rst`` for two cycles; returns at a falling edge, with reset released."""
    await FallingEdge(dut.clk)
    dut.rst.value = 1
    await ClockCycles(dut.clk, 2, FallingEdge)
    dut.rst.value = 0


class StreamMonitor:
    """Watch a stream: record what it moves, assert that offers stay stable until they are taken.

    ``transfers`` holds (cycle, payload) in order; cycles are counted from the start of the monitor.
    """

    def __init__(self, dut: Any, name: str) -> None:
        self.name = name
        self.transfers: list[tuple[int, int]] = []
        self._clk = dut.clk
        self._valid, self._ready, self._payload = _wires(dut, name)
        self._task = cocotb.start_soon(self._watch())

    @property
    def payloads(self) -> list[int]:
        """What was moved, in order."""
        return [payload for _, payload in self.transfers]

    def stop(self) -> None:
        """Stop watching."""
        self._task.cancel()

    async def _watch(self) -> None:
        cycle = 0
        offered: int | None = None
        while True:
            await FallingEdge(self._clk)
            await ReadOnly()
            valid = bool(self._valid.value)
            payload = int(self._payload.value) if valid else None
            if offered is not None:
                assert valid, f"{self.name}: offer taken back in cycle {cycle}"
                assert payload == offered, f"{self.name}: payload changed while it waited, cycle {cycle}"
            offered = payload
            if payload is not None and self._ready.value:
                self.transfers.append((cycle, payload))
                offered = None
            cycle += 1


class StreamSource:
    """Send payloads into a stream; ``pauses`` says for each cycle whether to wait before the next offer."""

    def __init__(self, dut: Any, name: str, pauses: Iterable[bool]) -> None:
        self._clk = dut.clk
        self._valid, self._ready, self._payload = _wires(dut, name)
        self._waiting: deque[int] = deque()
        self._valid.value = 0
        self._task = cocotb.start_soon(self._drive(iter(pauses)))

    @property
    def empty(self) -> bool:
        """All that was to be sent has been taken."""
        return not self._waiting

    def send(self, payloads: Iterable[int]) -> None:
        """Queue ``payloads`` for sending."""
        self._waiting.extend(payloads)

    def stop(self) -> None:
        """Take back the offer and send no more; only legal when the design is reset."""
        self._task.cancel()
        self._valid.value = 0

    async def _drive(self, pauses: Iterator[bool]) -> None:
        offering = False
        while True:
            await FallingEdge(self._clk)
            if not offering:
                offering = bool(self._waiting) and not next(pauses)
            self._valid.value = int(offering)
            self._payload.value = self._waiting[0] if offering else 0
            await ReadOnly()
            if offering and self._ready.value:
                self._waiting.popleft()
                offering = False


class StreamSink:
    """Take payloads from a stream; ``stalls`` says for each cycle whether not to be ready."""

    def __init__(self, dut: Any, name: str, stalls: Iterable[bool]) -> None:
        self._clk = dut.clk
        _, self._ready, _ = _wires(dut, name)
        self._ready.value = 0
        self._task: Task[None] = cocotb.start_soon(self._drive(iter(stalls)))

    def stop(self) -> None:
        """Take nothing more."""
        self._task.cancel()
        self._ready.value = 0

    async def _drive(self, stalls: Iterator[bool]) -> None:
        while True:
            await FallingEdge(self._clk)
            self._ready.value = int(not next(stalls))


def _wires(dut: Any, name: str) -> tuple[Any, Any, Any]:
    """Return valid, ready and payload of a stream among the ports of ``dut``."""
    return tuple(getattr(dut, f"{name}__{member}") for member in ("valid", "ready", "payload"))
