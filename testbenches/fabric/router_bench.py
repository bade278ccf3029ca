"""Router: random traffic on all five ports, with pauses and stalls, and a reset in the middle of it."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import ClockCycles, FallingEdge

from rtl_gen.fabric.route import Direction
from rtl_gen.formats import EventFormat

from .. import parameters
from ..agents import reset, start_clock_and_reset
from .streams import FabricAgents
from .traffic import contending_traffic, router_traffic

OUTPUTS = [f"{direction.label}_out" for direction in Direction]


class RouterBench:
    """A router at the position that the parameters give."""

    def __init__(self, dut: Any) -> None:
        given = parameters()
        self.dut = dut
        self.here = tuple(given["here"])
        self.event_format = EventFormat(**given["event_format"])
        self.rng = np.random.default_rng(given["seed"])
        dut.x.value, dut.y.value = self.here

    def start_traffic(self, n_flits: int, *, pause: float, stall: float) -> FabricAgents:
        """Start to send ``n_flits`` from each port to all sides."""
        traffic = router_traffic(self.event_format, self.here, n_flits, self.rng)
        return FabricAgents(self.dut, traffic, OUTPUTS, pause=pause, stall=stall, rng=self.rng)


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.7], stall=[0.0, 0.7])
async def delivers_each_flit_once_and_in_order(dut: Any, pause: float, stall: float) -> None:
    bench = RouterBench(dut)
    await start_clock_and_reset(dut)
    await bench.start_traffic(80, pause=pause, stall=stall).finish()


@cocotb.test()
async def lets_nobody_wait_for_more_than_four_others(dut: Any) -> None:
    bench = RouterBench(dut)
    await start_clock_and_reset(dut)
    traffic = contending_traffic(bench.event_format, bench.here, 20)
    agents = FabricAgents(dut, traffic, OUTPUTS, pause=0.0, stall=0.4, rng=bench.rng)
    await agents.finish()
    traffic.check_turns(agents.monitors["local_out"].payloads)


@cocotb.test()
async def forgets_all_flits_at_reset(dut: Any) -> None:
    bench = RouterBench(dut)
    await start_clock_and_reset(dut)
    agents = bench.start_traffic(40, pause=0.2, stall=0.7)
    await ClockCycles(dut.clk, 15, FallingEdge)
    assert not dut.idle.value, "no flit was under way, so the reset proves nothing"
    agents.stop()
    await reset(dut)
    assert dut.idle.value
    await bench.start_traffic(40, pause=0.2, stall=0.3).finish()
