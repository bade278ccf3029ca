"""`neuromix calibrate`: what trimming is worth, and the hardware that does it held against its twin."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from ..config import ExperimentConfig
from ..config.experiment import BackEnds
from ..flow import run_experiment
from ..report.collect import agreement_of
from ..report.notation import percent, significant
from ..report.render import agreement_lines
from ..report.summary import Accuracy
from ..trimming import TrimmingSummary, summarise, trim_chips
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
    Simulator,
    read_experiment,
)
from .verdict import stop_if_different

__all__ = ["calibrate"]

LIMIT_BELOW = 0.01
"""By default a good chip is at most one point less accurate than the integer network."""

Chips = Annotated[
    int, typer.Option("--chips", metavar="N", min=1, help="How many chips are drawn for the golden model.")
]
Limit = Annotated[
    float | None,
    typer.Option(
        "--limit",
        metavar="PERCENT",
        min=0,
        max=100,
        help="Accuracy of a chip that is good enough.",
        show_default="a point below the integer network",
    ),
]


def calibrate(
    experiment: Experiment,
    chips: Chips = 100,
    limit: Limit = None,
    simulator: Simulator = None,
    seed: Seed = None,
    images: Images = None,
    data: DataFolder = None,
    build: BuildFolder = DEFAULT_BUILD,
    from_step: FromStep = None,
    as_json: Json = False,
) -> None:
    """Trim the analog neurons: one chip in its hardware, many in the golden model, before and after.

    The simulated chip calibrates itself after reset; trims and all events must be those of the golden model.
    Chip k of the golden model is the one that seed + k gives.
    """
    config = _calibrated(read_experiment(experiment, seed=seed, images=images, data=data))
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
        prepared = outcome.experiment
        plan = prepared.back_ends["mixed_signal"].calibration
        if plan is None:
            raise ValueError("calibrate: the mixed-signal chip must be calibrated, got one that is not")
        drawn = []
        for chip in trim_chips(prepared, plan, range(config.seed, config.seed + chips)):
            drawn.append(chip)
            progress("trimming chips", len(drawn), chips)
    labels = prepared.labels
    integer = float(np.mean(prepared.quantized.classify(prepared.codes) == labels))
    good = integer - LIMIT_BELOW if limit is None else limit / 100
    found = {
        "untrimmed": summarise([chip.untrimmed for chip in drawn], good),
        "trimmed": summarise([chip.trimmed for chip in drawn], good),
    }
    if as_json:
        conditions = {"images": len(labels), "integer_accuracy": integer, "limit": good}
        print_json(conditions | {name: asdict(summary) for name, summary in found.items()})
    else:
        title = f"{config.title}: {chips} chips, {len(labels)} images, integer network {percent(integer)}"
        Console().print(_table(title, found, good))
        print(*agreement_lines([agreement_of(run, len(labels)) for run in outcome.runs]), sep="\n")
    stop_if_different((run.name, run) for run in outcome.runs)


def _calibrated(config: ExperimentConfig) -> ExperimentConfig:
    """Return the experiment with the mixed-signal back end alone, and with calibration in it."""
    calibrated = {"calibrate": True, "neuron": config.converting_neuron}  # spiking ones have no trims
    back_ends = BackEnds(mixed_signal=config.mixed_signal.model_copy(update=calibrated))
    return config.model_copy(update={"name": f"{config.name}-calibrated", "back_ends": back_ends})


def _table(title: str, found: Mapping[str, TrimmingSummary], good: float) -> Table:
    table = Table("", title=title, title_justify="left")
    for heading in ("mean", "worst", f"yield at {percent(good)}", "offset rms", "gain spread"):
        table.add_column(heading, justify="right")
    for name, summary in found.items():
        passing = Accuracy(correct=summary.n_good, total=len(summary.accuracies))
        low, high = passing.interval
        table.add_row(
            name,
            percent(summary.mean),
            percent(summary.worst),
            f"{percent(passing.fraction, 0)} ({100 * low:.0f} to {100 * high:.0f})",
            f"{significant(summary.offset_rms_lsb, 2)} LSB",
            f"{significant(100 * summary.gain_deviation, 2)} %",
        )
    return table
