"""Agents on every stream of a fabric block, played against a traffic plan."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from cocotb.triggers import ClockCycles, FallingEdge

from ..agents import StreamMonitor, StreamSink, StreamSource, sometimes
from .traffic import Traffic

__all__ = ["FabricAgents"]


class FabricAgents:
    """A source on each input that ``traffic`` uses, a sink and a monitor on each of ``outputs``."""

    def __init__(
        self,
        dut: Any,
        traffic: Traffic,
        outputs: Sequence[str],
        *,
        pause: float,
        stall: float,
        rng: np.random.Generator,
    ) -> None:
        self.dut = dut
        self.traffic = traffic
        self.sources = {
            name: StreamSource(dut, name, sometimes(pause, child))
            for name, child in zip(traffic.sent, rng.spawn(len(traffic.sent)), strict=True)
        }
        self.sinks = [
            StreamSink(dut, name, sometimes(stall, child))
            for name, child in zip(outputs, rng.spawn(len(outputs)), strict=True)
        ]
        self.monitors = {name: StreamMonitor(dut, name) for name in outputs}
        for name, flits in traffic.sent.items():
            self.sources[name].send(flits)

    async def finish(self, limit: int = 20_000) -> None:
        """Wait until all is sent and the block is idle, then assert that everything arrived where it must."""
        for _ in range(limit):
            await FallingEdge(self.dut.clk)
            if all(source.empty for source in self.sources.values()) and self.dut.idle.value:
                break
        else:
            raise AssertionError(f"traffic still under way after {limit} cycles")
        n_sent = sum(map(len, self.traffic.sent.values()))
        n_received = sum(len(monitor.transfers) for monitor in self.monitors.values())
        assert n_received == n_sent, f"idle after {n_received} of {n_sent} flits"
        await ClockCycles(self.dut.clk, 20, FallingEdge)  # nothing may come late
        self.traffic.check({name: monitor.payloads for name, monitor in self.monitors.items()})
        self.stop()

    def stop(self) -> None:
        """Stop all agents."""
        for agent in [*self.sources.values(), *self.sinks, *self.monitors.values()]:
            agent.stop()
