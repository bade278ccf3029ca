"""`neuromix run`: the whole experiment, from file to report."""

from rich.console import Console

from ..flow import run_experiment
from ..report.render import agreement_lines, load_report, summary_table
from ..report.summary import to_json
from .console import progress_report
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
    retyped,
)
from .verdict import stop_if_different

__all__ = ["run"]


def run(
    experiment: Experiment,
    seed: Seed = None,
    images: Images = None,
    data: DataFolder = None,
    build: BuildFolder = DEFAULT_BUILD,
    from_step: FromStep = None,
    as_json: Json = False,
) -> None:
    """Generate the Verilog, co-simulate it, estimate its energy and write the report."""
    config = read_experiment(experiment, seed=seed, images=images, data=data)
    command = retyped("run", experiment, seed=seed, images=images, data=data)
    with progress_report() as progress:
        outcome = run_experiment(config, build, command=command, progress=progress, from_step=from_step)
    report = load_report(outcome.folder)
    if as_json:
        print(to_json(report), end="")
    else:
        Console().print(summary_table(report))
        print(*agreement_lines(report.agreements), sep="\n")
        print(outcome.folder / "report.html")
    stop_if_different((run.name, run) for run in outcome.runs)
