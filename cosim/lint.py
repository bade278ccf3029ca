"""What three independent tools say of emitted Verilog: Icarus, Verilator and Yosys, all warnings on."""

import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from rtl_gen.emit import CHIP_MODULE, RtlBundle

from .simulator import find_simulator

__all__ = ["LINTERS", "lint", "lint_files"]


def lint(bundle: RtlBundle, folder: Path) -> dict[str, tuple[str, ...]]:
    """Return per tool the warnings and errors about the chip in ``bundle``; see :func:`lint_files`."""
    return lint_files([*bundle.stubs, *bundle.sources], CHIP_MODULE, folder)


def lint_files(files: Sequence[Path], top: str, folder: Path) -> dict[str, tuple[str, ...]]:
    """Return per tool the warnings and errors about Verilog module ``top``; none is what we want.

    Warnings of Verilator that do not matter are waived in ``waivers.vlt``, each with its reason. ``folder``
    is for what the tools write. Yosys is left out where it is not installed.

    Raises SimulatorNotFoundError when Icarus or Verilator is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [str(path.resolve()) for path in files]
    return {
        name: run(paths, top, folder)
        for name, run in LINTERS.items()
        if name != "yosys" or shutil.which(name)
    }


def _icarus(files: list[str], top: str, folder: Path) -> tuple[str, ...]:
    command = [find_simulator("icarus"), "-g2005", "-Wall", "-s", top, "-o", "lint.vvp", *files]
    return _complaints(command, folder)


def _verilator(files: list[str], top: str, folder: Path) -> tuple[str, ...]:
    executable = find_simulator("verilator")
    waivers = resources.files("cosim").joinpath("waivers.vlt")
    command = [executable, "--lint-only", "-Wall", "--top-module", top, str(waivers), *files]
    root = {"VERILATOR_ROOT": str(Path(executable).parent.parent)}
    return tuple(line for line in _complaints(command, folder, root) if line.startswith("%"))


def _yosys(files: list[str], top: str, folder: Path) -> tuple[str, ...]:
    script = "; ".join(
        [
            *(f"read_verilog {file}" for file in files),
            f"hierarchy -check -top {top}",
            "proc",
            "check -assert",
        ]
    )
    return _complaints(["yosys", "-q", "-p", script], folder)


LINTERS: dict[str, Callable[[list[str], str, Path], tuple[str, ...]]] = {
    "icarus": _icarus,
    "verilator": _verilator,
    "yosys": _yosys,
}
"""The tools, by name."""


def _complaints(
    command: list[str], folder: Path, environment: dict[str, str] | None = None
) -> tuple[str, ...]:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.strip()]
    if done.returncode and not lines:
        lines = [f"{command[0]} ended with exit code {done.returncode}"]
    return tuple(lines)
