"""Verilog of the host side."""

import pytest

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


@pytest.mark.parametrize("create", COMPONENTS.values(), ids=COMPONENTS.keys())
def test_verilog_lints_clean(lint_clean, create):
    lint_clean(create())


@pytest.mark.parametrize("create", COMPONENTS.values(), ids=COMPONENTS.keys())
def test_verilog_is_the_same_twice(create):
    assert emit_verilog(create(), "top") == emit_verilog(create(), "top")
