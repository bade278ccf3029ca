"""Fitting: constants come back from points that the model itself made, and residuals say what they say."""

from dataclasses import replace

import numpy as np
import pytest

from analog_models.neuron import MixedSignalNeuronParameters
from analog_models.process import Process
from neuromix.characterize.fit import constant_noise_factor, fit, residuals, used_by_fit
from neuromix.characterize.points import Condition, Plan, Point
from neuromix.characterize.predict import Model, cell_noise, predict

DESIGN = MixedSignalNeuronParameters()
REFERENCE = Condition(corner_name="tt", celsius=27)
CONDITIONS = (REFERENCE, Condition(corner_name="tt", celsius=85), Condition(corner_name="ss", celsius=0))
TRUE = Model(
    parameters=replace(
        DESIGN,
        process=Process(
            name="true",
            slope_factor=1.4,
            specific_current=1e-6,
            threshold_voltage=0.47,
            threshold_drift=-0.6e-3,
            gate_capacitance=5e-3,
        ),
    ),
    noise_rest=1.3,
    noise_excess=1.2,
)


def made_by(model: Model, factor: float = 1.0) -> list[Point]:
    """Return all kinds of points as ``model`` has them, times ``factor`` where the fit does not look."""
    blank = []
    for condition in CONDITIONS:
        for k, current in enumerate(np.geomspace(1e-9, 1e-5, 12)):
            blank.append(
                Point(
                    quantity="device",
                    condition=condition,
                    current=float(current),
                    fitted=k % 2 == 0,
                    value=1.0,
                )
            )
        for k, (before, code, weight) in enumerate(Plan.steps):
            step = Point(
                quantity="settling",
                condition=condition,
                before=before,
                code=code,
                weight=weight,
                fitted=k % 2 == 0,
                value=1.0,
            )
            blank.append(step)
        for k, code in enumerate(Plan.noise_codes):
            point = Point(
                quantity="noise", condition=condition, code=code, weight=127, fitted=k % 2 == 0, value=1.0
            )
            blank += [point, replace(point, quantity="transfer"), replace(point, quantity="activation")]
            blank.append(replace(point, quantity="energy", time=1e-6))
    return [
        replace(point, value=predict(point, model) * (1 if used_by_fit(point, REFERENCE) else factor))
        for point in blank
    ]


def test_known_constants_come_back() -> None:
    found = fit(made_by(TRUE), DESIGN, REFERENCE)
    for name in ("slope_factor", "specific_current", "threshold_voltage", "gate_capacitance"):
        true = getattr(TRUE.parameters.process, name)
        known = 5e-3 if name == "gate_capacitance" else 1e-3  # a time, to the tolerance of the integration
        assert getattr(found.parameters.process, name) == pytest.approx(true, rel=known), name
    assert found.node_load == pytest.approx(1.0, abs=0.05)
    assert found.parameters.process.threshold_drift == pytest.approx(-0.6e-3, abs=2e-6)
    assert (found.noise_rest, found.noise_excess) == pytest.approx((1.3, 1.2), rel=1e-3)
    for residual in residuals(made_by(TRUE), DESIGN, found, REFERENCE):
        assert residual.held_out == pytest.approx(0, abs=2e-3), residual
        assert residual.uncalibrated >= residual.held_out


def test_what_weighs_on_the_nodes_of_a_divider_comes_back() -> None:
    design = replace(DESIGN, topology="segmented")
    true = replace(
        TRUE,
        parameters=replace(TRUE.parameters, topology="segmented"),
        node_load=1.15,
        divider_capacitance=2.5e-3,
    )
    found = fit([x for x in made_by(true) if x.condition == REFERENCE], design, REFERENCE)
    # Three numbers from five times, each time known to the tolerance of the integration.
    assert found.parameters.process.gate_capacitance == pytest.approx(5e-3, rel=0.05)
    assert found.node_load == pytest.approx(1.15, rel=0.05)
    assert found.divider_capacitance == pytest.approx(2.5e-3, rel=0.05)


def test_noise_of_capacitors_is_fitted_at_rest_alone() -> None:
    design = replace(DESIGN, topology="c2c")
    quiet = Model(parameters=design, noise_rest=1.4)
    blank = Point(quantity="noise", condition=REFERENCE, code=16, weight=127, fitted=True, value=1.0)
    found = fit([replace(blank, value=predict(blank, quiet))], design, REFERENCE)
    assert (found.noise_rest, found.noise_excess) == (pytest.approx(1.4), 1.0)
    # 4 fF at a gain of 0.2016 beside 80 fF.
    assert cell_noise(design, 16, 127) == pytest.approx(80 / 4 * (0.2 * 128 / 127) ** 2)


def test_fit_sees_marked_points_of_the_reference_and_the_device_at_all_temperatures_of_its_corner() -> None:
    seen = [point for point in made_by(TRUE) if used_by_fit(point, REFERENCE)]
    assert all(point.fitted for point in seen)
    conditions = {(point.quantity, point.condition.name) for point in seen}
    assert {name for quantity, name in conditions if quantity == "device"} == {"tt_27c", "tt_85c"}
    assert {name for quantity, name in conditions if quantity != "device"} == {"tt_27c"}


def test_fit_sees_neither_other_corners_nor_the_points_kept_from_it() -> None:
    spoiled = fit(made_by(TRUE, factor=1.5), DESIGN, REFERENCE)
    assert spoiled.parameters == fit(made_by(TRUE), DESIGN, REFERENCE).parameters


def test_held_out_residual_is_the_error_of_the_held_out_points_alone() -> None:
    points = made_by(TRUE, factor=0.8)
    by_quantity = {row.quantity: row for row in residuals(points, DESIGN, TRUE, REFERENCE)}
    for quantity in ("settling", "noise"):
        assert by_quantity[quantity].fitted == pytest.approx(0, abs=1e-12)
        assert by_quantity[quantity].held_out == pytest.approx(0.25)
        assert by_quantity[quantity].verdict == "missed"
    assert by_quantity["energy"].n_fitted == 0
    assert by_quantity["device"].verdict is None


def test_transfer_is_told_in_parts_of_the_full_scale() -> None:
    point = Point(quantity="transfer", condition=REFERENCE, code=128, weight=127, value=0.102)
    (row,) = residuals([point], DESIGN, Model(parameters=DESIGN), REFERENCE)
    assert row.held_out == pytest.approx(0.002 / DESIGN.node_full_scale)
    assert (row.target, row.verdict) == (0.05, "pass")


def test_one_noise_factor_for_all_codes_is_their_geometric_mean() -> None:
    quiet, loud = (
        Point(quantity="noise", condition=REFERENCE, value=factor * 1.380649e-23 * 300.15 / 80e-15)
        for factor in (1, 4)
    )
    assert constant_noise_factor([quiet, loud], DESIGN) == pytest.approx(2)
