"""`neuromix cosim`: the generated chips in a simulator, held against the golden model."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from cosim.simulator import SimulatorName

from ..agreement import SimulatedRun
from ..flow import Outcome, run_experiment
from ..report.collect import agreement_of
from ..report.notation import back_end_label, grouped, percent
from ..report.render import agreement_lines
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
    accuracies = {}
    for name, reference in outcome.references.items():
        correct = int(np.count_nonzero(reference.predictions == outcome.experiment.labels))
        accuracies[name] = Accuracy(correct=correct, total=len(outcome.experiment.labels))
    if as_json:
        print_json([_facts(run, accuracies[run.back_end]) for run in outcome.runs])
    else:
        Console().print(_table(outcome, accuracies))
        agreements = [agreement_of(run, len(outcome.experiment.labels)) for run in outcome.runs]
        print(*agreement_lines(agreements), sep="\n")
    stop_if_different(outcome)


def _facts(run: SimulatedRun, accuracy: Accuracy) -> dict[str, object]:
    low, high = accuracy.interval
    return asdict(agreement_of(run, accuracy.total)) | {
        "accuracy": accuracy.fraction,
        "accuracy_low": low,
        "accuracy_high": high,
        "cycles": int(run.result.step_cycles[-1]),
    }


def _table(outcome: Outcome, accuracies: Mapping[str, Accuracy]) -> Table:
    table = Table("back end", "simulator", title=outcome.experiment.config.title, title_justify="left")
    for heading in ("accuracy", "95 % interval", "cycles"):
        table.add_column(heading, justify="right")
    for run in outcome.runs:
        accuracy = accuracies[run.back_end]
        low, high = accuracy.interval
        table.add_row(
            back_end_label(run.back_end),
            run.simulator,
            percent(accuracy.fraction),
            f"{100 * low:.1f} to {100 * high:.1f}",
            grouped(int(run.result.step_cycles[-1])),
        )
    return table
