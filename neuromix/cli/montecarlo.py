"""`neuromix montecarlo`: how accurate are many manufactured chips, and what costs them accuracy."""

import json
from os import cpu_count
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..config import ExperimentConfig
from ..experiment import prepare
from ..montecarlo.blocks import Problem
from ..montecarlo.study import SWEPT, Study, parse_sweep, run_study
from ..report.chips import chips_figure
from ..report.notation import grouped, percent
from .console import print_json, progress_report
from .options import (
    DEFAULT_BUILD,
    BuildFolder,
    DataFolder,
    Experiment,
    Images,
    Json,
    Limit,
    Seed,
    read_experiment,
)

__all__ = ["montecarlo"]

Chips = Annotated[int, typer.Option("--chips", metavar="N", min=1, help="How many chips are drawn.")]
Sweeps = Annotated[
    list[str] | None,
    typer.Option(
        "--sweep",
        metavar="WHAT=X,...",
        help=f"Multiply a spread or noise voltage by each factor: {', '.join(SWEPT)}; may be repeated.",
        show_default="none",
    ),
]
Budget = Annotated[bool, typer.Option("--budget/--no-budget", help="Take each flaw away in turn.")]
Exact = Annotated[
    bool, typer.Option("--exact", help="Evaluate by the golden model: slow; chip k is the one of seed k.")
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", min=1, help="Processes on this machine.", show_default="all processors"
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="ADDRESS",
        help="Dask scheduler whose workers do it instead, such as tcp://10.0.0.1:8786.",
        show_default="this machine",
    ),
]


def montecarlo(
    experiment: Experiment,
    chips: Chips = 1000,
    limit: Limit = 0.95,
    sweep: Sweeps = None,
    budget: Budget = True,
    exact: Exact = False,
    workers: Workers = None,
    scheduler: Scheduler = None,
    seed: Seed = None,
    images: Images = None,
    data: DataFolder = None,
    build: BuildFolder = DEFAULT_BUILD,
    as_json: Json = False,
) -> None:
    """Draw many chips: accuracy, yield at a limit, and what each flaw of the analog neurons costs."""
    sweeps = [parse_sweep(text) for text in sweep or ()]
    config = read_experiment(experiment, seed=seed, images=images, data=data)
    neuron = config.converting_neuron
    ready = prepare(config)
    folder = build / config.name / "montecarlo"
    with progress_report() as progress:
        study = run_study(
            Problem(
                network=ready.quantized,
                codes=ready.codes,
                labels=ready.labels,
                seed=config.seed,
                mapped=ready.mapped if exact else None,
            ),
            neuron,
            n_chips=chips,
            limit=limit,
            sweeps=sweeps,
            budget=budget,
            folder=folder / "blocks",
            workers=workers or cpu_count() or 1,
            scheduler=scheduler,
            finished=lambda done, total: progress("drawing chips", done, total),
        )
    facts = {"experiment": config.name, "seed": config.seed, "exact": exact, **study.to_dict()}
    (folder / "montecarlo.json").write_text(json.dumps(facts, indent=2) + "\n")
    (folder / "montecarlo.csv").write_text(study.to_csv())
    (folder / "accuracy.svg").write_text(chips_figure(study) + "\n")
    if as_json:
        print_json(facts)
        return
    Console().print(_table(config, study))
    print(f"a chip without flaws: {percent(study.ideal, 2)}")
    print(folder / "accuracy.svg")


def _table(config: ExperimentConfig, study: Study) -> Table:
    chips, images = len(study.found[0].correct), study.found[0].n_images
    title = f"{config.title or config.name}: {grouped(chips)} chips, {grouped(images)} images"
    table = Table("case", title=title, title_justify="left", caption_justify="left")
    for heading in ("mean", "σ", "worst", "yield", "95 %", "regained"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in study.rows():
        mean, deviation, worst, share, low, high, regained, error = (
            100 * row[name]
            for name in (
                "mean",
                "deviation",
                "worst",
                "yield",
                "yield_low",
                "yield_high",
                "regained",
                "regained_error",
            )
        )
        table.add_row(
            row["label"],
            f"{mean:.2f}",
            f"{deviation:.2f}",
            f"{worst:.2f}",
            f"{share:.1f}",
            f"{low:.1f}-{high:.1f}",
            "" if row["kind"] == "design" else f"{regained:+.2f} ± {error:.2f}",
        )
    table.caption = f"all in %; yield at an accuracy of {percent(study.limit)}, with its 95 % interval"
    return table
