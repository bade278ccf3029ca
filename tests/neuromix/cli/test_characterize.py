"""`neuromix characterize`: what the user can mend, and what is printed."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from analog_models.neuron import MixedSignalNeuronParameters
from neuromix.characterize.fit import Residual
from neuromix.characterize.points import Condition
from neuromix.characterize.predict import Model
from neuromix.characterize.run import Characterization, MismatchResidual

Neuromix = Callable[..., Result]

FOUND = Characterization(
    card="generic65.lib",
    conditions=(Condition(corner_name="tt", celsius=27),),
    points=(),
    model=Model(parameters=MixedSignalNeuronParameters(), noise_rest=1.5),
    noise_factor=2.25,
    residuals=(
        Residual(
            quantity="settling",
            uncalibrated=1.29,
            fitted=0.05,
            held_out=0.12,
            worst=0.2,
            n_fitted=5,
            n_held_out=5,
        ),
    ),
    mismatch=MismatchResidual(
        measured=0.08,
        standard_error=0.06,
        uncalibrated=0.088,
        fitted=0.088,
        same_draw=(1.09,) * 7,
        n_cells=20,
    ),
)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """Nothing is simulated; the list gets the arguments of each characterization."""
    calls: list[tuple[object, ...]] = []

    def stand_in(*arguments: object, **_named: object) -> Characterization:
        calls.append(arguments)
        return FOUND

    monkeypatch.setattr("neuromix.cli.characterize.run_characterization", stand_in)
    return calls


def test_table_shows_every_residual_beside_its_target(
    neuromix: Neuromix, measured: list[tuple[object, ...]], tmp_path: Path
) -> None:
    result = neuromix("characterize", "--build", tmp_path)
    assert result.exit_code == 0, result.stderr
    (settling,) = (line for line in result.stdout.splitlines() if "settling" in line)
    assert (
        " ".join(settling.replace("│", " ").split())
        == "settling time (%) 129.00 5.00 12.00 20.00 10.00 missed"
    )
    (mismatch,) = (line for line in result.stdout.splitlines() if "mismatch" in line)
    assert mismatch.replace("│", " ").split()[-2:] == ["10.00", "pass"]
    assert result.stdout.splitlines()[-1] == str(tmp_path / "cell" / "characterize" / "characterization.json")
    parameters, _card, conditions, _folder = measured[0]
    assert parameters == MixedSignalNeuronParameters()
    assert [condition.name for condition in conditions] == [
        f"{corner}_{celsius}c" for corner in ("tt", "ff", "ss") for celsius in (27, 0, 85)
    ]


def test_quantity_without_meaning_is_told_with_its_reason(
    neuromix: Neuromix, measured: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    capacitors = dataclasses.replace(
        FOUND, model=Model(parameters=MixedSignalNeuronParameters(topology="c2c")), residuals=()
    )
    monkeypatch.setitem(globals(), "FOUND", capacitors)
    result = neuromix("characterize", "--topology", "c2c", "--build", tmp_path)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.replace("│", " ").split()[-1] for line in lines if "(" in line and "none" in line] == [
        "none",
        "none",
    ]
    assert "V_GS of a unit: none, because a cell of capacitors has no unit transistor" in lines
    assert lines[-1] == str(tmp_path / "cell" / "characterize-c2c" / "characterization.json")
    parameters = measured[0][0]
    assert parameters == MixedSignalNeuronParameters(topology="c2c")


def test_json_is_the_whole_result(
    neuromix: Neuromix, measured: list[tuple[object, ...]], tmp_path: Path
) -> None:
    result = neuromix("characterize", "quickstart", "--build", tmp_path, "--json")
    assert json.loads(result.stdout) == json.loads(json.dumps(FOUND.to_dict()))
    assert measured[0][-1] == tmp_path / "quickstart" / "characterize"
    assert json.loads(result.stdout)["mismatch"] == json.loads(json.dumps(dataclasses.asdict(FOUND.mismatch)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--card", "nowhere.lib"], "nowhere.lib: no such file or directory"),
        (["--corners", "tt,xx"], "characterize: corner must be one of tt, ff, ss, fs, sf, ff_hot, got 'xx'"),
        (["--corners", "tt,tt"], "--corners: must be different ones with commas between, got 'tt,tt'"),
        (["--temperatures", "27,hot"], "--temperatures: must be different numbers, got '27,hot'"),
        (["--temperatures", "9000"], "must be 200 to 450 K"),
        (["--topology", "r2r"], "topology must be one of full_binary, segmented, m2m, c2c, got 'r2r'"),
    ],
)
def test_bad_input_is_one_message(
    neuromix: Neuromix, tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = neuromix("characterize", "--build", tmp_path, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert not [*tmp_path.rglob("*.json")]


def test_experiment_without_an_analog_neuron_is_refused(
    neuromix: Neuromix, quick: Path, tmp_path: Path
) -> None:
    result = neuromix("characterize", quick, "--build", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "tiny: back_ends must name mixed_signal, got serial\n"


def test_missing_ngspice_is_named(
    neuromix: Neuromix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = neuromix("characterize", "--build", tmp_path)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "ngspice: program must be on the PATH, got none; install the package ngspice\n"
