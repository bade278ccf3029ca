"""`neuromix yield` on the tiny experiment: every simulated chip is the golden model's chip of its seed."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

import neuromix.flow as neuromix_flow
from neuromix.config import load_experiment
from neuromix.experiment import prepare, with_chip
from neuromix.reference import simulate_mapped

Neuromix = Callable[..., Result]

pytestmark = [pytest.mark.cosim, pytest.mark.verilator]


@pytest.fixture
def calibrated(tiny: Path) -> Path:
    path = tiny.with_name("calibrated.yaml")
    text = tiny.read_text().replace("mixed_signal: {", "mixed_signal: {calibrate: true, ")
    assert "calibrate: true" in text
    path.write_text(text)
    return path


def golden_accuracies(path: Path, n_chips: int, *, trimmed: bool) -> list[float]:
    experiment = prepare(load_experiment(path))
    accuracies = []
    for seed in range(experiment.config.seed, experiment.config.seed + n_chips):
        chip = with_chip(experiment, seed, trimmed=trimmed)
        run = simulate_mapped(chip.mapped, chip.codes, chip.back_ends["mixed_signal"].models)
        accuracies.append(float(np.mean(run.predictions == chip.labels)))
    return accuracies


def test_chips_are_those_of_their_seeds(neuromix: Neuromix, tiny: Path, build_folder: Path) -> None:
    result = neuromix("yield", tiny, "--chips", 3, "--limit", 0.7, "--build", build_folder, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    facts = found["untrimmed"]
    assert facts["accuracies"] == golden_accuracies(tiny, 3, trimmed=False)
    assert facts["equal_to_golden_model"] == 3
    assert facts["yield"] == np.mean([accuracy >= 0.7 for accuracy in facts["accuracies"]])
    assert facts["yield_low"] <= facts["yield"] <= facts["yield_high"]
    assert "trimmed" not in found
    folders = sorted((build_folder / "tiny" / "yield").glob("untrimmed-seed-*"))
    events = [np.load(folder / "images-0" / "result.npz")["sent"] for folder in folders]
    assert len(events) == 3
    assert not np.array_equal(events[0], events[1]), "chips must differ"

    table = neuromix("yield", tiny, "--chips", 3, "--build", build_folder)
    assert " 0 differences" in table.stdout


def test_trims_are_in_the_registers(
    neuromix: Neuromix, calibrated: Path, build_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("yield", calibrated, "--chips", 2, "--build", build_folder, "--json")
    result = neuromix(*arguments)
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    for state in ("untrimmed", "trimmed"):
        assert found[state]["accuracies"] == golden_accuracies(calibrated, 2, trimmed=state == "trimmed")
        assert found[state]["equal_to_golden_model"] == 2

    monkeypatch.setattr(neuromix_flow, "trim_words", lambda trims: {})
    untrimmed = neuromix(*arguments)
    assert untrimmed.exit_code == 1
    assert "\ntrimmed-seed-" in untrimmed.stderr
    assert "\nuntrimmed-seed-" not in untrimmed.stderr


def test_an_experiment_without_analog_neurons_is_refused(neuromix: Neuromix, quick: Path) -> None:
    result = neuromix("yield", quick)
    assert (result.exit_code, result.stderr) == (2, "tiny: back_ends must name mixed_signal, got serial\n")
