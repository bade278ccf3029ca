"""What is wrong with an experiment file, and where."""

from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["OVERRIDE", "ExperimentError", "Place", "Problem"]


class Place(NamedTuple):
    """Where something is written: a file, or a line and column of it, both counted from 1."""

    source: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}:{self.column}" if self.line else self.source


OVERRIDE = Place("override")
"""Place of what was not read from the file but given beside it, such as ``--seed``."""


class Problem(NamedTuple):
    """One thing to mend: where it is, which key it is about (may be empty), and what must be instead."""

    place: Place
    path: str
    message: str

    def __str__(self) -> str:
        return ": ".join(filter(None, (str(self.place), self.path, self.message)))


class ExperimentError(ValueError):
    """An experiment cannot be used; ``problems`` holds everything that is wrong, in the file's order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        in_file_order = sorted(problems, key=lambda problem: (problem.place == OVERRIDE, problem.place))
        self.problems: tuple[Problem, ...] = tuple(in_file_order)
        super().__init__("\n".join(map(str, self.problems)))
