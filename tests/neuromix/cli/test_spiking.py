"""Spiking analog neurons from the experiment file to the report, and the commands that are not for them."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from neuromix.config import load_experiment

Neuromix = Callable[..., Result]

SPIKING = "back_ends: {mixed_signal: {settle_cycles: 1000, spiking: {leak_conductance: 0 S}}}"


@pytest.fixture(scope="module")
def spiking(tiny: Path) -> Path:
    """The tiny experiment on spiking neurons alone, whose steps take 1 ms, on Icarus."""
    text = tiny.read_text().replace("[verilator, icarus]", "[icarus]")
    lines = text.replace("fan_out: 2}", "fan_out: 2}, clock: 1 MHz").splitlines()
    path = tiny.with_name("spiking.yaml")
    path.write_text("\n".join(SPIKING if line.startswith("back_ends:") else line for line in lines) + "\n")
    return path


@pytest.mark.cosim
@pytest.mark.icarus
@pytest.mark.yosys
def test_report_tells_of_membranes(neuromix: Neuromix, spiking: Path, build_folder: Path) -> None:
    result = neuromix("run", spiking, "--build", build_folder)
    assert result.exit_code == 0, result.stderr
    folder = build_folder / load_experiment(spiking).name
    report = json.loads((folder / "report.json").read_text())
    (agreement,) = report["agreement"]
    assert agreement["events_compared"] > 0
    assert agreement["differences"] == 0
    page = (folder / "report.html").read_text()
    for told in ("membrane", "100 fF", "spikes counted for", "1.00 ms"):
        assert told in page
    energy = json.loads((folder / "04-energy" / "mixed_signal" / "energy.json").read_text())
    components = energy["by_component_energy_pj"]
    assert min(components[f"analog_{item}"] for item in ("membrane", "precharge", "comparator")) > 0


@pytest.mark.parametrize("command", ["montecarlo", "calibrate", "characterize"])
def test_what_is_for_converters_says_so(
    neuromix: Neuromix, spiking: Path, build_folder: Path, command: str
) -> None:
    result = neuromix(command, spiking, "--build", build_folder)
    assert result.exit_code == 2
    assert "back_ends.mixed_signal must have neurons with converters, got spiking" in result.stderr


def test_a_step_too_short_for_its_pulses_names_the_setting(
    neuromix: Neuromix, spiking: Path, build_folder: Path
) -> None:
    path = spiking.with_name("short.yaml")
    path.write_text(spiking.read_text().replace("settle_cycles: 1000", "settle_cycles: 3"))
    result = neuromix("cosim", path, "--build", build_folder)
    assert result.exit_code == 2
    assert "back_ends.mixed_signal: 3 settle_cycles at " in result.stderr
    assert "an evaluation must be at least" in result.stderr
