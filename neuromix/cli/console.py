"""What goes where: results to stdout, talk and progress to stderr."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

__all__ = ["ProgressReport", "print_json", "progress_report", "talk"]


class ProgressReport(Protocol):
    """What a long computation calls to say how far it is."""

    def __call__(self, action: str, done: int, total: int) -> None:
        """Say that ``done`` of ``total`` items of ``action`` are finished."""


def talk(message: str) -> None:
    """Say ``message`` to the person, not to the program that reads the results."""
    print(message, file=sys.stderr)


def print_json(value: object) -> None:
    """Print ``value`` as JSON, the result of a command."""
    print(json.dumps(value, indent=2))


@contextmanager
def progress_report() -> Iterator[ProgressReport]:
    """Show a bar for each action on a terminal, and one line for each finished action elsewhere."""
    if not sys.stderr.isatty():
        yield _say_when_finished
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks = {}

        def show(action: str, done: int, total: int) -> None:
            if action not in tasks:
                tasks[action] = bars.add_task(action)
            bars.update(tasks[action], completed=done, total=total)

        yield show


def _say_when_finished(action: str, done: int, total: int) -> None:
    if done == total:
        talk(f"{action}: {total} of {total}")
