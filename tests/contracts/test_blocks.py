"""What every digital block promises: the same Verilog each time, plain names, no complaints of linters."""

import re
from collections.abc import Callable

import pytest
from amaranth.lib import wiring

from analog_models.views.verilog_stub import verilog_stub
from rtl_gen.boundary.analog_array import AnalogArrayParameters
from rtl_gen.boundary.calibration import Calibrator
from rtl_gen.emit import emit_verilog
from rtl_gen.fabric.barrier import Barrier
from rtl_gen.fabric.router import Router
from rtl_gen.formats import EventFormat
from rtl_gen.host.axi_lite import HostRegisters
from rtl_gen.host.event_port import EventEgress, EventIngress
from rtl_gen.host.registers import chip_registers
from rtl_gen.neuron.core import CoreParameters
from rtl_gen.neuron.event_engine import EventEngineParameters
from rtl_gen.neuron.lif import LifParameters
from rtl_gen.neuron.parallel_engine import ParallelEngineParameters
from rtl_gen.neuron.parallel_mac import ParallelMacParameters
from rtl_gen.neuron.sender import EventSenderParameters
from rtl_gen.neuron.serial_mac import SerialMacParameters
from rtl_gen.stream import Queue
from rtl_gen.tile import TileParameters

GRADED = EventFormat(x_width=2, y_width=2, axon_width=4, payload_width=8)
BINARY = EventFormat(x_width=2, y_width=2, axon_width=4, payload_width=0)
SIZES = {"n_axons": 10, "n_bias_axons": 1, "n_neurons": 4}
ARRAY = AnalogArrayParameters(event_format=GRADED, **SIZES)
CALIBRATED = AnalogArrayParameters(event_format=GRADED, calibrated=True, **SIZES)
EVENT = EventEngineParameters(event_format=BINARY, lanes=2, **SIZES)
PARALLEL = ParallelEngineParameters(event_format=GRADED, **SIZES)

BLOCKS: dict[str, Callable[[], wiring.Component]] = {
    "queue": lambda: Queue(GRADED.flit, 4),
    "router": lambda: Router(GRADED, 4),
    "binary router": lambda: Router(BINARY, 2),
    "barrier": Barrier,
    "parallel neuron": lambda: ParallelMacParameters(n_inputs=9, code_width=8).create(),
    "serial neuron": lambda: SerialMacParameters(n_inputs=9, n_contexts=3, code_width=8).create(),
    "spiking neuron": LifParameters(leak_shift=4, reset="zero", refractory_steps=5).create,
    "subtracting spiking neuron": LifParameters(membrane_width=9).create,
    "parallel engine": PARALLEL.create,
    "event engine": EVENT.create,
    "analog array engine": ARRAY.create,
    "calibrated analog array engine": CALIBRATED.create,
    "calibrator": lambda: Calibrator(n_neurons=5, code_width=8),
    "binary calibrator": lambda: Calibrator(n_neurons=1, code_width=1),
    "sender": EventSenderParameters(event_format=GRADED, n_neurons=4, fan_out=3).create,
    "registers": lambda: HostRegisters(chip_registers(mesh_width=2, mesh_height=2, n_axons=10, n_neurons=4)),
    "event ingress": lambda: EventIngress(GRADED),
    "event egress": lambda: EventEgress(BINARY),
    "parallel tile": TileParameters(core=CoreParameters(engine=PARALLEL, fan_out=2), queue_depth=2).create,
    "event tile": TileParameters(core=CoreParameters(engine=EVENT, fan_out=1), queue_depth=4).create,
    "calibrated tile": TileParameters(
        core=CoreParameters(engine=CALIBRATED, fan_out=2), queue_depth=2
    ).create,
    "mixed-signal tile": TileParameters(core=CoreParameters(engine=ARRAY, fan_out=2), queue_depth=2).create,
}


@pytest.fixture(params=BLOCKS)
def block(request: pytest.FixtureRequest) -> Callable[[], wiring.Component]:
    """Each block in turn."""
    return BLOCKS[request.param]


def test_block_emits_the_same_verilog_twice(block: Callable[[], wiring.Component]) -> None:
    assert emit_verilog(block(), "top") == emit_verilog(block(), "top")


def test_block_has_plain_module_names(block: Callable[[], wiring.Component]) -> None:
    text = "".join(emit_verilog(block(), "top").values())
    modules = re.findall(r"^module (\S+?)\s*\(", text, re.MULTILINE)
    assert modules
    assert [name for name in modules if not re.fullmatch(r"[a-z][a-z0-9_]*", name)] == []
    assert len(set(modules)) == len(modules)


@pytest.mark.yosys
@pytest.mark.icarus
@pytest.mark.verilator
def test_block_lints_clean(
    block: Callable[[], wiring.Component], linted: Callable[..., dict[str, tuple[str, ...]]]
) -> None:
    files = emit_verilog(block(), "top")
    if ARRAY.array_module in "".join(files.values()):
        stub = verilog_stub(
            ARRAY.array_module,
            ARRAY.n_axons,
            ARRAY.n_neurons,
            ARRAY.mac.weight_width,
            GRADED.activation_width,
        )
        files = {f"{ARRAY.array_module}.v": stub} | files
    complaints = linted(files)
    assert {tool: found for tool, found in complaints.items() if found} == {}
