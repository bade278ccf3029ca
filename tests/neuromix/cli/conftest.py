"""The command line in this process, and in one of its own."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from neuromix.cli import app

Neuromix = Callable[..., Result]

COMMAND = [
    sys.executable,
    "-c",
    "import sys; sys.argv[0] = 'neuromix'; from neuromix.cli import main; main()",
]


@pytest.fixture(scope="session")
def neuromix() -> Neuromix:
    """``neuromix("run", path, "--json")`` runs the command line here and returns what came of it."""

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(app, [str(argument) for argument in arguments])
        assert isinstance(result.exception, SystemExit | None), result.exc_info
        return result

    return invoke


@pytest.fixture(scope="session")
def start() -> Callable[[Sequence[object]], "subprocess.Popen[str]"]:
    """``start(["run", path])`` starts the command line in a process group of its own."""

    def popen(arguments: Sequence[object]) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            cwd=Path(__file__).parents[3],
        )

    return popen
