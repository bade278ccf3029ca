"""A report as files for people and programs, and as a table on the terminal."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.table import Table

from .figures import draw_figures
from .notation import back_end_label, grouped, percent, significant, with_prefix
from .remarks import remarks
from .summary import Agreement, BackEndResult, Report, from_json, to_csv, to_json

__all__ = [
    "agreement_lines",
    "environment",
    "load_report",
    "render_html",
    "replace_file",
    "summary_table",
    "write_report",
]

HEADINGS = (
    "back end",
    "accuracy (95 % interval)",
    "pJ per inference",
    "fJ per MAC",
    "cycles per inference",
    "events against golden model",
)
"""Columns of the summary on the page."""


def write_report(report: Report, folder: Path) -> Path:
    """Write ``report.json``, ``summary.csv`` and ``report.html`` into ``folder``; return the page's path.

    Each file appears whole or not at all. Raises OSError that names the folder when it cannot be written.
    """
    page = folder / "report.html"
    texts = {"report.json": to_json(report), "summary.csv": to_csv(report), page.name: render_html(report)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            replace_file(folder / name, text)
    except OSError as error:
        raise OSError(f"{folder}: report folder must be writable, got {error.strerror or error}") from error
    return page


def load_report(folder: Path) -> Report:
    """Return the report in ``folder``. Raises OSError if there is none, ValueError if it is not valid."""
    return from_json((folder / "report.json").read_text(encoding="utf-8"))


def environment() -> Environment:
    """Return where the templates of pages are found, and how numbers are written in them."""
    found = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "back_end": back_end_label,
        "grouped": grouped,
        "percent": percent,
        "significant": significant,
        "with_prefix": with_prefix,
    }
    return found


def render_html(report: Report) -> str:
    """Return the report as one HTML page that needs nothing but itself."""
    return (
        environment()
        .get_template("report.html")
        .render(
            report=report,
            headings=HEADINGS,
            summary=[_summary_row(report, result) for result in report.back_ends],
            components=_side_by_side({result.name: result.components for result in report.back_ends}),
            blocks=_side_by_side({result.name: result.by_block for result in report.back_ends}),
            ratios=_energy_ratios(report),
            remarks=remarks(report),
            figures=draw_figures(report),
        )
    )


def summary_table(report: Report) -> Table:
    """Return the summary for a terminal of 80 columns: one row per back end."""
    table = Table("back end", title=report.title, title_justify="left")
    for heading in ("accuracy", "95 % interval", "pJ/inference", "fJ/MAC", "cycles"):
        table.add_column(heading, justify="right")
    for result in report.back_ends:
        low, high = result.accuracy.interval
        table.add_row(
            back_end_label(result.name),
            percent(result.accuracy.fraction),
            f"{100 * low:.1f} to {100 * high:.1f}",
            significant(result.energy_per_inference_pj),
            significant(result.energy_per_mac_fj),
            grouped(round(result.cycles_per_inference)),
        )
    return table


def agreement_lines(agreements: Iterable[Agreement]) -> list[str]:
    """Return an entry of two lines per run: what was held against the golden model, what came of it."""
    return [
        f"{back_end_label(run.back_end)} on {run.simulator}: {grouped(run.images)} images, "
        f"{grouped(run.events_compared)} events compared, {grouped(run.differences)} differences\n"
        f"  {grouped(run.events_sent)} sent, {grouped(run.events_received)} received, "
        f"{grouped(run.lost)} lost, {grouped(run.duplicated)} duplicated"
        for run in agreements
    ]


def replace_file(path: Path, text: str) -> None:
    """Write ``text`` beside ``path`` and put it in place in one go."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _summary_row(report: Report, result: BackEndResult) -> tuple[str, ...]:
    low, high = result.accuracy.interval
    return (
        back_end_label(result.name),
        f"{percent(result.accuracy.fraction)} ({100 * low:.1f} to {100 * high:.1f})",
        significant(result.energy_per_inference_pj),
        significant(result.energy_per_mac_fj),
        grouped(round(result.cycles_per_inference)),
        _agreement_text(report, result.name),
    )


def _agreement_text(report: Report, back_end: str) -> str:
    """Say whether the simulators gave the golden model's events: ``12,345 equal (icarus)``."""
    runs = report.agreements_of(back_end)
    if not runs:
        return "not compared"
    compared = grouped(sum(run.events_compared for run in runs))
    simulators = ", ".join(dict.fromkeys(run.simulator for run in runs))
    if all(run.complete for run in runs):
        return f"{compared} equal ({simulators})"
    faults = {
        "differ": sum(run.differences for run in runs),
        "lost": sum(run.lost for run in runs),
        "duplicated": sum(run.duplicated for run in runs),
    }
    found = ", ".join(f"{grouped(count)} {fault}" for fault, count in faults.items())
    return f"DISAGREES: of {compared} {found} ({simulators})"


def _energy_ratios(report: Report) -> dict[str, float]:
    """Return how many times the energy of the mixed-signal back end each back end needs; empty without it."""
    energies = {result.name: result.energy_per_inference_pj for result in report.back_ends}
    base = energies.get("mixed_signal", 0.0)
    return {name: energy / base for name, energy in energies.items()} if base else {}


def _side_by_side(items: Mapping[str, Mapping[str, float]]) -> dict[str, list[float | None]]:
    """Return item to energy per back end, largest first; None where a back end has no such item."""
    names = {name for energies in items.values() for name in energies}
    rows = {name: [energies.get(name) for energies in items.values()] for name in names}
    peak = {name: max(energy or 0.0 for energy in row) for name, row in rows.items()}
    return {name: rows[name] for name in sorted(rows, key=lambda name: (-peak[name], name))}
