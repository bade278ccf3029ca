"""A whole characterization: measure in every condition, fit, compare, write down."""

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml

from analog_models.mdac import MAGNITUDE_BITS
from analog_models.neuron import MixedSignalNeuronParameters
from analog_models.process import Process
from analog_models.views.spice import Card, SpiceCell

from ..config.parameters import section_of
from .fit import Residual, constant_noise_factor, fit, residuals
from .measure import MismatchSample, measure, measure_mismatch
from .ngspice import find_ngspice
from .points import Condition, Plan, Point, Quantity
from .predict import Model, at_condition, without_meaning

__all__ = ["Characterization", "MismatchResidual", "characterize"]


@dataclass(frozen=True, kw_only=True)
class MismatchResidual:
    """Deviation of the current of a unit of 1 LSB, or of a capacitance: the model's and ngspice's.

    The model's is ``uncalibrated`` and ``fitted``. ``measured`` pools all bits of ``n_cells`` cells, each by
    what the model makes of its units; ``standard_error`` is its own relative one. ``same_draw`` is the
    model's over the measured deviation with the very units drawn, bit by bit, so no sampling error is in it;
    the residual is made from that.
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
    def without_meaning(self) -> dict[Quantity, str]:
        """Quantities that have no residual, and why."""
        return without_meaning(self.model.parameters)

    @property
    def rows(self) -> tuple[Residual, ...]:
        """Residuals of all quantities, mismatch included."""
        return (*self.residuals, self.mismatch.residual)

    def to_dict(self) -> dict[str, object]:
        """Return all of it as data for JSON."""
        process = dataclasses.asdict(self.model.parameters.process)
        return {
            "card": self.card,
            "topology": self.model.parameters.topology,
            "conditions": [condition.name for condition in self.conditions],
            "residuals": [
                {**dataclasses.asdict(row), "target": row.target, "verdict": row.verdict} for row in self.rows
            ],
            "without_meaning": self.without_meaning,
            "mismatch": dataclasses.asdict(self.mismatch),
            "fitted": {
                "process": process,
                "noise_factor": self.noise_factor,
                "noise_rest": self.model.noise_rest,
                "noise_excess": self.model.noise_excess,
                "node_load": self.model.node_load,
                "divider_capacitance": self.model.divider_capacitance,
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
    topology = parameters.cell
    slopes = topology.bit_slopes()  # [device, bit]
    design, fitted = (
        replace(at_condition(found, condition), mismatch_factor=1.0)
        for found in (parameters, model.parameters)
    )
    relative = fitted.sigma_units / fitted.sigma_unit / np.sqrt(topology.devices)  # units are averaged
    shares = slopes * relative[:, np.newaxis]
    unit_spread = np.sqrt((shares**2).sum(axis=0))  # of a bit, when that of a unit of 1 LSB is 1
    correlation = shares.T @ shares / np.outer(unit_spread, unit_spread)
    efficiencies = topology.gm_over_ids(fitted.process, fitted.unit_ic, fitted.temperature)
    by_unit = np.repeat(efficiencies, topology.devices)
    unit_error = -by_unit * sample.threshold + sample.factor  # to first order, [cell, unit]
    first = np.cumsum([0, *topology.devices])[:-1]
    linear = np.add.reduceat(unit_error, first, axis=1) / topology.devices @ slopes  # [cell, bit]
    spread = sample.bit_error.std(axis=0, ddof=1)
    n_cells = len(sample.bit_error)
    return MismatchResidual(
        measured=float(np.sqrt(np.mean((spread / unit_spread) ** 2))),
        standard_error=float(np.sqrt(np.mean(correlation**2) / (2 * (n_cells - 1)))),
        uncalibrated=design.sigma_unit,
        fitted=fitted.sigma_unit,
        same_draw=tuple((linear.std(axis=0, ddof=1) / spread).tolist()),
        n_cells=n_cells,
    )
