"""Arguments and options that several commands share, and the experiment they ask for."""

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from cosim.boundary import BRIDGES, Bridge
from cosim.simulator import SIMULATORS, SimulatorName
from cosim.waves import Window

from ..config import ExperimentConfig, find_experiment, load_experiment
from ..flow import STEPS, StepName

__all__ = [
    "DEFAULT_BUILD",
    "BridgeName",
    "BuildFolder",
    "DataFolder",
    "Experiment",
    "FromStep",
    "Images",
    "Json",
    "Limit",
    "Seed",
    "Simulator",
    "WaveWindow",
    "Waves",
    "one_of",
    "read_experiment",
    "retyped",
]


def one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    """Return a parser that takes one of ``choices``."""

    def parse(text: str) -> str:
        if text not in choices:
            raise typer.BadParameter(f"must be one of {', '.join(choices)}, got {text!r}")
        return text

    return parse


def _window(text: str) -> Window:
    try:
        return Window.parse(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"must be a whole number, got {text!r}") from None


Experiment = Annotated[
    str,
    typer.Argument(metavar="EXPERIMENT", help="Shipped experiment (see `neuromix list`) or a .yaml file."),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed",
        metavar="N",
        parser=_whole_number,
        help="Source of all randomness.",
        show_default="as in the file",
    ),
]
Images = Annotated[
    str | None,
    typer.Option(
        "--images",
        metavar="N|all",
        help="How many test images are classified.",
        show_default="as in the file",
    ),
]
DataFolder = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FOLDER",
        help="IDX files to take the images from.",
        show_default="as in the file",
    ),
]
BuildFolder = Annotated[
    Path,
    typer.Option("--build", metavar="FOLDER", help="Results go to a folder of it, named as the experiment."),
]
DEFAULT_BUILD = Path("build")
FromStep = Annotated[
    StepName | None,
    typer.Option(
        "--from",
        metavar="STEP",
        parser=one_of(STEPS),
        help=f"Do this step and all after it again: {', '.join(STEPS)}.",
        show_default="the first step that is not up to date",
    ),
]
Simulator = Annotated[
    SimulatorName | None,
    typer.Option(
        "--simulator",
        metavar="NAME",
        parser=one_of(SIMULATORS),
        help=f"Run every back end on this one: {', '.join(SIMULATORS)}.",
        show_default="as in the file",
    ),
]
BridgeName = Annotated[
    Bridge | None,
    typer.Option(
        "--bridge",
        metavar="NAME",
        parser=one_of(BRIDGES),
        help=f"How Verilator meets the analog arrays: {', '.join(BRIDGES)}.",
        show_default="as in the file",
    ),
]
Waves = Annotated[
    bool,
    typer.Option(
        "--waves",
        help="Also trace a few time steps: digital nets and analog voltages in one VCD per back end, and "
        "files that open it in GTKWave and Surfer. On Icarus, unless --simulator names another.",
    ),
]
WaveWindow = Annotated[
    Window | None,
    typer.Option(
        "--window",
        metavar="FIRST:LAST",
        parser=_window,
        help="Time steps that --waves shows; an image enters in each. Asks for waves as well.",
        show_default="the first image on its way through the chip",
    ),
]
Limit = Annotated[
    float, typer.Option("--limit", metavar="X", min=0, max=1, help="Accuracy from which on a chip is good.")
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def read_experiment(
    experiment: str,
    *,
    seed: int | None = None,
    images: str | None = None,
    data: Path | None = None,
    bridge: Bridge | None = None,
) -> ExperimentConfig:
    """Return the experiment that the command line asks for; options come before the file.

    Raises ExperimentError with every problem of file and options.
    """
    overrides: dict[str, object] = {}
    if seed is not None:
        overrides["seed"] = seed
    if images is not None:
        overrides["images"] = int(images) if images.lstrip("-").isdecimal() else images
    if data is not None:
        overrides["data"] = {"kind": "idx", "path": str(data.absolute())}
    if bridge is not None:
        overrides["cosim.bridge"] = bridge
    return load_experiment(find_experiment(experiment), overrides)


def retyped(
    command: str,
    experiment: str,
    *,
    seed: int | None = None,
    images: str | None = None,
    data: Path | None = None,
) -> str:
    """Return what to type to run the same again."""
    options = (("--seed", seed), ("--images", images), ("--data", data))
    words = [str(word) for option, value in options if value is not None for word in (option, value)]
    return shlex.join(["neuromix", command, experiment, *words])
