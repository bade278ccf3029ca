"""`neuromix montecarlo`: table, files, resumption, and what is told of wrong options."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Neuromix = Callable[..., Result]


def arguments(tiny: Path, build: Path, *more: str) -> list[object]:
    return ["montecarlo", tiny, "--build", build, "--chips", "30", "--limit", "0.8", "--workers", "1", *more]


def test_study_is_a_table_and_files_and_is_not_done_twice(
    neuromix: Neuromix, tiny: Path, tmp_path: Path
) -> None:
    asked = arguments(tiny, tmp_path, "--sweep", "sigma=0,5", "--sweep", "noise=3")
    result = neuromix(*asked)
    assert result.exit_code == 0, result.stderr
    folder = tmp_path / "tiny" / "montecarlo"
    *_, ideal, last = result.stdout.splitlines()
    assert ideal == "a chip without flaws: 80.00 %"
    assert last == str(folder / "accuracy.svg")
    for case in ("as designed", "no mismatch", "no compression", "sigma × 5", "noise × 3"):
        assert f"│ {case} " in result.stdout
    assert max(map(len, result.stdout.splitlines()[:-1])) <= 80
    facts = json.loads((folder / "montecarlo.json").read_text())
    assert (facts["seed"], facts["ideal"], facts["limit"]) == (1, 0.8, 0.8)
    assert all(len(case["correct"]) == 30 for case in facts["cases"])
    with (folder / "montecarlo.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [case["label"] for case in facts["cases"]]
    (design,) = (case for case in facts["cases"] if case["kind"] == "design")
    assert design["yield"] == sum(count >= 4 for count in design["correct"]) / 30
    assert design["yield_low"] <= design["yield"] <= design["yield_high"]
    assert design["regained"] == 0
    assert (folder / "accuracy.svg").read_text().startswith("<svg")

    times = {path: path.read_bytes() for path in (folder / "blocks").iterdir()}
    again = neuromix(*asked, "--json")
    assert json.loads(again.stdout) == facts
    assert {path: path.read_bytes() for path in (folder / "blocks").iterdir()} == times


def test_exact_chips_are_counted_by_the_golden_model(neuromix: Neuromix, tiny: Path, tmp_path: Path) -> None:
    result = neuromix(*arguments(tiny, tmp_path, "--exact", "--no-budget", "--json"))
    facts = json.loads(result.stdout)
    assert (facts["exact"], len(facts["cases"])) == (True, 1)
    assert set(facts["cases"][0]["correct"]) <= set(range(6))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--sweep", "heat=1"], "--sweep: must be sigma or noise with factors of at least 0, such as "),
        (["--sweep", "sigma=1,x"], "got 'sigma=1,x'"),
        (["--sweep", "sigma=-1"], "got 'sigma=-1'"),
        (
            ["--sweep", "sigma=1e6"],
            "--sweep: sigma × 1e+06: mixed-signal neuron: mismatch_factor must be 0 to",
        ),
        (["--scheduler", "nowhere://x"], "--scheduler: must be the address of a Dask scheduler that runs"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_wrong_options_are_told_in_one_message(
    neuromix: Neuromix, tiny: Path, tmp_path: Path, option: list[str], message: str
) -> None:
    result = neuromix(*arguments(tiny, tmp_path, *option))
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_experiment_without_analog_neurons_is_refused(
    neuromix: Neuromix, quick: Path, tmp_path: Path
) -> None:
    result = neuromix(*arguments(quick, tmp_path))
    assert result.exit_code == 2
    assert result.stderr == "tiny: back_ends must name mixed_signal, got serial\n"
