"""`neuromix calibrate` on the tiny experiment: hardware against twin, then chips before and after."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Neuromix = Callable[..., Result]


@pytest.mark.cosim
@pytest.mark.icarus
def test_chips_are_better_trimmed_and_the_simulated_one_agrees(
    neuromix: Neuromix, tiny: Path, tmp_path: Path
) -> None:
    arguments = ("--simulator", "icarus", "--build", tmp_path)
    result = neuromix("calibrate", tiny, "--chips", 5, *arguments, "--json")
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert (found["images"], len(found["trimmed"]["accuracies"])) == (5, 5)
    assert found["limit"] == pytest.approx(found["integer_accuracy"] - 0.01)
    for error in ("offset_rms_lsb", "gain_deviation"):
        assert 0 < found["trimmed"][error] < found["untrimmed"][error] / 2
    run = tmp_path / "tiny-calibrated" / "03-cosim" / "mixed_signal-icarus" / "images-0"
    assert (run / "result.npz").is_file()

    table = neuromix("calibrate", tiny, "--chips", 1, "--limit", 50, *arguments)
    assert table.exit_code == 0, table.stderr
    assert re.search(r"yield at 50\.0 %", table.stdout)
    assert re.search(r"mixed-signal on icarus: 5 images, \d+ events compared, 0 differences", table.stdout)


def test_an_experiment_without_analog_neurons_is_refused(
    neuromix: Neuromix, tiny: Path, tmp_path: Path
) -> None:
    for path in tiny.parent.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    digital = tmp_path / "digital.yaml"
    digital.write_text(tiny.read_text().replace(", mixed_signal: {}", ""))
    result = neuromix("calibrate", digital, "--build", tmp_path / "build")
    assert result.exit_code == 2
    assert result.stderr == "tiny: back_ends must name mixed_signal, got parallel, serial\n"
