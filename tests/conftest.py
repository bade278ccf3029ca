"""Fixtures that every test may use."""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from amaranth.lib import wiring

from cosim import simulator
from rtl_gen.emit import emit_verilog

BUILD = Path(__file__).parent.parent / "build" / "tests"


@pytest.fixture(
    params=[
        pytest.param(name, marks=[pytest.mark.cosim, getattr(pytest.mark, name)])
        for name in simulator.SIMULATORS
    ]
)
def simulator_name(request: pytest.FixtureRequest) -> simulator.SimulatorName:
    """Each simulator in turn; skips with a reason where one is not installed."""
    name: simulator.SimulatorName = request.param
    try:
        simulator.find_simulator(name)
    except simulator.SimulatorNotFoundError as error:
        pytest.skip(str(error))
    return name


@pytest.fixture
def test_folder(request: pytest.FixtureRequest) -> Path:
    """A folder of its own for each test, kept after the test for a look."""
    folder = BUILD / re.sub(r"[^\w.-]+", "_", request.node.nodeid.removeprefix("tests/"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def bench(
    simulator_name: simulator.SimulatorName, test_folder: Path
) -> Callable[[wiring.Component, str, Mapping[str, object]], None]:
    """Build a component's Verilog and run a cocotb bench on it, once per simulator.

    Call ``bench(top=component, module="testbenches.fabric.router_bench", parameters={...})``; the bench reads
    ``parameters`` through :func:`testbenches.parameters`. ``verilog`` replaces what would be emitted.
    """

    def run_bench(
        top: wiring.Component,
        module: str,
        parameters: Mapping[str, object] | None = None,
        verilog: Mapping[str, str] | None = None,
    ) -> None:
        sources = []
        for file, text in (verilog or emit_verilog(top, "top")).items():
            sources.append(test_folder / file)
            sources[-1].write_text(text)
        design = simulator.build(simulator_name, sources=sources, top="top", cache=BUILD / "simulators")
        simulator.run(
            design,
            test_module=module,
            folder=test_folder,
            environment={"NEUROMIX_BENCH": json.dumps(parameters or {})},
        )

    return run_bench
