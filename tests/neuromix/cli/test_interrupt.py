"""Ctrl-C while simulators run."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

pytestmark = [pytest.mark.cosim, pytest.mark.icarus]


def running(session: int) -> dict[str, str]:
    """Return the names by process id of what runs in a session; the dead do not count."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = (folder / "stat").read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        state, _, _, of_session = rest.split()[:4]
        if int(of_session) == session and state != "Z":
            found[folder.name] = name
    return found


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_interrupted_simulation_leaves_nothing_and_is_done_again(
    neuromix: Callable[..., Result],
    start: Callable[..., "subprocess.Popen[str]"],
    quick: Path,
    build_folder: Path,
) -> None:
    run = build_folder / "tiny" / "03-cosim" / "serial-icarus" / "images-0"
    run.mkdir(parents=True)
    log = run / "log.txt"
    os.mkfifo(log)  # nobody reads it, so the simulator cannot be done before it is interrupted
    process = start(["cosim", quick, "--build", build_folder])
    while process.poll() is None and "vvp" not in running(process.pid).values():
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "")
    *talk, last = stderr.splitlines()
    assert talk == ["generating Verilog: 1 of 1"]
    assert last.startswith("interrupted; ")
    assert running(process.pid) == {}
    result = run / "result.npz"
    assert not result.exists()

    log.unlink()
    again = neuromix("cosim", quick, "--build", build_folder)
    assert again.exit_code == 0, again.stderr
    assert " 0 differences" in again.stdout
    with np.load(result) as saved:
        assert len(saved["sent"]) > 100


def test_interrupted_emission_says_one_line(
    start: Callable[..., "subprocess.Popen[str]"], quick: Path, tmp_path: Path
) -> None:
    process = start(["generate", quick, "--build", tmp_path])
    while process.poll() is None and not (tmp_path / "tiny" / "experiment.json").exists():
        time.sleep(0.01)
    time.sleep(0.1)
    os.killpg(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "")
    assert stderr == "interrupted; finished steps are kept, and the next run goes on from there\n"
    assert not (tmp_path / "tiny" / "01-rtl" / "serial" / "manifest.json").exists()
