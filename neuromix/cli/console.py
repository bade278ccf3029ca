"""What goes where: results to stdout, talk and progress to stderr."""

import json
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars
from rich.table import Column

from ..flow import Progress

__all__ = ["print_json", "progress_report", "talk"]


def talk(message: str) -> None:
    """Say ``message`` to the person, not to the program that reads the results."""
    print(message, file=sys.stderr)


def print_json(value: object) -> None:
    """Print ``value`` as JSON, the result of a command."""
    print(json.dumps(value, indent=2))


@contextmanager
def progress_report() -> Iterator[Progress]:
    """Show a bar for each action on a terminal, and one line for each finished action elsewhere."""
    if not sys.stderr.isatty():
        yield _say_when_finished
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=12),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[under_way]}", style="dim", table_column=Column(no_wrap=True, ratio=1)),
    )
    with Bars(*columns, console=Console(stderr=True), expand=True) as bars:
        tasks = {}

        def show(action: str, done: int, total: int, under_way: Collection[str] = ()) -> None:
            if action not in tasks:
                tasks[action] = bars.add_task(action, under_way="")
            bars.update(tasks[action], completed=done, total=total, under_way=", ".join(under_way))

        yield show


def _say_when_finished(action: str, done: int, total: int, under_way: Collection[str] = ()) -> None:
    if done == total:
        talk(f"{action}: {total} of {total}")
