"""`neuromix cosim`: the generated chips in a simulator, held against the golden model."""

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
from rich.console import Console
from rich.table import Table

from ..agreement import SimulatedRun
from ..flow import Outcome, run_experiment
from ..report.collect import agreement_of
from ..report.notation import back_end_label, grouped, percent
from ..report.render import agreement_lines
from ..report.summary import Accuracy
from .console import print_json, progress_report
from .options import (
    DEFAULT_BUILD,
    BridgeName,
    BuildFolder,
    DataFolder,
    Experiment,
    FromStep,
    Images,
    Json,
    Seed,
    Simulator,
    Waves,
    WaveWindow,
    read_experiment,
)
from .verdict import stop_if_different

__all__ = ["cosim"]


def cosim(
    experiment: Experiment,
    simulator: Simulator = None,
    bridge: BridgeName = None,
    seed: Seed = None,
    images: Images = None,
    data: DataFolder = None,
    build: BuildFolder = DEFAULT_BUILD,
    from_step: FromStep = None,
    waves: Waves = False,
    window: WaveWindow = None,
    as_json: Json = False,
) -> None:
    """Classify the test images on the simulated chips; compare every event with the golden model."""
    config = read_experiment(experiment, seed=seed, images=images, data=data, bridge=bridge)
    with progress_report() as progress:
        outcome = run_experiment(
            config,
            build,
            command="",
            progress=progress,
            from_step=from_step,
            until="cosim",
            simulators=[simulator] if simulator else [],
            waves=window or waves,
        )
    labels = outcome.experiment.labels
    accuracies = [
        Accuracy(correct=int(np.count_nonzero(run.predictions == labels)), total=len(labels))
        for run in outcome.runs
    ]
    if as_json:
        facts = [_facts(*pair) for pair in zip(outcome.runs, accuracies, strict=True)]
        for entry in facts if outcome.waves else ():
            entry["waves"] = str(outcome.waves[str(entry["back_end"])])
        print_json(facts)
    else:
        Console().print(_table(outcome, accuracies))
        agreements = [agreement_of(run, len(labels)) for run in outcome.runs]
        print(*agreement_lines(agreements), *outcome.waves.values(), sep="\n")
    stop_if_different((run.name, run) for run in outcome.runs)


def _facts(run: SimulatedRun, accuracy: Accuracy) -> dict[str, object]:
    low, high = accuracy.interval
    return asdict(agreement_of(run, accuracy.total)) | {
        "accuracy": accuracy.fraction,
        "accuracy_low": low,
        "accuracy_high": high,
        "cycles": run.cycles,
    }


def _table(outcome: Outcome, accuracies: Sequence[Accuracy]) -> Table:
    table = Table("back end", "simulator", title=outcome.experiment.config.title, title_justify="left")
    for heading in ("accuracy", "95 % interval", "cycles"):
        table.add_column(heading, justify="right")
    for run, accuracy in zip(outcome.runs, accuracies, strict=True):
        low, high = accuracy.interval
        table.add_row(
            back_end_label(run.back_end),
            run.simulator,
            percent(accuracy.fraction),
            f"{100 * low:.1f} to {100 * high:.1f}",
            grouped(run.cycles),
        )
    return table
