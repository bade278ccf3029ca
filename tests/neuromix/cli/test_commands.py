"""Each command by itself, and what it does again, on an experiment with one back end."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Neuromix = Callable[..., Result]

pytestmark = [pytest.mark.cosim, pytest.mark.icarus, pytest.mark.verilator, pytest.mark.yosys]


@pytest.fixture(scope="module")
def finished(neuromix: Neuromix, quick: Path, build_folder: Path) -> Path:
    """The folder of a finished run."""
    result = neuromix("run", quick, "--build", build_folder)
    assert result.exit_code == 0, result.stderr
    return build_folder / "tiny"


def times(folder: Path, pattern: str) -> dict[Path, int]:
    found = {path: path.stat().st_mtime_ns for path in folder.rglob(pattern)}
    assert found
    return found


def test_second_run_simulates_nothing_and_json_is_the_report(
    neuromix: Neuromix, finished: Path, quick: Path, build_folder: Path
) -> None:
    before = times(finished, "simulation.log")
    assert len(before) == 3, "one co-simulation, two traced runs"
    result = neuromix("run", quick, "--build", build_folder, "--json")
    assert result.exit_code == 0
    assert result.stdout == (finished / "report.json").read_text()
    assert times(finished, "simulation.log") == before


def test_steps_from_the_one_given_are_done_again(
    neuromix: Neuromix, finished: Path, quick: Path, build_folder: Path
) -> None:
    def redone(*arguments: str) -> set[str]:
        before = times(finished, "simulation.log")
        result = neuromix("energy", quick, "--build", build_folder, *arguments)
        assert result.exit_code == 0, result.stderr
        after = times(finished, "simulation.log")
        return {path.relative_to(finished).parts[0] for path in after if after[path] != before[path]}

    assert redone() == set()
    assert redone("--from", "energy") == {"04-energy"}
    assert redone("--from", "cosim") == {"03-cosim", "04-energy"}


def test_report_is_rendered_again_from_its_data(
    neuromix: Neuromix, finished: Path, quick: Path, build_folder: Path
) -> None:
    page = finished / "report.html"
    drawn, data = page.read_text(), (finished / "report.json").read_text()
    page.unlink()
    result = neuromix("report", quick, "--build", build_folder)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1] == str(page)
    assert result.stderr == ""
    assert "serial digital" in result.stdout
    assert "<svg" in page.read_text()
    assert len(page.read_text()) == pytest.approx(len(drawn), rel=0.01)
    assert (finished / "report.json").read_text() == data
    assert neuromix("report", quick, "--build", build_folder, "--json").stdout == data


def test_cosim_runs_on_the_simulator_that_is_asked_for(
    neuromix: Neuromix, tiny: Path, build_folder: Path
) -> None:
    result = neuromix(
        "cosim", tiny, "--build", build_folder, "--simulator", "icarus", "--images", "3", "--json"
    )
    assert result.exit_code == 0, result.stderr
    runs = json.loads(result.stdout)
    assert [(run["back_end"], run["simulator"]) for run in runs] == [
        ("parallel", "icarus"),
        ("serial", "icarus"),
        ("mixed_signal", "icarus"),
    ]
    for run in runs:
        assert (run["images"], run["differences"], run["lost"], run["duplicated"]) == (3, 0, 0, 0)
        assert run["events_compared"] == run["events_sent"] == run["events_received"] > 0
        assert 0 < run["accuracy_low"] < run["accuracy"] <= 1
        assert run["cycles"] > 0


def test_cosim_prints_a_table(neuromix: Neuromix, finished: Path, quick: Path, build_folder: Path) -> None:
    result = neuromix("cosim", quick, "--build", build_folder)
    assert re.search(r"│ serial digital │ icarus +│ +80\.0 % │", result.stdout), result.stdout
    assert re.search(r"^serial digital on icarus: 5 images, \d+ events compared, 0 diff", result.stdout, re.M)
    assert result.stderr == "generating Verilog: 1 of 1\nco-simulating: 1 of 1\n"


def test_energy_is_a_table_or_all_of_it_as_json(
    neuromix: Neuromix, finished: Path, quick: Path, build_folder: Path
) -> None:
    result = neuromix("energy", quick, "--build", build_folder, "--json")
    assert result.exit_code == 0
    saved = json.loads((finished / "04-energy" / "serial" / "energy.json").read_text())
    assert json.loads(result.stdout) == {"serial": saved}
    report = json.loads((finished / "report.json").read_text())
    assert saved["energy_per_inference_pj"] == pytest.approx(report["energy_per_inference_pj"]["serial"])
    table = neuromix("energy", quick, "--build", build_folder).stdout
    (total,) = re.findall(r"│ total +│ +([\d,]+) │", table)
    assert int(total.replace(",", "")) == pytest.approx(saved["energy_per_inference_pj"], rel=0.01)


def test_generate_says_where_the_verilog_is(neuromix: Neuromix, quick: Path, tmp_path: Path) -> None:
    result = neuromix("generate", quick, "--build", tmp_path)
    folder = tmp_path / "tiny" / "01-rtl" / "serial"
    assert (result.exit_code, result.stdout) == (0, f"{folder}\n")
    written = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    result = neuromix("generate", quick, "--build", tmp_path, "--json")
    (name, facts), *_ = json.loads(result.stdout).items()
    assert (name, facts["folder"], facts["black_boxes"]) == ("serial", str(folder), [])
    assert facts["source_sha256"] == json.loads(written["manifest.json"])["source_sha256"]
    assert facts["files"] == written["chip.f"].decode().split()
    again = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert again == written, "two emissions of the same chip differ"
    assert [path.name for path in (tmp_path / "tiny").iterdir() if path.is_dir()] == ["01-rtl"]


@pytest.mark.parametrize(
    "command", ["run", "generate", "cosim", "energy", "yield", "montecarlo", "report", "schema", "list"]
)
def test_help_says_what_a_command_does_and_shows_defaults(neuromix: Neuromix, command: str) -> None:
    result = neuromix(command, "--help")
    assert result.exit_code == 0
    text = result.stdout
    assert max(map(len, text.splitlines())) <= 80
    options = re.findall(r"^│ (--[a-z-]+)", text, re.M)
    common = {"--seed", "--images", "--data", "--build", "--from", "--simulator", "--bridge", "--window"}
    of_montecarlo = {"--chips", "--limit", "--sweep", "--budget", "--workers", "--scheduler"}
    with_defaults = (common | of_montecarlo) & set(options)
    assert text.count("[default: ") == len(with_defaults)
    assert ("--build" in options) == (command not in ("schema", "list"))
