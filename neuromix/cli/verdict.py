"""What a command says, and how it ends, when a chip differs from the golden model."""

import typer

from ..flow import Outcome
from .console import talk

__all__ = ["FAILED", "stop_if_different"]

FAILED = 1
"""Exit code of an internal failure, and of a co-simulation that differs from the golden model."""


def stop_if_different(outcome: Outcome) -> None:
    """Say where chips differ from the golden model and exit with FAILED; return if none does."""
    if outcome.agreeing:
        return
    for run in outcome.runs:
        comparison = run.comparison
        if not comparison.equal:
            talk(
                f"{run.back_end} on {run.simulator}: {comparison.differences} differences "
                f"in {comparison.events_compared} events, {comparison.lost} lost, "
                f"{comparison.duplicated} duplicated"
            )
            for line in comparison.located:
                talk(f"  {line}")
    raise typer.Exit(FAILED)
