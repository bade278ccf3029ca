"""What limits the accuracy of manufactured chips: designs compared on the same random numbers."""

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from analog_models.neuron import MixedSignalNeuronParameters

from .blocks import Problem, count_chips
from .result import MonteCarlo
from .runners import dask_runner, local_runner

__all__ = ["SOURCES", "SWEPT", "Case", "Study", "parse_sweep", "run_study"]

SOURCES: Mapping[str, dict[str, Any]] = {
    "no mismatch": {"mismatch_factor": 0},
    "no gain spread": {"gain_sigma": 0},
    "no offset": {"offset_factor": 0},
    "no thermal noise": {"noise_factor": 0},
    "no flicker noise": {"flicker_factor": 0},
    "no conductance": {"conductance_factor": 0},
    "no droop": {"droop_factor": 0},
    "ideal converter": {"adc_factor": 0},
    "no compression": {"degeneration": math.inf},
}
"""Cases of the budget, and what takes a non-ideality away; mismatch is that of cells and of gain."""

SWEPT: Mapping[str, tuple[tuple[str, int], ...]] = {
    "sigma": (("mismatch_factor", 1), ("offset_factor", 1)),
    "noise": (("noise_factor", 2), ("flicker_factor", 2)),
}
"""What can be swept: the parameters that are multiplied, and by which power of the factor."""

_ATTEMPTS = 3

Kind = Literal["design", "without", "sigma", "noise"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One design of a study: as designed, without one of its flaws, or with its spread or noise scaled."""

    kind: Kind
    label: str
    neuron: MixedSignalNeuronParameters
    factor: float = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Study:
    """Cases and what was found for each; the first is the design itself."""

    limit: float
    ideal: float
    """Accuracy of the network in integers: of a chip without flaws."""
    cases: tuple[Case, ...]
    found: tuple[MonteCarlo, ...]

    def regained(self, index: int) -> tuple[float, float]:
        """Return how much more accurate the chips of a case are than the same chips of the design.

        The mean difference and its standard error, both from chip to chip: the random numbers are common.
        """
        differences = self.found[index].accuracies - self.found[0].accuracies
        error = differences.std(ddof=1) / math.sqrt(len(differences)) if len(differences) > 1 else 0.0
        return float(differences.mean()), float(error)

    def rows(self) -> list[dict[str, Any]]:
        """Return one row of plain numbers per case, accuracies as fractions."""
        rows = []
        for index, (case, found) in enumerate(zip(self.cases, self.found, strict=True)):
            share, low, high = found.yield_at(self.limit)
            regained, error = self.regained(index)
            rows.append(
                {
                    "kind": case.kind,
                    "label": case.label,
                    "factor": case.factor,
                    "chips": len(found.correct),
                    "images": found.n_images,
                    "mean": found.mean,
                    "deviation": found.deviation,
                    "worst": found.worst,
                    "limit": self.limit,
                    "yield": share,
                    "yield_low": low,
                    "yield_high": high,
                    "regained": regained,
                    "regained_error": error,
                }
            )
        return rows

    def to_dict(self) -> dict[str, Any]:
        """Return all that was found, the counts of every chip included."""
        counts = [found.correct.tolist() for found in self.found]
        return {
            "ideal": self.ideal,
            "limit": self.limit,
            "cases": [row | {"correct": correct} for row, correct in zip(self.rows(), counts, strict=True)],
        }

    def to_csv(self) -> str:
        """Return the rows as CSV."""
        text = io.StringIO()
        rows = self.rows()
        writer = csv.DictWriter(text, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue()


def parse_sweep(text: str) -> tuple[str, tuple[float, ...]]:
    """Return quantity and factors of a sweep written as ``sigma=0,0.5,1``. Raises ValueError."""
    name, _, factors = text.partition("=")
    try:
        if name not in SWEPT:
            raise ValueError(name)
        values = tuple(float(factor) for factor in factors.split(","))
        if not all(0 <= value < math.inf for value in values):
            raise ValueError(factors)
    except ValueError:
        raise ValueError(
            f"--sweep: must be {' or '.join(SWEPT)} with factors of at least 0, such as sigma=0,0.5,1,2, "
            f"got {text!r}"
        ) from None
    return name, values


def run_study(
    problem: Problem,
    neuron: MixedSignalNeuronParameters,
    *,
    n_chips: int,
    limit: float,
    sweeps: Sequence[tuple[str, tuple[float, ...]]] = (),
    budget: bool = True,
    folder: Path,
    workers: int,
    scheduler: str | None = None,
    finished: Callable[[int, int], None] = lambda done, total: None,
) -> Study:
    """Count the chips of the design ``neuron``, of its budget and of ``sweeps``.

    Finished blocks are kept in ``folder`` and never counted again. A worker process that dies loses nothing
    either: what it was at is counted anew. Raises ValueError, and OSError when workers keep dying.
    """
    cases = tuple(_cases(neuron, sweeps, budget))
    designs = {f"{index}": case.neuron for index, case in enumerate(cases)}

    def runner() -> AbstractContextManager[tuple[Any, Any]]:
        return dask_runner(problem, scheduler) if scheduler else local_runner(problem, workers)

    for _ in range(_ATTEMPTS):
        try:
            with runner() as (executor, handle):
                counts = count_chips(problem, designs, n_chips, folder, executor, handle, finished)
                break
        except BrokenExecutor:
            continue
    else:
        raise OSError(
            f"monte carlo: workers must live until they are done, got {_ATTEMPTS} that died; "
            "if memory is short, use fewer --workers"
        )
    return Study(
        limit=limit,
        ideal=float(np.mean(problem.network.classify(problem.codes) == problem.labels)),
        cases=cases,
        found=tuple(MonteCarlo(correct=counts[name], n_images=len(problem.labels)) for name in designs),
    )


def _cases(
    neuron: MixedSignalNeuronParameters, sweeps: Sequence[tuple[str, tuple[float, ...]]], budget: bool
) -> list[Case]:
    cases = [Case(kind="design", label="as designed", neuron=neuron)]
    if budget:
        cases += [
            Case(kind="without", label=source, neuron=replace(neuron, **changes))
            for source, changes in SOURCES.items()
            if any(getattr(neuron, name) != value for name, value in changes.items())
        ]
    return cases + [_scaled(neuron, name, factor) for name, factors in sweeps for factor in factors]


def _scaled(neuron: MixedSignalNeuronParameters, name: str, factor: float) -> Case:
    scaled: dict[str, Any] = {
        parameter: getattr(neuron, parameter) * factor**power for parameter, power in SWEPT[name]
    }
    try:
        scaled_neuron = replace(neuron, **scaled)
    except ValueError as error:
        raise ValueError(f"--sweep: {name} × {factor:g}: {error}") from error
    kind: Kind = "sigma" if name == "sigma" else "noise"
    return Case(kind=kind, label=f"{name} × {factor:g}", neuron=scaled_neuron, factor=factor)
