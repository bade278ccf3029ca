"""`neuromix characterize`: the analog cell in ngspice, and the numpy model beside it."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from analog_models.mdac import TOPOLOGIES
from analog_models.neuron import MixedSignalNeuronParameters
from analog_models.views.spice import BUILT_IN_CARD, Card

from ..characterize.fit import Residual
from ..characterize.points import Condition, Plan
from ..characterize.run import Characterization
from ..characterize.run import characterize as run_characterization
from .console import print_json, progress_report, talk
from .options import DEFAULT_BUILD, BuildFolder, Json, read_experiment

__all__ = ["characterize"]

DEFAULT_NAME = "cell"
"""Folder of a characterization without an experiment."""

LABELS = {
    "device": ("V_GS of a unit (mV)", 1e3),
    "transfer": ("transfer, node (% FS)", 100),
    "activation": ("transfer, pair (% FS)", 100),
    "settling": ("settling time (%)", 100),
    "noise": ("noise power (%)", 100),
    "mismatch": ("mismatch sigma (%)", 100),
    "energy": ("energy (%)", 100),
    "energy_fast": ("energy, short (%)", 100),
}
"""What the rows of the table are called, and the factor of their unit; FS is full scale."""


def characterize(
    experiment: Annotated[
        str | None,
        typer.Argument(
            metavar="[EXPERIMENT]",
            help="Take the neuron of this experiment.",
            show_default="the default neuron",
        ),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option("--card", metavar="FILE", help="BSIM4 models.", show_default="the project's 65 nm card"),
    ] = None,
    nmos: Annotated[
        str, typer.Option("--nmos", metavar="NAME", help="Name of the n-channel model in --card.")
    ] = "nmos",
    pmos: Annotated[
        str, typer.Option("--pmos", metavar="NAME", help="Name of the p-channel model in --card.")
    ] = "pmos",
    corners: Annotated[
        str, typer.Option("--corners", metavar="NAMES", help="Corners; the first is fitted.")
    ] = "tt,ff,ss",
    temperatures: Annotated[
        str, typer.Option("--temperatures", metavar="DEGC", help="Temperatures; the first is fitted.")
    ] = "27,0,85",
    topology: Annotated[
        str | None,
        typer.Option(
            "--topology",
            metavar="NAME",
            help=f"Structure of the cell: {', '.join(TOPOLOGIES)}.",
            show_default="the neuron's own",
        ),
    ] = None,
    cells: Annotated[
        int, typer.Option("--cells", metavar="N", min=2, help="Cells drawn for the mismatch.")
    ] = Plan.cells,
    seed: Annotated[int, typer.Option("--seed", metavar="N", min=0, help="Source of the drawn cells.")] = 1,
    build: BuildFolder = DEFAULT_BUILD,
    as_json: Json = False,
) -> None:
    """Measure the analog cell in ngspice, fit the process, and print what the model misses the rest by."""
    name, parameters = DEFAULT_NAME, MixedSignalNeuronParameters()
    if experiment is not None:
        config = read_experiment(experiment)
        name, parameters = config.name, config.converting_neuron
    step = "characterize"
    if topology is not None:
        parameters, step = dataclasses.replace(parameters, topology=topology), f"characterize-{topology}"
    conditions = [
        Condition(corner_name=corner, celsius=celsius)
        for corner in _words("corners", corners)
        for celsius in _numbers("temperatures", temperatures)
    ]
    folder = build / name / step
    with progress_report() as progress:
        found = run_characterization(
            parameters,
            BUILT_IN_CARD if card is None else Card(path=card, nmos=nmos, pmos=pmos),
            conditions,
            folder,
            seed=seed,
            plan=Plan(cells=cells),
            progress=progress,
        )
    if as_json:
        print_json(found.to_dict())
        return
    _print(found)
    talk(f"to be pasted into an experiment: {folder / 'neuron.yaml'}")
    print(folder / "characterization.json")


def _words(option: str, text: str) -> list[str]:
    words = [word.strip() for word in text.split(",")]
    if not all(words) or len(set(words)) < len(words):
        raise ValueError(f"--{option}: must be different ones with commas between, got {text!r}")
    return words


def _numbers(option: str, text: str) -> list[float]:
    try:
        return [float(word) for word in _words(option, text)]
    except ValueError:
        raise ValueError(f"--{option}: must be different numbers, got {text!r}") from None


def _print(found: Characterization) -> None:
    names = ", ".join(condition.name for condition in found.conditions)
    topology = found.model.parameters.topology
    print(f"model of a {topology} cell against ngspice with {found.card} in {names}")
    table = Table("residual, rms", "design", "fitted", "held out", "worst", "target", "")
    for row in sorted(found.rows, key=lambda row: list(LABELS).index(row.quantity)):
        label, factor = LABELS[row.quantity]
        table.add_row(label, *(_cell(value, factor) for value in _values(row)), row.verdict or "")
    for quantity in found.without_meaning:
        table.add_row(LABELS[quantity][0], *[""] * 5, "none")
    Console().print(table)
    for quantity, reason in found.without_meaning.items():
        print(f"{LABELS[quantity][0].partition(' (')[0]}: none, because {reason}")
    mismatch = found.mismatch
    print(
        f"sigma of a unit: {100 * mismatch.measured:.2f} % "
        f"(standard error {100 * mismatch.standard_error * mismatch.measured:.2f} %), "
        f"{100 * mismatch.fitted:.2f} % by the model"
    )
    print(
        f"noise over kT/C: {found.model.noise_rest:.2f} at rest, "
        f"{found.noise_factor:.2f} on average over codes and weights"
    )


def _values(row: Residual) -> tuple[float | None, ...]:
    return row.uncalibrated, row.fitted, row.held_out, row.worst, row.target


def _cell(value: float | None, factor: float) -> str:
    return "" if value is None else f"{factor * value:.2f}"
