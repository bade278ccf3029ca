"""ngspice as a program: find it, let it run a deck in a folder, say what it said when it refuses."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["NgspiceError", "NgspiceNotFoundError", "find_ngspice", "read_table", "run_deck"]

_COMPLAINT = re.compile(r"error|can't find|cannot|undefined|undef|no such|aborted|singular", re.IGNORECASE)
_SAID = 6
"""Lines of ngspice's complaint that are shown."""


class NgspiceNotFoundError(RuntimeError):
    """The program ngspice is not installed."""


class NgspiceError(RuntimeError):
    """ngspice refused a deck or a model card; the message has its own words."""


def find_ngspice() -> str:
    """Return the path of ngspice; raise NgspiceNotFoundError that says how to get it."""
    if path := shutil.which("ngspice"):
        return path
    raise NgspiceNotFoundError("ngspice: program must be on the PATH, got none; install the package ngspice")


def run_deck(deck: Path) -> None:
    """Run the file ``deck`` in its folder, on one core; ``<deck>.log`` keeps what ngspice says.

    Raises NgspiceNotFoundError, or NgspiceError with the first complaints when ngspice does not end well.
    """
    done = subprocess.run(
        [find_ngspice(), "-b", deck.name],
        cwd=deck.parent,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    log = deck.with_suffix(".log")
    log.write_text(done.stdout)
    if done.returncode:
        raise NgspiceError(f"ngspice: {_complaints(done.stdout)}\nthe whole log is {log}")


def read_table(path: Path, n_columns: int) -> NDArray[np.float64]:
    """Return the columns ``[column, row]`` that ngspice wrote with ``wrdata`` or ``echo``.

    Raises NgspiceError when the file is missing, has other columns or holds what is no finite number.
    """
    try:
        table = np.loadtxt(path, ndmin=2)
    except (OSError, ValueError) as error:
        raise NgspiceError(f"ngspice: {path} must be a table of numbers, got {error}") from error
    if not table.size or table.shape[1] != n_columns or not np.isfinite(table).all():
        raise NgspiceError(
            f"ngspice: {path} must have rows of {n_columns} finite numbers, got shape {table.shape}"
        )
    return table.T


def _complaints(output: str) -> str:
    lines = [" ".join(line.split()) for line in output.splitlines() if line.strip()]
    for index, line in enumerate(lines):
        if _COMPLAINT.search(line):
            return "; ".join(lines[index : index + _SAID])
    return "; ".join(lines[-_SAID:]) or "ended without a word"
