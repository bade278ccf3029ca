"""Arguments and options that several commands share, and the experiment they ask for."""

import shlex
from pathlib import Path
from typing import Annotated

import typer

from ..config import ExperimentConfig, find_experiment, load_experiment
from ..flow import StepName

__all__ = [
    "DEFAULT_BUILD",
    "BuildFolder",
    "DataFolder",
    "Experiment",
    "FromStep",
    "Images",
    "Json",
    "Seed",
    "read_experiment",
    "retyped",
]

Experiment = Annotated[
    str,
    typer.Argument(metavar="EXPERIMENT", help="Shipped experiment (see `neuromix list`) or a .yaml file."),
]
Seed = Annotated[
    int | None, typer.Option("--seed", help="Source of all randomness.", show_default="as in the file")
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
        help="Do this step and all after it again.",
        show_default="the first step that is not up to date",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def read_experiment(
    experiment: str, *, seed: int | None = None, images: str | None = None, data: Path | None = None
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
