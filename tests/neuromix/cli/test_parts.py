"""Images in parts: the same result as in one go, and a failure keeps the parts that are done."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from cosim import simulator
from cosim.simulator import SimulationError

Neuromix = Callable[..., Result]

pytestmark = [pytest.mark.cosim, pytest.mark.icarus]


@pytest.fixture
def in_parts(tiny: Path) -> Path:
    """The tiny experiment, digital and mixed-signal on Icarus, two images at a time."""
    text = tiny.read_text().replace("[verilator, icarus]", "[icarus]")
    path = tiny.with_name("in_parts.yaml")
    path.write_text(text.replace("cosim: {", "cosim: {images_per_part: 2, "))
    assert "images_per_part" in path.read_text()
    return path


def events(build: Path, run: str) -> np.ndarray:
    parts = (build / "tiny" / "03-cosim" / run).glob("images-*/result.npz")
    return np.concatenate([np.load(path)["sent"] for path in parts])


def test_parts_give_what_one_run_gives(
    neuromix: Neuromix, tiny: Path, in_parts: Path, tmp_path: Path
) -> None:
    found = {}
    for name, path in {"whole": tiny, "parts": in_parts}.items():
        result = neuromix("cosim", path, "--simulator", "icarus", "--build", tmp_path / name, "--json")
        assert result.exit_code == 0, result.stderr
        found[name] = json.loads(result.stdout)
    for whole, parts in zip(found["whole"], found["parts"], strict=True):
        assert whole["images"] == parts["images"] == 5
        assert whole["accuracy"] == parts["accuracy"]
        assert parts["differences"] == 0
        run = f"{whole['back_end']}-icarus"
        # Parts have idle steps of their own, in which the noise of analog neurons may send events.
        assert set(events(tmp_path / "parts", run)) >= (
            set() if whole["back_end"] == "mixed_signal" else set(events(tmp_path / "whole", run))
        )
    folders = (tmp_path / "parts" / "tiny" / "03-cosim" / "serial-icarus").iterdir()
    assert sorted(folder.name for folder in folders) == ["images-0", "images-2", "images-4"]


def test_finished_parts_are_kept_when_a_worker_fails(
    neuromix: Neuromix, in_parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[str] = []
    run, failing = simulator.run, {"serial-icarus/images-4"}

    def watched(*arguments: Any, folder: Path, **options: Any) -> None:
        name = f"{folder.parent.name}/{folder.name}"
        if name in failing:
            raise SimulationError(f"{name}: the simulator crashed")
        run(*arguments, folder=folder, **options)
        ran.append(name)

    monkeypatch.setattr(simulator, "run", watched)
    arguments = ("cosim", in_parts, "--simulator", "icarus", "--build", tmp_path)
    failed = neuromix(*arguments)
    assert failed.exit_code == 1
    assert failed.stderr.splitlines()[-1] == "serial-icarus/images-4: the simulator crashed"
    done = set(ran)
    assert done >= {"serial-icarus/images-0", "serial-icarus/images-2"} or len(done) >= 3
    for name in done:
        assert (tmp_path / "tiny" / "03-cosim" / name / "result.npz").is_file()

    failing.clear()
    ran.clear()
    again = neuromix(*arguments)
    assert again.exit_code == 0, again.stderr
    assert "serial-icarus/images-4" in ran
    assert not done & set(ran), "what was done must not be done again"
