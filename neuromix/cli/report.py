"""`neuromix report`: the report of a run that is finished, drawn again from its data."""

from rich.console import Console

from ..report.render import agreement_lines, load_report, summary_table, write_report
from ..report.summary import to_json
from .options import DEFAULT_BUILD, BuildFolder, Experiment, Json, read_experiment

__all__ = ["report"]


def report(experiment: Experiment, build: BuildFolder = DEFAULT_BUILD, as_json: Json = False) -> None:
    """Render the report again from report.json, which `neuromix run` leaves."""
    folder = build / read_experiment(experiment).name
    data, again = folder / "report.json", f"make it with `neuromix run {experiment}`"
    if not data.is_file():
        raise ValueError(f"{data}: must exist, got nothing; {again}")
    try:
        found = load_report(folder)
    except ValueError as error:
        raise ValueError(
            f"{data}: must be what `neuromix run` leaves, got something else; {again}"
        ) from error
    path = write_report(found, folder)
    if as_json:
        print(to_json(found), end="")
        return
    Console().print(summary_table(found))
    print(*agreement_lines(found.agreements), sep="\n")
    print(path)
