"""Plays streams into a component in Amaranth's own simulator, with pauses at both ends."""

from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

import numpy as np
from amaranth.hdl import Module, ResetInserter, Signal, Value
from amaranth.lib import wiring
from amaranth.sim import Simulator

__all__ = ["exchange", "simulate"]


def simulate(
    component: wiring.Component,
    testbench: Callable[[Any], Coroutine[Any, Any, None]],
    reset: Signal | None = None,
) -> None:
    """Run ``testbench`` on ``component`` to its end; ``reset`` resets the component."""
    m = Module()
    m.submodules.dut = component if reset is None else ResetInserter(reset)(component)
    simulator = Simulator(m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(testbench)
    simulator.run()


async def exchange(
    ctx: Any,
    component: wiring.Component,
    sent: Mapping[str, Sequence[int]],
    outputs: Sequence[str],
    *,
    idle: Signal,
    rng: np.random.Generator,
    pause: float = 0.0,
    stall: float = 0.0,
    n_cycles: int | None = None,
    limit: int = 10_000,
) -> dict[str, list[tuple[int, int]]]:
    """Send payloads into the streams named in ``sent``; return (cycle, payload) of what ``outputs`` give.

    Sources pause and sinks stall in each cycle with the given probabilities. Runs for ``n_cycles``, or until
    all that was sent has come out. Asserts in each cycle that offers are stable and that ``idle`` tells
    whether anything is stored.
    """
    sources = {name: getattr(component, name) for name in sent}
    sinks = {name: getattr(component, name) for name in outputs}
    waiting = {name: deque(payloads) for name, payloads in sent.items()}
    offering = dict.fromkeys(sent, False)
    offered: dict[str, int] = {}
    received: dict[str, list[tuple[int, int]]] = {name: [] for name in outputs}
    n_stored = 0
    for cycle in range(limit if n_cycles is None else n_cycles):
        for name, stream in sources.items():
            offering[name] = bool(waiting[name]) and (offering[name] or rng.random() >= pause)
            ctx.set(stream.valid, offering[name])
            ctx.set(Value.cast(stream.payload), waiting[name][0] if offering[name] else 0)
        for stream in sinks.values():
            ctx.set(stream.ready, int(rng.random() >= stall))

        assert ctx.get(idle) == (n_stored == 0), f"idle is {ctx.get(idle)}, stored {n_stored}, cycle {cycle}"
        if n_cycles is None and n_stored == 0 and not any(waiting.values()):
            return received
        for name, stream in sources.items():
            if offering[name] and ctx.get(stream.ready):
                waiting[name].popleft()
                offering[name] = False
                n_stored += 1
        for name, stream in sinks.items():
            valid, payload = ctx.get(stream.valid), ctx.get(Value.cast(stream.payload))
            if name in offered:
                assert valid, f"{name}: offer taken back in cycle {cycle}"
                assert payload == offered.pop(name), f"{name}: payload changed while it waited, cycle {cycle}"
            if valid and ctx.get(stream.ready):
                received[name].append((cycle, payload))
                n_stored -= 1
            elif valid:
                offered[name] = payload
        await ctx.tick()
    assert n_cycles is not None, f"traffic still under way after {limit} cycles"
    return received
