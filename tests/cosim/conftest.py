"""Fixtures for tests that simulate whole chips."""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cosim.job import run_cosim
from cosim.simulator import SimulatorName
from neuromix.agreement import compare_events
from rtl_gen.chip import ChipParameters
from rtl_gen.emit import RtlBundle, emit_chip
from testbenches.chip_bench import ChipCase, Played

Play = Callable[..., Played]


@pytest.fixture(scope="session")
def emitted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[ChipParameters], RtlBundle]:
    """Emit a chip, each only once."""
    return cache(lambda chip: emit_chip(chip, tmp_path_factory.mktemp("chip")))


@pytest.fixture
def simulators(test_folder: Path) -> Path:
    """Where compiled simulations are kept from test to test and from run to run."""
    return test_folder.parent / "simulators"


@pytest.fixture
def play(emitted: Callable[[ChipParameters], RtlBundle], test_folder: Path, simulators: Path) -> Play:
    """Simulate a chip and hold it against the golden model.

    Call ``play(case, simulator, "name of the run", ...)``; what follows changes the job. ``bundle`` is other
    Verilog than the chip's.
    """

    def run(
        case: ChipCase,
        simulator: SimulatorName,
        name: str = "run",
        *,
        bundle: RtlBundle | None = None,
        **changes: Any,
    ) -> Played:
        job = case.job(bundle or emitted(case.chip), simulator, **changes)
        result = run_cosim(job, test_folder / name, simulators, fresh=True)
        reference = case.reference()
        return Played(
            reference=reference, result=result, comparison=compare_events(case.mapped, reference, result)
        )

    return run
