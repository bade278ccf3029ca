"""A study from its file to its report: every claim checked that the data at hand allow."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..flow import Progress
from ..network.datasets import Dataset, load_cifar10, load_idx
from ..report.collect import tool_versions
from .accuracy import AccuracyAnswer, answer_accuracy
from .energy import EnergyAnswer, answer_energy
from .page import StudyReport, write_study
from .study import NetworkGroup, Study
from .verdict import GROUPS, Claim, Group, judge_accuracy, judge_energy

__all__ = ["DataFolders", "reproduce"]


@dataclass(frozen=True, kw_only=True)
class DataFolders:
    """Where the data sets are that are not shipped; None where the user has none."""

    mnist: Path | None = None
    cifar10: Path | None = None


def reproduce(
    study: Study,
    build: Path,
    *,
    groups: Sequence[Group] = GROUPS,
    data: DataFolders,
    command: str,
    quick: bool,
    progress: Progress,
) -> tuple[StudyReport, Path]:
    """Check the claims of ``groups`` and leave the report in ``build/<name>``; return it and the page's path.

    Claims without data are reported as not checked. Raises DatasetError for data that are damaged, and what
    simulators and price tables raise.
    """
    folder = build / study.name
    datasets = _load(data, groups)
    claims: list[Claim] = []
    seconds: dict[str, float] = {}
    energy: EnergyAnswer | None = None
    accuracy: AccuracyAnswer | None = None
    start = time.monotonic()
    if "energy" in groups:
        energy = answer_energy(
            study.energy,
            folder / "energy",
            build / "simulators",
            lambda done, total: progress("counting toggles of neurons", done, total),
        )
        claims += judge_energy(energy)
        seconds["energy"] = time.monotonic() - start
    networks: list[NetworkGroup] = [group for group in groups if group != "energy"]
    if networks:
        before = time.monotonic()
        accuracy = answer_accuracy(
            study.accuracy,
            datasets,
            networks,
            study.seed,
            lambda done, total: progress("classifying on chips", done, total),
        )
        claims += judge_accuracy(accuracy, networks)
        seconds["accuracy"] = time.monotonic() - before
    seconds["all"] = time.monotonic() - start
    report = StudyReport(
        study=study,
        command=command,
        quick=quick,
        claims=tuple(claims),
        energy=energy,
        accuracy=accuracy,
        versions=tool_versions(),
        seconds=seconds,
    )
    return report, write_study(report, folder)


def _load(data: DataFolders, groups: Sequence[Group]) -> dict[str, Dataset]:
    """Return the data set of each group that there is one for."""
    datasets: dict[str, Dataset] = {}
    if data.mnist is not None and {"mnist", "cnn"} & set(groups):
        mnist = load_idx(data.mnist)
        datasets |= {group: mnist for group in ("mnist", "cnn") if group in groups}
    if data.cifar10 is not None and "cifar10" in groups:
        datasets["cifar10"] = load_cifar10(data.cifar10)
    return datasets
