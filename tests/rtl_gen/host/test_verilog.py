"""Verilog of the host side."""

import os
import subprocess
from pathlib import Path

import pytest

from cosim.simulator import find_simulator
from rtl_gen.emit import emit_verilog
from rtl_gen.formats import EventFormat
from rtl_gen.host.axi_lite import HostRegisters
from rtl_gen.host.event_port import EventEgress, EventIngress
from rtl_gen.host.registers import chip_registers

EVENT_FORMAT = EventFormat(x_width=2, y_width=2, axon_width=6, payload_width=8)
COMPONENTS = {
    "registers": lambda: HostRegisters(chip_registers(mesh_width=3, mesh_height=2, n_axons=64, n_neurons=33)),
    "ingress": lambda: EventIngress(EVENT_FORMAT),
    "egress": lambda: EventEgress(EVENT_FORMAT),
}

WAIVED = {
    "UNUSEDSIGNAL": "protection bits and padding of beats are ignored; Amaranth names all values",
    "PROCASSINIT": "registers have both a value at power-up and a reset",
    "WIDTHTRUNC": "Yosys writes `! x` for `x == 0`, and dynamic selections as shifts",
    "CASEINCOMPLETE": "what no case names keeps the value assigned before the case",
    "DECLFILENAME": "a component's file also holds its submodules",
}


@pytest.mark.parametrize("create", COMPONENTS.values(), ids=COMPONENTS.keys())
def test_verilog_lints_clean(simulator_name, test_folder, create):
    source = test_folder / "top.v"
    source.write_text(emit_verilog(create(), "top")["top.v"])
    program = find_simulator(simulator_name)
    options = {
        "verilator": ["--lint-only", "-Wall", *(f"-Wno-{name}" for name in WAIVED)],
        "icarus": ["-g2005", "-Wall", "-Wno-timescale", "-o", str(test_folder / "top.vvp")],
    }
    lint = subprocess.run(
        [program, *options[simulator_name], str(source)],
        env=os.environ | {"VERILATOR_ROOT": str(Path(program).parent.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (lint.returncode, lint.stderr) == (0, "")


@pytest.mark.parametrize("create", COMPONENTS.values(), ids=COMPONENTS.keys())
def test_verilog_is_the_same_twice(create):
    assert emit_verilog(create(), "top") == emit_verilog(create(), "top")
