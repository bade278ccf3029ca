"""What a command says, and how it ends, when a chip differs from the golden model."""

from collections.abc import Iterable

import typer

from ..agreement import SimulatedRun
from .console import talk

__all__ = ["FAILED", "stop_if_different"]

FAILED = 1
"""Exit code of an internal failure, and of a co-simulation that differs from the golden model."""


def stop_if_different(runs: Iterable[tuple[str, SimulatedRun]]) -> None:
    """Say which of the named ``runs`` differ from the golden model, and where, and exit with FAILED.

    Returns if none does.
    """
    different = [(name, run.comparison) for name, run in runs if not run.comparison.equal]
    for name, comparison in different:
        talk(
            f"{name}: {comparison.differences} differences in {comparison.events_compared} events, "
            f"{comparison.lost} lost, {comparison.duplicated} duplicated"
        )
        for line in comparison.located:
            talk(f"  {line}")
    if different:
        raise typer.Exit(FAILED)
