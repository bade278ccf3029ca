"""The command line: results on stdout, talk on stderr, exit codes with a meaning."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from cosim.simulator import SimulationError, SimulatorNotFoundError
from neuromix.cli import app, console
from neuromix.cli.app import _Reporting
from neuromix.cli.options import (
    BuildFolder,
    DataFolder,
    Experiment,
    FromStep,
    Images,
    Json,
    Seed,
    read_experiment,
)
from neuromix.config import ExperimentError, IdxData, json_schema, shipped_experiments


def test_schema_is_printed_as_json() -> None:
    result = CliRunner().invoke(app, ["schema"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json_schema()
    assert result.stderr == ""


def test_list_names_every_shipped_experiment() -> None:
    lines = CliRunner().invoke(app, ["list"]).stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(shipped_experiments())
    assert "quickstart  Handwritten digits on three back ends" in lines


def test_list_as_json_tells_network_data_and_back_ends() -> None:
    listed = json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout)
    (quickstart,) = (entry for entry in listed if entry["name"] == "quickstart")
    assert quickstart == {
        "name": "quickstart",
        "title": "Handwritten digits on three back ends",
        "file": str(shipped_experiments()["quickstart"]),
        "network": "digits-64-32-10",
        "data": "digits",
        "back_ends": ["parallel", "serial", "mixed_signal"],
    }


def test_unknown_command_and_option_exit_with_2() -> None:
    for arguments in (["lst"], ["list", "--jsn"]):
        result = CliRunner().invoke(app, arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "No such" in result.stderr


def app_that(command: Callable[..., None]) -> typer.Typer:
    """An application with the error handling of the real one and two commands, one of them ``command``."""
    failing = typer.Typer(cls=_Reporting, pretty_exceptions_enable=False)
    failing.command("work")(command)
    failing.command("rest")(lambda: None)
    return failing


@pytest.mark.parametrize(
    ("failure", "code", "message"),
    [
        (ExperimentError([]), 2, "\n"),
        (ValueError("chip: mesh must be larger, got 1"), 2, "chip: mesh must be larger, got 1\n"),
        (PermissionError(13, "Permission denied", "build"), 2, "build: permission denied\n"),
        (SimulatorNotFoundError("iverilog must be on PATH"), 2, "iverilog must be on PATH\n"),
        (SimulationError("the chip hangs"), 1, "the chip hangs\n"),
        (
            KeyboardInterrupt(),
            130,
            "interrupted; finished steps are kept, and the next run goes on from there\n",
        ),
        (typer.Exit(1), 1, ""),
    ],
)
def test_failure_is_one_message_and_an_exit_code(failure: BaseException, code: int, message: str) -> None:
    def fail() -> None:
        raise failure

    result = CliRunner().invoke(app_that(fail), ["work"])
    assert (result.exit_code, result.stdout, result.stderr) == (code, "", message)


def test_internal_failure_keeps_its_traceback_and_exits_with_1() -> None:
    def fail() -> None:
        raise KeyError("internal")

    result = CliRunner().invoke(app_that(fail), ["work"])
    assert (result.exit_code, type(result.exception)) == (1, KeyError)


def test_debugging_shows_where_bad_input_was_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ValueError("seed must be positive")

    monkeypatch.setenv("NEUROMIX_DEBUG", "1")
    result = CliRunner().invoke(app_that(fail), ["work"])
    assert type(result.exception) is ValueError


def test_common_options_show_their_defaults() -> None:
    def work(
        experiment: Experiment,
        seed: Seed = None,
        images: Images = None,
        data: DataFolder = None,
        build: BuildFolder = Path("build"),
        from_step: FromStep = None,
        as_json: Json = False,
    ) -> None:
        pass

    shown = (
        CliRunner().invoke(app_that(work), ["work", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).stdout
    )
    for option, default in (
        ("--seed", "as in the file"),
        ("--images", "as in the file"),
        ("--data", "as in the file"),
        ("--build", "build"),
        ("--from", "the first step that is not up to date"),
    ):
        assert re.search(rf"{option}\b.*\[default: \(?{default}\)?\]", shown), option


def test_options_come_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = read_experiment("quickstart", seed=7, images="12", data=Path("mnist"))
    assert (config.seed, config.images, config.data) == (7, 12, IdxData(kind="idx", path=tmp_path / "mnist"))
    assert read_experiment("quickstart", images="all").images == "all"
    for images, shown in (("-3", "-3"), ("few", "'few'")):
        with pytest.raises(ExperimentError, match=rf"^override: images: .*, got {shown}$"):
            read_experiment("quickstart", images=images)


def test_progress_is_a_line_per_finished_action_when_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with console.progress_report() as progress:
        for done in range(4):
            progress("co-simulate", done, 3)
    assert capsys.readouterr() == ("", "co-simulate: 3 of 3\n")


def test_progress_is_a_bar_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with console.progress_report() as progress:
        progress("co-simulate", 3, 3)
    out, err = capsys.readouterr()
    assert out == ""
    assert "co-simulate" in err
    assert "3/3" in err


def test_output_into_a_closed_pipe_ends_quietly() -> None:
    code = "import sys; from neuromix.cli import main; sys.argv = ['neuromix', 'schema']; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.close()
    _, stderr = process.communicate(timeout=60)
    assert "Traceback" not in stderr
