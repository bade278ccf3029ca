"""A whole characterization: measure in every condition, fit, compare, write down."""

import dataclasses
import itertools
import json
import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from analog_models.mdac import MAGNITUDE_BITS
from analog_models.mismatch import current_sigma
from analog_models.neuron import MixedSignalNeuronParameters
from analog_models.process import Process
from analog_models.views.spice import Card, SpiceCell

from ..config.parameters import section_of
from .fit import Residual, constant_noise_factor, fit, residuals
from .measure import MismatchSample, measure, measure_mismatch
from .ngspice import find_ngspice
from .points import Condition, Plan, Point
from .predict import Model, at_condition

__all__ = ["Characterization", "MismatchResidual", "characterize"]


@dataclass(frozen=True, kw_only=True)
class MismatchResidual:
    """Deviation of a unit's current: the model's, uncalibrated and fitted, beside ngspice's.

    ``measured`` pools all bits of ``n_cells`` cells, each weighed by its units; ``standard_error`` is its own
    relative one. ``same_draw`` is the model's over the measured deviation with the very transistors drawn,
    bit by bit, so no sampling error is in it; the residual is made from that.
    """

    measured: float
    standard_error: float
    uncalibrated: float
    fitted: float
    same_draw: tuple[float, ...]
    n_cells: int

    @property
    def residual(self) -> Residual:
        """The model's error of each bit's deviation, relative; nothing is fitted to it."""
        error = np.array(self.same_draw) - 1
        before = np.array(self.same_draw) * self.uncalibrated / self.fitted - 1
        return Residual(
            quantity="mismatch",
            uncalibrated=float(np.sqrt(np.mean(before**2))),
            fitted=None,
            held_out=float(np.sqrt(np.mean(error**2))),
            worst=float(np.abs(error).max()),
            n_fitted=0,
            n_held_out=self.n_cells * MAGNITUDE_BITS,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Characterization:
    """Measured points, the model fitted to some of them, and what it misses the rest by."""

    card: str
    conditions: tuple[Condition, ...]
    points: tuple[Point, ...]
    model: Model
    noise_factor: float
    residuals: tuple[Residual, ...]
    mismatch: MismatchResidual

    @property
    def rows(self) -> tuple[Residual, ...]:
        """Residuals of all quantities, mismatch included."""
        return (*self.residuals, self.mismatch.residual)

    def to_dict(self) -> dict[str, object]:
        """Return all of it as data for JSON."""
        process = dataclasses.asdict(self.model.parameters.process)
        return {
            "card": self.card,
            "conditions": [condition.name for condition in self.conditions],
            "residuals": [
                {**dataclasses.asdict(row), "target": row.target, "verdict": row.verdict} for row in self.rows
            ],
            "mismatch": dataclasses.asdict(self.mismatch),
            "fitted": {
                "process": process,
                "noise_factor": self.noise_factor,
                "noise_rest": self.model.noise_rest,
                "noise_excess": self.model.noise_excess,
            },
            "points": [
                {**dataclasses.asdict(point), "condition": point.condition.name} for point in self.points
            ],
        }

    def to_yaml(self) -> str:
        """Return the fitted constants as a section of an experiment file, to be pasted in."""
        process = self.model.parameters.process
        section = section_of(Process).model_construct(**dataclasses.asdict(process))
        neuron = {
            "noise_factor": float(f"{self.noise_factor:.4g}"),
            "process": section.model_dump(mode="json"),
        }
        text: str = yaml.safe_dump({"back_ends": {"mixed_signal": {"neuron": neuron}}}, sort_keys=False)
        return text


def characterize(
    parameters: MixedSignalNeuronParameters,
    card: Card,
    conditions: Sequence[Condition],
    folder: Path,
    *,
    seed: int = 1,
    plan: Plan | None = None,
    progress: Callable[[str, int, int], None] = lambda _action, _done, _total: None,
) -> Characterization:
    """Measure the cell of ``parameters`` in ngspice, fit in the first condition, compare in all.

    Decks, netlists and tables stay in ``folder``, with ``characterization.json`` and ``neuron.yaml``. Raises
    ValueError for a neuron that has no netlist, OSError for a card that cannot be read, NgspiceNotFoundError,
    NgspiceError.
    """
    plan = plan or Plan()
    cell = SpiceCell(parameters=parameters)
    if parameters.topology != "full_binary":
        raise ValueError(
            f"characterize: topology must be full_binary, got {parameters.topology!r}: "
            "noise and mismatch of the other netlists are not predicted"
        )
    card.path.read_bytes()
    find_ngspice()
    folder.mkdir(parents=True, exist_ok=True)
    points: list[Point] = []
    total = len(conditions) + 1
    progress("simulate", 0, total)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        drawn = pool.submit(
            measure_mismatch, cell, card, conditions[0], plan.cells, np.random.default_rng(seed), folder
        )
        measured = [pool.submit(measure, cell, card, condition, plan, folder) for condition in conditions]
        try:
            for done, future in enumerate(measured, start=1):
                points += future.result()
                progress("simulate", done, total)
            sample = drawn.result()
            progress("simulate", total, total)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    model = fit(points, parameters, conditions[0])
    found = Characterization(
        card=card.path.name,
        conditions=tuple(conditions),
        points=tuple(points),
        model=model,
        noise_factor=constant_noise_factor(points, parameters),
        residuals=tuple(residuals(points, parameters, model, conditions[0])),
        mismatch=_mismatch_residual(sample, parameters, model, conditions[0]),
    )
    (folder / "characterization.json").write_text(json.dumps(found.to_dict(), indent=2) + "\n")
    (folder / "neuron.yaml").write_text(found.to_yaml())
    return found


def _mismatch_residual(
    sample: MismatchSample, parameters: MixedSignalNeuronParameters, model: Model, condition: Condition
) -> MismatchResidual:
    n_cells, n_bits = sample.bit_error.shape
    units = 2.0 ** np.arange(n_bits)
    area = parameters.unit_width * parameters.unit_length

    def sigma(design: MixedSignalNeuronParameters) -> float:
        p = at_condition(design, condition)
        return current_sigma(p.process, area, p.unit_gm_over_id)

    efficiency = at_condition(model.parameters, condition).unit_gm_over_id
    unit_error = -efficiency * sample.threshold + sample.factor  # to first order, [cell, unit]
    edges = np.concatenate([[0], np.cumsum(units).astype(int)])
    linear = np.stack(
        [unit_error[:, first:last].mean(axis=1) for first, last in itertools.pairwise(edges)],
        axis=1,
    )
    spread = sample.bit_error.std(axis=0, ddof=1)
    return MismatchResidual(
        measured=float(np.sqrt(np.mean(units * spread**2))),
        standard_error=1 / math.sqrt(2 * n_bits * (n_cells - 1)),
        uncalibrated=sigma(parameters),
        fitted=sigma(model.parameters),
        same_draw=tuple((linear.std(axis=0, ddof=1) / spread).tolist()),
        n_cells=n_cells,
    )
