"""Fits the constants of the process to some of the measured points, and tells what all points then miss by.

Fitted, in this order, to points that :class:`Point` marks, in the first condition (the device in all
conditions of the first corner, because the threshold drifts with temperature):

1. specific current, slope factor, threshold and its drift to the gate voltage of a unit transistor;
2. gate capacitance, load of the node and, if there is a divider, what weighs on its nodes, to settling times;
3. noise at rest and noise excess to the noise on the node.

Everything else, and every other corner, is held out.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from analog_models.device import thermal_voltage
from analog_models.neuron import MixedSignalNeuronParameters
from analog_models.noise import thermal_variance

from .divider import Divider
from .points import QUANTITIES, Condition, Point, Quantity
from .predict import Model, at_condition, cell_noise, predict, without_meaning

__all__ = ["TARGETS", "Residual", "constant_noise_factor", "fit", "residuals", "used_by_fit"]

_SATURATED = 5
"""A diode below this many thermal voltages is not saturated, and the model does not claim to know it."""

_RELATIVE: frozenset[Quantity] = frozenset({"settling", "noise", "energy", "energy_fast"})


TARGETS = {
    "transfer": 0.05,
    "activation": 0.05,
    "settling": 0.1,
    "noise": 0.1,
    "mismatch": 0.1,
    "energy": 0.1,
    "energy_fast": 0.1,
}
"""Largest held-out residual, rms: of full scale for transfer and activation, relative for all others."""


@dataclass(frozen=True, kw_only=True)
class Residual:
    """What the model misses the points of one quantity by, root mean square, and the worst held-out one.

    Relative to the measured value for times, powers and energies, to the full scale for transfer and
    activation; the device in volts. ``uncalibrated`` is of all points with the design as it was.
    """

    quantity: str
    uncalibrated: float
    fitted: float | None
    held_out: float | None
    worst: float | None
    n_fitted: int
    n_held_out: int

    @property
    def target(self) -> float | None:
        """What ``held_out`` may be at most; None where nothing was promised."""
        return TARGETS.get(self.quantity)

    @property
    def verdict(self) -> str | None:
        """``pass`` or ``missed``; None without a target or a held-out point."""
        if self.target is None or self.held_out is None:
            return None
        return "pass" if self.held_out <= self.target else "missed"


def used_by_fit(point: Point, reference: Condition) -> bool:
    """Tell whether the fit sees ``point``."""
    same_corner = point.condition.corner_name == reference.corner_name
    return point.fitted and (point.condition == reference or (point.quantity == "device" and same_corner))


def fit(points: Sequence[Point], parameters: MixedSignalNeuronParameters, reference: Condition) -> Model:
    """Return the model with the constants that meet the points best which the fit may see."""
    seen = [point for point in points if used_by_fit(point, reference) and _claimed(point, parameters)]
    model = Model(parameters=parameters)

    def devices(x: NDArray[np.float64], model: Model) -> Model:
        process = replace(
            model.parameters.process,
            specific_current=float(np.exp(x[0])),
            slope_factor=float(x[1]),
            threshold_voltage=float(x[2]),
            threshold_drift=float(x[3]) * 1e-3,
        )
        return replace(model, parameters=replace(model.parameters, process=process))

    def node(x: NDArray[np.float64], model: Model) -> Model:
        if parameters.cell.is_charge:  # the same at all codes, so one number
            return replace(model, noise_rest=float(x[0]))
        return replace(model, noise_rest=float(x[0]), noise_excess=float(x[1]))

    def line(x: NDArray[np.float64], model: Model) -> Model:
        process = replace(model.parameters.process, gate_capacitance=float(np.exp(x[0])))
        moved = replace(
            model, parameters=replace(model.parameters, process=process), node_load=float(np.exp(x[1]))
        )
        return replace(moved, divider_capacitance=float(np.exp(x[2]))) if len(x) > 2 else moved

    process = parameters.process
    drift = 1e3 * process.threshold_drift
    start = [math.log(process.specific_current), process.slope_factor, process.threshold_voltage, drift]
    low, high = [math.log(1e-9), 1.0, 0.0, -5.0], [math.log(1e-4), 3.0, 2.0, 0.0]
    model = _best(devices, model, seen, "device", start, (low, high))
    lowest, highest = [math.log(1e-4), 0.0], [math.log(0.1), math.log(2)]
    weighing = [math.log(process.gate_capacitance), 0.05]
    if Divider.of(parameters.cell).gates.size:
        weighing.append(math.log(model.divider_capacitance))
        lowest.append(lowest[0])
        highest.append(highest[0])
    model = _best(line, model, seen, "settling", weighing, (lowest, highest))
    unknown = 1 if parameters.cell.is_charge else 2
    model = _best(node, model, seen, "noise", [1.0] * unknown, ([0.0] * unknown, [100.0] * unknown))
    return model


def residuals(
    points: Sequence[Point], parameters: MixedSignalNeuronParameters, model: Model, reference: Condition
) -> list[Residual]:
    """Return what ``model`` misses each quantity by, and the design ``parameters`` beside it."""
    found = []
    for quantity in QUANTITIES:
        of_kind = [point for point in points if point.quantity == quantity and _claimed(point, parameters)]
        if not of_kind:
            continue
        error = np.array([_error(point, model) for point in of_kind])
        before = np.array([_error(point, Model(parameters=parameters)) for point in of_kind])
        seen = np.array([used_by_fit(point, reference) for point in of_kind])
        if quantity in ("transfer", "activation", "energy", "energy_fast"):
            seen[:] = False  # nothing is fitted to them
        found.append(
            Residual(
                quantity=quantity,
                uncalibrated=_rms(before) or 0.0,
                fitted=_rms(error[seen]),
                held_out=_rms(error[~seen]),
                worst=float(np.abs(error[~seen]).max()) if (~seen).any() else None,
                n_fitted=int(seen.sum()),
                n_held_out=int((~seen).sum()),
            )
        )
    return found


def constant_noise_factor(points: Sequence[Point], parameters: MixedSignalNeuronParameters) -> float:
    """Return the one factor F over kT/C of the design's node that meets the noise of all ``points`` best.

    With capacitors it is over kT/C of node and ladder, both of which it scales.
    """
    ratios = []
    for point in points:
        if point.quantity != "noise":
            continue
        p = at_condition(parameters, point.condition)
        plain = thermal_variance(p.node_capacitance, 1.0, p.temperature)
        if p.cell.is_charge:
            plain *= 1 + cell_noise(p, point.code, point.weight)
        ratios.append(point.value / plain)
    return float(np.exp(np.mean(np.log(ratios))))


def _best(
    change: Callable[[NDArray[np.float64], Model], Model],
    model: Model,
    points: Sequence[Point],
    quantity: Quantity,
    start: Sequence[float],
    bounds: tuple[Sequence[float], Sequence[float]],
) -> Model:
    """Return ``model`` changed so that it meets the points of ``quantity`` best; itself without points."""
    of_kind = [point for point in points if point.quantity == quantity]
    if not of_kind:
        return model

    def error(x: NDArray[np.float64]) -> NDArray[np.float64]:
        changed = change(x, model)
        return np.array([_error(point, changed) for point in of_kind])

    return change(least_squares(error, start, bounds=bounds, x_scale="jac", diff_step=1e-3).x, model)


def _claimed(point: Point, parameters: MixedSignalNeuronParameters) -> bool:
    """Tell whether the model claims to know ``point``: a diode near 0 V is not saturated."""
    if point.quantity in without_meaning(parameters):
        return False
    return point.quantity != "device" or point.value > _SATURATED * thermal_voltage(
        point.condition.corner.temperature
    )


def _error(point: Point, model: Model) -> float:
    """Return how far the model is off ``point``, in the terms of :class:`Residual`."""
    found = predict(point, model)
    if point.quantity in _RELATIVE:
        return found / point.value - 1
    if point.quantity == "transfer":
        return (found - point.value) / model.parameters.node_full_scale
    if point.quantity == "activation":
        # Both are brought back to the node: the slope at rest is the tail current over the linear range.
        range_ = at_condition(model.parameters, point.condition).linear_range
        return (found - point.value) * range_ / model.parameters.node_full_scale
    return found - point.value


def _rms(error: NDArray[np.float64]) -> float | None:
    return float(np.sqrt(np.mean(error**2))) if error.size else None
