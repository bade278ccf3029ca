"""Steps of a run: which are done, on which simulators, what is repeated, and what a failure leaves.

The simulator is replaced by one that does what the golden model says.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuromix.flow
from cosim.events import up_to_step, without_source
from cosim.job import CosimJob, CosimResult
from cosim.simulator import SimulationError
from neuromix.config import ExperimentConfig, load_experiment
from neuromix.flow import STEPS, Outcome, run_experiment
from neuromix.reference import ReferenceRun
from rtl_gen.emit import RtlBundle


@dataclass
class Obedient:
    """Stands for the simulators; ``fails`` names the folder of a run that fails."""

    references: dict[str, ReferenceRun] = field(default_factory=dict)
    ran: dict[str, bool] = field(default_factory=dict)
    fails: str = ""

    def __call__(self, job: CosimJob, folder: Path, cache: Path, *, fresh: bool = False) -> CosimResult:
        name = folder.parent.name
        self.ran[name] = fresh
        if name == self.fails:
            raise SimulationError(f"{name}: the chip hangs")
        back_end, _, simulator = name.rpartition("-")
        assert (job.simulator, job.bundle.folder.name) == (simulator, back_end)
        sent = up_to_step(self.references[back_end].events, job.n_steps)
        return CosimResult(
            sent=sent,
            received=np.sort(without_source(sent)),
            step_cycles=np.arange(1, job.n_steps + 1),
            trace=None,
        )


@dataclass
class Watched:
    """A progress report that remembers."""

    said: list[tuple[str, int, int, tuple[str, ...]]] = field(default_factory=list)

    def __call__(self, action: str, done: int, total: int, under_way: Collection[str] = ()) -> None:
        self.said.append((action, done, total, tuple(under_way)))


@pytest.fixture(scope="module")
def bundles(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, RtlBundle]:
    """The Verilog of the tiny experiment, which is always the same."""
    return dict(run(load_experiment(tiny), tmp_path_factory.mktemp("rtl"), until="rtl").bundles)


@pytest.fixture
def emitted_before(bundles: dict[str, RtlBundle], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neuromix.flow, "generate", lambda *arguments: bundles)


@pytest.fixture
def simulators(monkeypatch: pytest.MonkeyPatch, emitted_before: None) -> Obedient:
    obedient = Obedient()
    refer = neuromix.flow.refer

    def remember(*arguments: Any) -> dict[str, ReferenceRun]:
        obedient.references = refer(*arguments)
        return obedient.references

    monkeypatch.setattr(neuromix.flow, "refer", remember)
    monkeypatch.setattr(neuromix.flow, "run_cosim", obedient)
    monkeypatch.setattr(neuromix.flow, "find_simulator", lambda name: name)
    return obedient


@pytest.fixture
def config(tiny: Path) -> ExperimentConfig:
    return load_experiment(tiny)


def run(config: ExperimentConfig, build: Path, **options: Any) -> Outcome:
    return run_experiment(config, build, command="", **{"progress": Watched(), "until": "cosim"} | options)


def test_run_stops_after_the_step_asked_for(config: ExperimentConfig, tmp_path: Path) -> None:
    progress = Watched()
    outcome = run(config, tmp_path, until="rtl", progress=progress)
    assert [done for _, done, _, _ in progress.said] == [0, 1, 2, 3]
    assert sorted(path.name for path in outcome.folder.iterdir()) == ["01-rtl", "experiment.json"]
    assert set(outcome.bundles) == {"parallel", "serial", "mixed_signal"}
    assert (outcome.references, outcome.runs, outcome.energies, outcome.report) == ({}, (), {}, None)
    outcome = run(config, tmp_path, until="reference")
    assert set(outcome.references) == set(outcome.bundles)
    assert (outcome.folder / "02-reference" / "serial" / "images-0.npz").is_file()
    assert not (outcome.folder / "03-cosim").exists()


@pytest.mark.usefixtures("emitted_before")
def test_experiment_is_kept_with_its_results(config: ExperimentConfig, tmp_path: Path) -> None:
    outcome = run(config, tmp_path, until="rtl")
    kept = json.loads((outcome.folder / "experiment.json").read_text())
    assert ExperimentConfig.model_validate(kept) == config


def test_every_back_end_runs_on_every_simulator_when_asked_for(
    config: ExperimentConfig, tmp_path: Path, simulators: Obedient
) -> None:
    outcome = run(config, tmp_path)
    assert outcome.agreeing
    assert [(found.back_end, found.simulator) for found in outcome.runs] == [
        (name, simulator) for name in config.back_ends.names for simulator in ("verilator", "icarus")
    ]
    golden = outcome.references["serial"].predictions
    assert all(np.array_equal(found.predictions, golden) for found in outcome.runs[2:4])


def test_digital_back_ends_run_on_the_first_simulator_only(
    tiny: Path, tmp_path: Path, simulators: Obedient
) -> None:
    run(load_experiment(tiny, {"cosim.every_back_end": False}), tmp_path)
    assert set(simulators.ran) == {
        "parallel-verilator",
        "serial-verilator",
        "mixed_signal-verilator",
        "mixed_signal-icarus",
    }


def test_simulator_asked_for_runs_every_back_end(
    config: ExperimentConfig, tmp_path: Path, simulators: Obedient
) -> None:
    run(config, tmp_path, simulators=["icarus"])
    assert set(simulators.ran) == {"parallel-icarus", "serial-icarus", "mixed_signal-icarus"}


@pytest.mark.parametrize("step", [None, *STEPS])
def test_simulations_are_repeated_from_the_step_asked_for(
    config: ExperimentConfig, tmp_path: Path, simulators: Obedient, step: str | None
) -> None:
    run(config, tmp_path, from_step=step, simulators=["icarus"])
    assert set(simulators.ran.values()) == {step in ("rtl", "reference", "cosim")}


def test_failed_simulation_ends_the_run(
    config: ExperimentConfig, tmp_path: Path, simulators: Obedient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(neuromix.flow, "cpu_count", lambda: 1)
    simulators.fails = "parallel-icarus"
    with pytest.raises(SimulationError, match=r"^parallel-icarus: the chip hangs$"):
        run(config, tmp_path)
    assert "parallel-icarus" in simulators.ran
    assert "mixed_signal-icarus" not in simulators.ran
    assert not [*(tmp_path / "tiny").glob("report.*")]


def test_progress_says_what_is_done_and_what_is_under_way(
    config: ExperimentConfig, tmp_path: Path, simulators: Obedient
) -> None:
    progress = Watched()
    run(config, tmp_path, progress=progress)
    said = [(done, total) for _, done, total, _ in progress.said]
    assert {action for action, *_ in progress.said} == {"co-simulating"}
    assert said == sorted(said)
    assert said[-1] == (6, 6)
    assert {name for *_, names in progress.said for name in names} == {
        f"{name} on {simulator}" for name in config.back_ends.names for simulator in ("icarus", "verilator")
    }
    assert progress.said[-1][-1] == ()


@pytest.mark.usefixtures("emitted_before")
def test_seed_changes_mixed_signal_events_only(tiny: Path, tmp_path: Path) -> None:
    def events(seed: int) -> dict[str, np.ndarray]:
        outcome = run(load_experiment(tiny, {"seed": seed}), tmp_path, until="reference")
        return {name: reference.events for name, reference in outcome.references.items()}

    one, two = events(1), events(2)
    assert [name for name in one if not np.array_equal(one[name], two[name])] == ["mixed_signal"]
