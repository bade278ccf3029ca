"""A soma at work: a given drive, a step in every clock cycle, for counting toggles."""

from typing import Any

import cocotb
from cocotb.triggers import FallingEdge

from testbenches import parameters
from testbenches.agents import start_clock_and_reset


@cocotb.test()
async def soma_fires_as_often_as_expected(dut: Any) -> None:
    load = parameters()
    dut.step.value = 0
    dut.drive.value = 0
    dut.threshold.value = load["threshold"]
    await start_clock_and_reset(dut)
    spikes = 0
    for level in load["drive"]:
        dut.step.value = 1
        dut.drive.value = level
        await FallingEdge(dut.clk)
        spikes += int(dut.spike.value)
    assert spikes == load["spikes"]
