"""`neuromix reproduce`: published claims, each held against what the models say."""

import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..claims.page import claim_table, to_dict
from ..claims.reproduce import DataFolders
from ..claims.reproduce import reproduce as check_claims
from ..claims.study import load_study
from ..claims.verdict import GROUPS, Group
from .console import print_json, progress_report
from .options import DEFAULT_BUILD, BuildFolder, Json, Seed, one_of

__all__ = ["reproduce"]


def reproduce(
    study: Annotated[
        str, typer.Argument(metavar="STUDY", help="Shipped study, chatterjee2019, or a .yaml file.")
    ],
    claim: Annotated[
        str | None,
        typer.Option(
            "--claim",
            metavar="GROUP",
            parser=one_of(GROUPS),
            help=f"Check these claims alone: {', '.join(GROUPS)}.",
            show_default="all",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer chips and images: a look, in minutes.")
    ] = False,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="FOLDER", help="IDX files of MNIST.", show_default="none"),
    ] = None,
    cifar10: Annotated[
        Path | None,
        typer.Option("--cifar10", metavar="FOLDER", help="Binary files of CIFAR-10.", show_default="none"),
    ] = None,
    cifar10_network: Annotated[
        Path | None,
        typer.Option(
            "--cifar10-network",
            metavar="FILE",
            help="Network trained on CIFAR-10 (.npz).",
            show_default="none",
        ),
    ] = None,
    seed: Seed = None,
    build: BuildFolder = DEFAULT_BUILD,
    as_json: Json = False,
) -> None:
    """Check published claims: what is stated, what is found, a verdict, and the report."""
    loaded = load_study(study)
    if seed is not None:
        loaded = loaded.model_copy(update={"seed": seed})
    if cifar10_network is not None:
        loaded = loaded.with_network("cifar10", str(cifar10_network))
    if quick:
        loaded = loaded.quick()
    options = (
        ("--claim", claim),
        ("--data", data),
        ("--cifar10", cifar10),
        ("--cifar10-network", cifar10_network),
        ("--seed", seed),
    )
    words = [str(word) for option, value in options if value is not None for word in (option, value)]
    groups: tuple[Group, ...] = tuple(group for group in GROUPS if claim in (None, group))
    with progress_report() as progress:
        report, page = check_claims(
            loaded,
            build,
            groups=groups,
            data=DataFolders(mnist=data, cifar10=cifar10),
            command=shlex.join(["neuromix", "reproduce", study, *words, *(["--quick"] if quick else [])]),
            quick=quick,
            progress=progress,
        )
    if as_json:
        print_json(to_dict(report))
        return
    Console().print(claim_table(report))
    print(", ".join(f"{name} {seconds:.0f} s" for name, seconds in report.seconds.items()))
    print(page)
