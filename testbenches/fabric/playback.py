"""Plays streams into a component in Amaranth's own simulator, with pauses at both ends."""

from collections import defaultdict
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
    rng: np.random.Generator,
    pause: float = 0.0,
    stall: float = 0.0,
    n_cycles: int | None = None,
    limit: int = 10_000,
) -> dict[str, list[tuple[int, int]]]:
    """Send payloads into the streams named in ``sent``; return (cycle, payload) of what ``outputs`` give.

    Sources pause and sinks stall in each cycle with the given probabilities. Runs for ``n_cycles``, or
    until all is sent and no output has offered anything for 20 cycles in which it was ready. Asserts that
    offers are stable.
    """
    waiting = {name: list(payloads) for name, payloads in sent.items()}
    received: dict[str, list[tuple[int, int]]] = {name: [] for name in outputs}
    offered: dict[str, int] = {}
    n_quiet: dict[str, int] = defaultdict(int)
    inputs = {name: getattr(component, name) for name in sent}
    sinks = {name: getattr(component, name) for name in outputs}
    offering = dict.fromkeys(sent, False)
    for cycle in range(limit if n_cycles is None else n_cycles):
        for name, stream in inputs.items():
            offering[name] = bool(waiting[name]) and (offering[name] or rng.random() >= pause)
            ctx.set(stream.valid, offering[name])
            ctx.set(Value.cast(stream.payload), waiting[name][0] if offering[name] else 0)
        for stream in sinks.values():
            ctx.set(stream.ready, int(rng.random() >= stall))
        for name, stream in inputs.items():
            if offering[name] and ctx.get(stream.ready):
                waiting[name].pop(0)
                offering[name] = False
        for name, stream in sinks.items():
            valid, ready, payload = (
                ctx.get(value) for value in (stream.valid, stream.ready, Value.cast(stream.payload))
            )
            if name in offered:
                assert valid, f"{name}: offer taken back in cycle {cycle}"
                assert payload == offered.pop(name), f"{name}: payload changed while it waited, cycle {cycle}"
            n_quiet[name] = 0 if valid else n_quiet[name] + ready
            if valid and ready:
                received[name].append((cycle, payload))
            elif valid:
                offered[name] = payload
        await ctx.tick()
        if n_cycles is None and not any(waiting.values()) and min(n_quiet.values()) >= 20:
            return received
    assert n_cycles is not None, f"traffic still under way after {limit} cycles"
    return received
