"""A study's answers as files for people and programs, and as a table on the terminal."""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from jinja2 import PackageLoader
from rich.table import Table

from ..report.notation import significant
from ..report.render import environment, replace_file
from .accuracy import VARIATIONS, AccuracyAnswer, Result
from .energy import EnergyAnswer, Lane
from .figures import accuracy_figures, energy_figures
from .study import Study
from .verdict import Claim, points

__all__ = ["StudyReport", "claim_table", "to_dict", "write_study"]

LIMITS = (
    "The papers' circuit is not public: this is a current-mode neuron in their spirit. Claims are compared.",
    "A rate is results per second and neuron. A serial neuron at the same clock instead gives N times fewer.",
    "Digital prices: a predictive 65 nm card, no clock buffers, no layout, glitches in the multiplier only.",
    "Prices are good to a factor of two. No supply follows the rate, on either side.",
    "A mirror that settles linearly at its full-scale current is the mixed-signal neuron's best case.",
    "A scaled bias of picoamperes lies far below what a general-purpose switch leaks: 'bias above leakage'.",
    "A gated bias is sized for the largest rate and does not have this trouble.",
    "Global variation shifts all devices of a chip together, which mirrors cancel; mismatch does not cancel.",
    "Noise is white and new for each result. Slow flicker noise is an offset that drifts; it is not in here.",
    "The worst of n chips gets worse with n: it is no bound.",
)
"""What the answers leave out or assume; belongs under them."""


@dataclass(frozen=True, kw_only=True)
class StudyReport:
    """All that a study found; ``energy`` and ``accuracy`` are None where they were not asked for."""

    study: Study
    command: str
    quick: bool
    claims: tuple[Claim, ...]
    energy: EnergyAnswer | None
    accuracy: AccuracyAnswer | None
    versions: dict[str, str]
    seconds: dict[str, float]


def write_study(report: StudyReport, folder: Path) -> Path:
    """Write ``report.json`` and ``report.html`` to ``folder``; return the page's path."""
    page = folder / "report.html"
    figures: dict[str, str] = {}
    if report.energy is not None:
        figures |= energy_figures(report.energy)
    if report.accuracy is not None:
        figures |= accuracy_figures(report.accuracy)
    templates = environment()
    templates.loader = PackageLoader("neuromix.claims")
    css = PackageLoader("neuromix.report").get_source(templates, "report.css")[0]
    html = templates.get_template("claims.html").render(
        report=report,
        figures=figures,
        css=css,
        limits=LIMITS,
        sensitivities=list(_sensitivity_rows(report.energy)) if report.energy else [],
        lanes=[_lane_row(lane) for lane in report.energy.lanes] if report.energy else [],
        items=_item_rows(report.energy) if report.energy else {},
        results=list(_result_rows(report.accuracy)) if report.accuracy else [],
    )
    folder.mkdir(parents=True, exist_ok=True)
    replace_file(folder / "report.json", json.dumps(to_dict(report), indent=2, allow_nan=False) + "\n")
    replace_file(page, html)
    return page


def to_dict(report: StudyReport) -> dict[str, Any]:
    """Return all of it as JSON-ready data, units in the keys; null where a neuron cannot give a rate."""
    data: dict[str, Any] = {
        "name": report.study.name,
        "title": report.study.title,
        "seed": report.study.seed,
        "command": report.command,
        "quick": report.quick,
        "claims": [
            {
                "name": claim.name,
                "group": claim.group,
                "source": claim.source,
                "stated": claim.stated,
                "found": claim.found,
                "verdict": claim.verdict,
                "conditions": list(claim.conditions),
                "numbers": claim.numbers,
            }
            for claim in report.claims
        ],
        "limits": list(LIMITS),
        "seconds": report.seconds,
        "versions": report.versions,
        "study": report.study.model_dump(mode="json"),
    }
    if report.energy is not None:
        data["energy"] = _energy_data(report.energy)
    if report.accuracy is not None:
        data["accuracy"] = [_result_data(result) for result in report.accuracy.results]
    return data


def claim_table(report: StudyReport) -> Table:
    """Return the claims for a terminal."""
    table = Table(title=report.study.title, title_justify="left", show_lines=True)
    for heading in ("stated", "found", "verdict"):
        table.add_column(heading, ratio=1, overflow="fold")
    for claim in report.claims:
        table.add_row(f"{claim.name}: {claim.stated}", claim.found, claim.verdict)
    return table


def _energy_data(energy: EnergyAnswer) -> dict[str, Any]:
    return {
        "rates_hz": list(energy.rates),
        "fj_per_mac": {
            curve.label: [_finite(value, 1e15) for value in curve.energy_per_mac] for curve in energy.curves
        },
        "items_fj_per_mac": {
            label: {name: _finite(value, 1e15) for name, value in items.items()}
            for label, items in energy.base_items.items()
        },
        "digital_neurons": [
            {
                "neuron": lane.neuron.name,
                "n_inputs": lane.neuron.n_inputs,
                "source": lane.neuron.source,
                "drive": lane.drive,
                "dynamic_fj_per_mac": lane.neuron.energy_per_mac * 1e15,
                "leakage_uw_per_lane": lane.neuron.leakage * 1e6,
                "items_fj_per_mac": {name: value * 1e15 for name, value in lane.items.items()},
            }
            for lane in energy.lanes
        ],
        "sensitivity": [
            {
                "label": case.label,
                "note": case.note,
                "holds": case.holds,
                "ratio": {name: list(curve.ratio) for name, curve in case.against.items()},
                "ratio_min": {name: curve.minimum for name, curve in case.against.items()},
            }
            for case in energy.sensitivities
        ],
    }


def _result_data(result: Result) -> dict[str, Any]:
    condition = result.condition
    return asdict(condition) | {
        "noise_v2": condition.noise,
        "noise_v_rms": condition.noise_rms,
        "lsb_v": condition.lsb,
        "noise_lsb": condition.noise_lsb,
        "images": result.n_images,
        "chips": len(result.correct),
        "reference_accuracy": result.reference_accuracy,
        "mean_increase": result.mean_increase,
        "worst_increase": result.worst_increase,
    }


def _finite(value: float, factor: float = 1.0) -> float | None:
    return value * factor if math.isfinite(value) else None


def _sensitivity_rows(energy: EnergyAnswer) -> Iterator[dict[str, Any]]:
    for case in energy.sensitivities:
        yield {
            "label": case.label,
            "note": case.note,
            "holds": case.holds,
            "cells": [
                [*(energy.at(curve.ratio, rate) for rate in energy.shown_rates), curve.minimum]
                for curve in case.against.values()
            ],
        }


def _lane_row(lane: Lane) -> tuple[str, ...]:
    neuron = lane.neuron
    return (
        f"{neuron.name}, {neuron.n_inputs} inputs",
        neuron.source,
        lane.drive,
        significant(neuron.energy_per_mac * 1e12),
        significant(neuron.leakage * 1e6),
        ", ".join(f"{name} {significant(value * 1e15)}" for name, value in lane.items.items()),
    )


def _item_rows(energy: EnergyAnswer) -> dict[str, list[float]]:
    """Return item to energy per MAC [fJ] of the base case's mixed-signal neuron at each shown rate."""
    columns = [energy.base_items[f"mixed-signal at {rate:g} Hz"] for rate in energy.shown_rates]
    names = dict.fromkeys(name for column in columns for name in column)
    return {name: [column.get(name, 0.0) * 1e15 for column in columns] for name in names}


def _result_rows(accuracy: AccuracyAnswer) -> Iterator[tuple[str, ...]]:
    for result in accuracy.results:
        condition = result.condition
        yield (
            condition.network,
            f"{condition.bits}",
            f"{condition.full_scale:g}",
            f"{condition.noise * 1e6:g}e-6",
            f"{condition.noise_rms * 1e3:.3g}",
            f"{condition.lsb * 1e3:.3g}",
            f"{condition.noise_lsb:.2g}",
            VARIATIONS[condition.variation],
            f"{100 * result.reference_accuracy:.2f}",
            points(result.mean_increase).removesuffix(" points"),
            points(result.worst_increase).removesuffix(" points"),
            f"{len(result.correct)}",
        )
