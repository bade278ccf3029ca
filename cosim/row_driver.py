"""The Python side of :mod:`cosim.rows`: waits until the harness has played its rows."""

from typing import Any

import cocotb
from cocotb.triggers import RisingEdge, Timer

__all__ = ["play"]


@cocotb.test()
async def play(dut: Any) -> None:
    """Wait for the end."""
    await RisingEdge(dut.done)
    await Timer(1, "ns")  # what changes in the very last moment would not be in Verilator's traces
