"""`neuromix energy`: where the energy of every back end goes."""

from rich.console import Console
from rich.table import Table

from ..flow import run_experiment
from ..report.notation import back_end_label, significant
from .console import print_json, progress_report
from .options import (
    DEFAULT_BUILD,
    BuildFolder,
    DataFolder,
    Experiment,
    FromStep,
    Json,
    Seed,
    read_experiment,
)
from .verdict import stop_if_different

__all__ = ["energy"]


def energy(
    experiment: Experiment,
    seed: Seed = None,
    data: DataFolder = None,
    build: BuildFolder = DEFAULT_BUILD,
    from_step: FromStep = None,
    as_json: Json = False,
) -> None:
    """Count the toggles of the simulated chips and price them; co-simulate first, if that is not done."""
    config = read_experiment(experiment, seed=seed, data=data)
    with progress_report() as progress:
        outcome = run_experiment(
            config, build, command="", progress=progress, from_step=from_step, until="energy"
        )
    if as_json:
        print_json({name: report.to_dict() for name, report in outcome.energies.items()})
        stop_if_different((run.name, run) for run in outcome.runs)
        return
    picojoules = {
        name: {key: 1e12 * joules / report.n_inferences for key, joules in report.by_component.items()}
        for name, report in outcome.energies.items()
    }
    table = Table("pJ per inference", title=config.title, title_justify="left")
    for name in picojoules:
        table.add_column(back_end_label(name), justify="right")
    for component in dict.fromkeys(key for items in picojoules.values() for key in items):
        cells = (items.get(component) for items in picojoules.values())
        table.add_row(component.replace("_", " "), *("" if pj is None else significant(pj) for pj in cells))
    table.add_section()
    table.add_row("total", *(significant(sum(items.values())) for items in picojoules.values()))
    shares = (f"{100 * report.annotated_share:.1f} %" for report in outcome.energies.values())
    table.add_row("nets counted", *shares)
    Console().print(table)
    stop_if_different((run.name, run) for run in outcome.runs)
