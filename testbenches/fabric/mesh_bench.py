"""Mesh: random traffic between host and cores, with pauses and stalls; destinations outside."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly

from rtl_gen.fabric.mesh import mesh_addresses
from rtl_gen.formats import EventFormat

from .. import parameters
from ..agents import start_clock_and_reset
from .streams import FabricAgents
from .traffic import mesh_traffic, pack


class MeshBench:
    """A mesh of the size that the parameters give."""

    def __init__(self, dut: Any) -> None:
        given = parameters()
        self.dut = dut
        self.event_format = EventFormat(**given["event_format"])
        self.tiles = mesh_addresses(self.event_format, given["width"], given["height"])
        self.rng = np.random.default_rng(given["seed"])
        self.outputs = ["host_out", *(f"local_out_{x}_{y}" for x, y in self.tiles)]

    def start_traffic(self, n_flits: int, *, pause: float, stall: float) -> FabricAgents:
        """Start to send ``n_flits`` from host and each core to host and cores."""
        traffic = mesh_traffic(self.event_format, self.tiles, n_flits, self.rng)
        return FabricAgents(self.dut, traffic, self.outputs, pause=pause, stall=stall, rng=self.rng)


@cocotb.test()
@cocotb.parametrize(pause=[0.0, 0.7], stall=[0.0, 0.7])
async def delivers_each_flit_once_and_in_order(dut: Any, pause: float, stall: float) -> None:
    bench = MeshBench(dut)
    await start_clock_and_reset(dut)
    await bench.start_traffic(30, pause=pause, stall=stall).finish()


@cocotb.test()
async def drops_and_flags_a_flit_for_an_address_outside(dut: Any) -> None:
    bench = MeshBench(dut)
    await start_clock_and_reset(dut)
    south_of_all = (0, max(y for _, y in bench.tiles) + 1)
    dut.host_in__payload.value = pack(bench.event_format, south_of_all, axon=1)
    dut.host_in__valid.value = 1
    n_stray = 0
    for _ in range(20):
        await FallingEdge(dut.clk)
        dut.host_in__valid.value = 0
        await ReadOnly()
        n_stray += int(dut.stray.value)
    assert n_stray == 1
    assert dut.idle.value
