"""Fixtures that every test may use."""

import gc
import json
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from amaranth.hdl import UnusedElaboratable
from amaranth.lib import wiring

from cosim import simulator
from cosim.lint import lint_files
from rtl_gen.emit import emit_verilog

BUILD = Path(__file__).parent.parent / "build" / "tests"


EACH_SIMULATOR = {
    name: pytest.param(name, marks=[pytest.mark.cosim, getattr(pytest.mark, name)])
    for name in simulator.SIMULATORS
}


@pytest.fixture(params=EACH_SIMULATOR.values())
def simulator_name(request: pytest.FixtureRequest) -> simulator.SimulatorName:
    """Each simulator in turn; skips with a reason where one is not installed."""
    return _installed(request.param)


@pytest.fixture
def test_folder(request: pytest.FixtureRequest) -> Path:
    """A folder of its own for each test, kept after the test for a look."""
    folder = BUILD / re.sub(r"[^\w.-]+", "_", request.node.nodeid.removeprefix("tests/"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def bench(simulator_name: simulator.SimulatorName, test_folder: Path) -> Callable[..., None]:
    """Build a component's Verilog and run a cocotb bench on it, once per simulator.

    Call ``bench(top=component, module="testbenches.fabric.router_bench", parameters={...})``; the bench reads
    ``parameters`` through :func:`testbenches.parameters`.
    """
    return partial(_run_bench, simulator_name, test_folder)


@pytest.fixture(params=[EACH_SIMULATOR["icarus"]])
def failing_bench(request: pytest.FixtureRequest, test_folder: Path) -> Callable[..., None]:
    """Check that a test of a cocotb bench fails on a faulty component; call it as ``bench``.

    One simulator is enough, and Icarus builds fastest.
    """

    def run_failing_bench(*arguments: Any, **named_arguments: Any) -> None:
        with pytest.raises(simulator.SimulationError, match=r"PASS=\d+ FAIL=[1-9]"):
            _run_bench(_installed(request.param), test_folder, *arguments, **named_arguments)

    return run_failing_bench


@pytest.fixture
def linted(test_folder: Path) -> Callable[[Mapping[str, str]], dict[str, tuple[str, ...]]]:
    """What Icarus, Verilator and Yosys say of Verilog files that hold module ``top``."""

    def run_linters(verilog: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
        try:
            return lint_files(_write(verilog, test_folder), "top", test_folder)
        except simulator.SimulatorNotFoundError as error:
            pytest.skip(str(error))

    return run_linters


@pytest.fixture
def lint_clean(
    linted: Callable[[Mapping[str, str]], dict[str, tuple[str, ...]]],
) -> Callable[[wiring.Component], None]:
    """Check that no linter has anything to say of a component's Verilog."""

    def check(top: wiring.Component) -> None:
        complaints = linted(emit_verilog(top, "top"))
        assert not any(complaints.values()), complaints

    return check


@pytest.fixture
def half_made() -> Iterator[None]:
    """Let a constructor refuse: Amaranth warns of a component that is never used when it goes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnusedElaboratable)
        yield
        gc.collect()


def _installed(name: simulator.SimulatorName) -> simulator.SimulatorName:
    try:
        simulator.find_simulator(name)
    except simulator.SimulatorNotFoundError as error:
        pytest.skip(str(error))
    return name


def _run_bench(
    simulator_name: simulator.SimulatorName,
    folder: Path,
    top: wiring.Component,
    module: str,
    parameters: Mapping[str, object] | None = None,
) -> None:
    sources = _write(emit_verilog(top, "top"), folder)
    design = simulator.build(simulator_name, sources=sources, top="top", cache=BUILD / "simulators")
    simulator.run(
        design,
        test_module=module,
        folder=folder,
        environment={"NEUROMIX_BENCH": json.dumps(parameters or {})},
    )


def _write(verilog: Mapping[str, str], folder: Path) -> list[Path]:
    for name, text in verilog.items():
        (folder / name).write_text(text)
    return [folder / name for name in verilog]
