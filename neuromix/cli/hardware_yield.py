"""`neuromix yield`: many manufactured chips behind the same Verilog, simulated one by one."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from ..agreement import SimulatedRun
from ..experiment import prepare, with_chip
from ..flow import co_simulate_chips, generate
from ..report.notation import grouped, percent
from ..report.summary import Accuracy
from .console import print_json, progress_report
from .options import (
    DEFAULT_BUILD,
    BridgeName,
    BuildFolder,
    DataFolder,
    Experiment,
    Images,
    Json,
    Limit,
    Seed,
    Simulator,
    read_experiment,
)
from .verdict import stop_if_different

__all__ = ["hardware_yield"]

Chips = Annotated[int, typer.Option("--chips", metavar="N", min=1, help="How many chips are simulated.")]


def hardware_yield(
    experiment: Experiment,
    chips: Chips = 20,
    limit: Limit = 0.95,
    simulator: Simulator = None,
    bridge: BridgeName = None,
    seed: Seed = None,
    images: Images = None,
    data: DataFolder = None,
    build: BuildFolder = DEFAULT_BUILD,
    as_json: Json = False,
) -> None:
    """Simulate the Verilog of many manufactured chips: yield, and whether each is its golden model.

    Chip k is the one that seed + k gives. A design that can be calibrated is simulated twice: without trims,
    and with its trims in the trim registers.
    """
    config = read_experiment(experiment, seed=seed, images=images, data=data, bridge=bridge)
    states = ("untrimmed", "trimmed") if config.mixed_signal.calibrate else ("untrimmed",)
    folder = build / config.name / "yield"
    with progress_report() as progress:
        prepared = with_chip(prepare(config), config.seed)
        bundle = generate(prepared, folder / "rtl", progress)["mixed_signal"]
        runs = co_simulate_chips(
            prepared,
            {
                f"{state}-seed-{chip}": partial(with_chip, prepared, chip, trimmed=state == "trimmed")
                for state in states
                for chip in range(config.seed, config.seed + chips)
            },
            bundle,
            simulator or config.cosim.simulators[0],
            folder,
            build / "simulators",
            progress,
        )
    labels, found = prepared.labels, {}
    for state in states:
        of_state = [run for name, run in runs.items() if name.startswith(state)]
        found[state] = _facts(of_state, labels, limit)
    if as_json:
        print_json({"images": len(labels), "limit": limit, **found})
    else:
        title = (
            f"{config.title or config.name}: {chips} chips in {of_state[0].simulator}, {len(labels)} images"
        )
        Console().print(_table(title, found, limit))
        print(
            f"{grouped(sum(run.comparison.events_compared for run in runs.values()))} events compared, "
            f"{grouped(sum(run.comparison.differences for run in runs.values()))} differences"
        )
    stop_if_different(runs.items())


def _facts(runs: Sequence[SimulatedRun], labels: NDArray[np.int64], limit: float) -> dict[str, object]:
    accuracies = [float(np.mean(run.predictions == labels)) for run in runs]
    passing = Accuracy(correct=sum(accuracy >= limit for accuracy in accuracies), total=len(accuracies))
    low, high = passing.interval
    return {
        "accuracies": accuracies,
        "mean": float(np.mean(accuracies)),
        "worst": min(accuracies),
        "yield": passing.fraction,
        "yield_low": low,
        "yield_high": high,
        "equal_to_golden_model": sum(run.comparison.equal for run in runs),
    }


def _table(title: str, found: Mapping[str, Mapping[str, object]], limit: float) -> Table:
    table = Table("", title=title, title_justify="left")
    for heading in ("mean", "worst", f"yield at {percent(limit)}", "95 % interval", "equal to golden model"):
        table.add_column(heading, justify="right")
    for state, facts in found.items():
        mean, worst, share, low, high = (
            float(str(facts[name])) for name in ("mean", "worst", "yield", "yield_low", "yield_high")
        )
        table.add_row(
            state,
            percent(mean),
            percent(worst),
            percent(share, 0),
            f"{100 * low:.0f} to {100 * high:.0f}",
            str(facts["equal_to_golden_model"]),
        )
    return table
