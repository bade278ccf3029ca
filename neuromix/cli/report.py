"""`neuromix report`: the report of a run that is finished, drawn again from its data."""

from rich.console import Console

from ..report.render import agreement_lines, load_report, summary_table, write_report
from ..report.summary import to_json
from .options import DEFAULT_BUILD, BuildFolder, Experiment, Json, read_experiment

__all__ = ["report"]


def report(experiment: Experiment, build: BuildFolder = DEFAULT_BUILD, as_json: Json = False) -> None:
    """Render the report again from report.json, which `neuromix run` leaves."""
    folder = build / read_experiment(experiment).name
    if not (folder / "report.json").is_file():
        raise FileNotFoundError(
            f"{folder / 'report.json'}: must exist, got nothing; make it with `neuromix run {experiment}`"
        )
    found = load_report(folder)
    path = write_report(found, folder)
    if as_json:
        print(to_json(found), end="")
        return
    Console().print(summary_table(found))
    print(*agreement_lines(found.agreements), sep="\n")
    print(path)
