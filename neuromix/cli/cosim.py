"""`neuromix cosim`: the generated chips in a simulator, held against the golden model."""

from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from cosim.simulator import SimulatorName

from ..flow import run_experiment
from ..report.notation import back_end_label, grouped, percent
from ..report.summary import Accuracy
from .console import print_json, progress_report
from .options import (
    DEFAULT_BUILD,
    BuildFolder,
    DataFolder,
    Experiment,
    FromStep,
    Images,
    Json,
    Seed,
    read_experiment,
)
from .verdict import stop_if_different

__all__ = ["cosim"]

Simulator = Annotated[
    SimulatorName | None,
    typer.Option("--simulator", help="Run every back end on this one.", show_default="as in the file"),
]


def cosim(
    experiment: Experiment,
    simulator: Simulator = None,
    seed: Seed = None,
    images: Images = None,
    data: DataFolder = None,
    build: BuildFolder = DEFAULT_BUILD,
    from_step: FromStep = None,
    as_json: Json = False,
) -> None:
    """Classify the test images on the simulated chips; compare every event with the golden model."""
    config = read_experiment(experiment, seed=seed, images=images, data=data)
    with progress_report() as progress:
        outcome = run_experiment(
            config,
            build,
            command="",
            progress=progress,
            from_step=from_step,
            until="cosim",
            simulators=[simulator] if simulator else [],
        )
    labels = outcome.experiment.labels
    rows = []
    for run in outcome.runs:
        correct = int(np.count_nonzero(outcome.references[run.back_end].predictions == labels))
        accuracy = Accuracy(correct=correct, total=len(labels))
        low, high = accuracy.interval
        rows.append(
            {
                "back_end": run.back_end,
                "simulator": run.simulator,
                "accuracy": accuracy.fraction,
                "accuracy_low": low,
                "accuracy_high": high,
                "images": accuracy.total,
                "cycles": int(run.result.step_cycles[-1]),
                "events_compared": run.comparison.events_compared,
                "differences": run.comparison.differences,
                "events_sent": run.comparison.events_sent,
                "events_received": run.comparison.events_received,
                "lost": run.comparison.lost,
                "duplicated": run.comparison.duplicated,
            }
        )
    if as_json:
        print_json(rows)
    else:
        Console().print(_table(rows))
    stop_if_different(outcome)


def _table(rows: list[dict[str, object]]) -> Table:
    counts = ("cycles", "events_sent", "events_received", "lost", "duplicated", "differences")
    table = Table("back end", "simulator", "accuracy (95 %)")
    for count in counts:
        table.add_column(count.removeprefix("events_"), justify="right")
    for row in rows:
        interval = f"{percent(row['accuracy'])} ({percent(row['accuracy_low'])} to {percent(row['accuracy_high'])})"
        table.add_row(
            back_end_label(row["back_end"]),
            row["simulator"],
            interval,
            *(grouped(row[count]) for count in counts),
        )
    return table
