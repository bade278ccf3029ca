"""`neuromix cosim --waves`: where the waves are, and that a long run does not make them longer."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Neuromix = Callable[..., Result]

pytestmark = [pytest.mark.cosim, pytest.mark.icarus]


@pytest.fixture
def analog(tiny: Path) -> Path:
    """The tiny experiment reduced to its mixed-signal back end, on the simulator that builds fast."""
    path = tiny.with_name("analog.yaml")
    text = tiny.read_text().replace("[verilator, icarus]", "[icarus]")
    path.write_text(text.replace("parallel: {}, serial: {lanes: 1}, ", ""))
    return path


def test_waves_are_as_long_as_their_window_not_as_the_run(
    neuromix: Neuromix, analog: Path, build_folder: Path
) -> None:
    written = build_folder / "tiny" / "03-cosim" / "waves" / "mixed_signal-icarus" / "waves.vcd"
    seen = []
    for n_images in (3, 6):
        arguments = ("cosim", analog, "--build", build_folder, "--images", n_images)
        result = neuromix(*arguments, "--window", "1:2")
        assert result.exit_code == 0, result.stderr
        assert result.stdout.splitlines()[-1] == str(written)
        assert sorted(path.suffix for path in written.parent.glob("waves.*")) == [".gtkw", ".sucl", ".vcd"]
        seen.append(written.read_bytes().partition(b"$enddefinitions")[2])
        assert len(seen[-1]) > 10_000
        (run,) = json.loads(neuromix(*arguments, "--waves", "--json").stdout)
        assert (run["waves"], run["differences"]) == (str(written), 0)
        in_window = written.read_bytes().partition(b"$enddefinitions")[2]
        assert in_window != seen[-1], "the default window is another one"
    assert seen[0] == seen[1]
    (run,) = json.loads(neuromix(*arguments, "--json").stdout)
    assert "waves" not in run
