"""`neuromix run` from end to end: three back ends, two simulators, and everything that it leaves."""

import csv
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosim.simulator import SIMULATORS, SimulatorNotFoundError, find_simulator
from neuromix.config import load_experiment
from neuromix.energy.netlist import YosysNotFoundError, find_yosys
from neuromix.experiment import Experiment, prepare
from neuromix.reference import ReferenceRun, simulate_mapped

pytestmark = [pytest.mark.cosim, pytest.mark.icarus, pytest.mark.verilator, pytest.mark.yosys]

BACK_ENDS = ("parallel", "serial", "mixed_signal")
N_MACS = 16 * 6 + 6 * 4


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run that has ended."""

    folder: Path
    exit_code: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.folder / "report.json").read_text())


@pytest.fixture(scope="module")
def finished(start: Callable[..., Any], tiny: Path, build_folder: Path) -> Finished:
    try:
        for simulator in SIMULATORS:
            find_simulator(simulator)
        find_yosys()
    except (SimulatorNotFoundError, YosysNotFoundError) as error:
        pytest.skip(str(error))
    process = start(["run", tiny, "--build", build_folder])
    stdout, stderr = process.communicate(timeout=900)
    return Finished(folder=build_folder / "tiny", exit_code=process.returncode, stdout=stdout, stderr=stderr)


@pytest.fixture(scope="module")
def experiment(tiny: Path) -> Experiment:
    return prepare(load_experiment(tiny))


@pytest.fixture(scope="module")
def golden(experiment: Experiment) -> dict[str, ReferenceRun]:
    return {
        name: simulate_mapped(experiment.mapped, experiment.codes, back_end.models)
        for name, back_end in experiment.back_ends.items()
    }


def test_results_go_to_stdout_and_talk_to_stderr(finished: Finished) -> None:
    assert finished.exit_code == 0, finished.stderr
    lines = finished.stdout.splitlines()
    assert lines[-1] == str(finished.folder / "report.html")
    assert max(map(len, lines[:-1])) <= 80
    for label in ("parallel digital", "serial digital", "mixed-signal"):
        assert sum(line.startswith(f"│ {label} ") for line in lines) == 1
        for simulator in SIMULATORS:
            assert sum(line.startswith(f"{label} on {simulator}: 5 images, ") for line in lines) == 1
    assert finished.stderr.splitlines() == [
        "generating Verilog: 3 of 3",
        "co-simulating: 6 of 6",
        "counting toggles: 3 of 3",
        "writing report: 1 of 1",
    ]


def test_accuracy_is_that_of_the_golden_model(
    finished: Finished, experiment: Experiment, golden: dict[str, ReferenceRun]
) -> None:
    accuracy = finished.report["accuracy"]
    assert list(accuracy) == list(BACK_ENDS)
    for name, run in golden.items():
        correct = int(np.count_nonzero(run.predictions == experiment.labels))
        assert 2 <= correct <= 4, "an experiment that gets all or nothing right proves nothing"
        found = accuracy[name]
        assert (found["correct"], found["total"]) == (correct, 5)
        assert found["low"] < found["fraction"] == correct / 5 < found["high"]


def test_every_simulator_agrees_with_the_golden_model_on_every_back_end(
    finished: Finished, golden: dict[str, ReferenceRun]
) -> None:
    report = finished.report
    runs = {(run["back_end"], run["simulator"]): run for run in report["agreement"]}
    assert set(runs) == {(name, simulator) for name in BACK_ENDS for simulator in SIMULATORS}
    for (name, _), run in runs.items():
        n_events = len(golden[name].events)
        assert n_events > 100
        assert run["events_compared"] == run["events_sent"] == run["events_received"] == n_events
        assert (run["images"], run["differences"], run["lost"], run["duplicated"]) == (5, 0, 0, 0)
    total = sum(len(golden[name].events) for name in BACK_ENDS) * len(SIMULATORS)
    assert report["events_sent"] == report["events_received"] == total
    assert report["events_lost"] == report["events_duplicated"] == 0


def test_energies_are_positive_and_add_up(finished: Finished) -> None:
    report = finished.report
    results = {result["name"]: result for result in report["data"]["back_ends"]}
    energies = report["energy_per_inference_pj"]
    assert list(energies) == list(results) == list(BACK_ENDS)
    assert len(set(energies.values())) == len(BACK_ENDS)
    for name, energy in energies.items():
        assert energy > 0
        for items in (results[name]["components"], results[name]["by_block"]):
            assert sum(items.values()) == pytest.approx(energy, rel=1e-9)
        assert report["energy_per_mac_fj"][name] == pytest.approx(1e3 * energy / N_MACS, rel=1e-9)
        analog = [key for key in results[name]["components"] if key.startswith("analog ")]
        assert bool(analog) == (name == "mixed_signal")
        step = json.loads((finished.folder / "04-energy" / name / "energy.json").read_text())
        assert step["n_inferences"] == 2
        assert step["energy_pj"] == pytest.approx(2 * energy, rel=1e-9)


def test_summary_says_the_same_as_the_report(finished: Finished) -> None:
    with (finished.folder / "summary.csv").open(newline="") as file:
        rows = {(row["metric"], row["back_end"]): row for row in csv.DictReader(file)}
    report = finished.report
    for name in BACK_ENDS:
        assert float(rows["accuracy", name]["value"]) == report["accuracy"][name]["fraction"]
        energy = rows["energy_per_inference", name]
        assert (float(energy["value"]), energy["unit"]) == (report["energy_per_inference_pj"][name], "pJ")
        for simulator in SIMULATORS:
            assert rows[f"differences.{simulator}", name]["value"] == "0"


def test_page_needs_nothing_but_itself(finished: Finished) -> None:
    page = (finished.folder / "report.html").read_text()
    outside = re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!data:|#)[^\s"')>]+""", page)
    assert not outside
    assert "<script" not in page
    assert "tiny" in page


@pytest.mark.parametrize("name", BACK_ENDS)
def test_hardware_lies_in_the_first_folder(finished: Finished, experiment: Experiment, name: str) -> None:
    folder = finished.folder / "01-rtl" / name
    manifest = json.loads((folder / "manifest.json").read_text())
    files = (folder / "chip.f").read_text().split()
    assert files == manifest["files"]
    assert "module chip(" in (folder / files[-1]).read_text()
    for file in [*files, *manifest["black_boxes"], "registers.json", "registers.h", "registers.md"]:
        assert (folder / file).stat().st_size, file
    assert bool(manifest["black_boxes"]) == (name == "mixed_signal")
    images = sorted((folder / "images").glob("*.hex"))
    tiles = {path.stem.split("_target")[0] for path in images}
    assert tiles == {f"tile_{core.x}_{core.y}" for core in experiment.mapped.cores}
    for path in images:
        assert re.fullmatch(r"([0-9a-f]+\n)+", path.read_text()), path


@pytest.mark.parametrize("name", BACK_ENDS)
def test_golden_model_lies_in_the_second_folder_and_simulations_in_the_third(
    finished: Finished, golden: dict[str, ReferenceRun], name: str
) -> None:
    with np.load(finished.folder / "02-reference" / name / "images-0.npz") as saved:
        assert np.array_equal(saved["events"], golden[name].events)
        assert np.array_equal(saved["outputs"], golden[name].outputs)
    for simulator in SIMULATORS:
        folder = finished.folder / "03-cosim" / f"{name}-{simulator}" / "images-0"
        assert (folder / "simulation.log").stat().st_size
        with np.load(folder / "result.npz") as result:
            assert np.array_equal(result["sent"], golden[name].events)
