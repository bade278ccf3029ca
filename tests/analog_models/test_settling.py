import math
from typing import Any

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from analog_models.device import thermal_voltage
from analog_models.neuron import MixedSignalNeuronParameters
from analog_models.process import GENERIC_65
from analog_models.settling import DiodeLine, driver_fractions, settled_current, settling_time

SLOPE = GENERIC_65.slope_factor * thermal_voltage(300)  # n U_T, 39.6 mV
FULL_SCALE = 1e-6
HALF_LSB = FULL_SCALE / 512
MIRROR = 31 * 0.04e-12 * GENERIC_65.gate_capacitance
"""A diode of 16 and 15 mirrors of 0.2 x 0.2 um: 14.6 fF, the capacitance behind the figures below."""

SETTINGS: dict[str, Any] = {"gain": 200, "shift": 19, "code_max": 255, "noise_seed": 5}


@pytest.mark.parametrize(("initial", "final", "nanoseconds"), [(0.02, 1, 6), (1, 0.1, 22), (1, 0.02, 69)])
def test_mirror_settles_to_half_an_lsb_in_the_hand_computed_time(
    initial: float, final: float, nanoseconds: float
) -> None:
    found = settling_time(initial * FULL_SCALE, final * FULL_SCALE, HALF_LSB, MIRROR, SLOPE)
    assert found == pytest.approx(nanoseconds * 1e-9, rel=0.03)


def test_small_steps_settle_as_a_linear_pole() -> None:
    """A small step has the pole g_m/C = I/(n U_T C): 6.24 time constants to 1/512 of it."""
    found = settling_time(FULL_SCALE, 1.001 * FULL_SCALE, 0.001 * FULL_SCALE / 512, MIRROR, SLOPE)
    assert found == pytest.approx(math.log(512) * MIRROR * SLOPE / FULL_SCALE, rel=0.002)


@pytest.mark.parametrize(("initial", "final"), [(1e-8, 1e-6), (1e-6, 1e-7), (3e-7, 3e-7)])
def test_closed_form_solves_the_differential_equation(initial: float, final: float) -> None:
    time = 2 * MIRROR * SLOPE / final
    solved = solve_ivp(
        lambda _, current: current * (final - current) / (MIRROR * SLOPE),
        (0, time),
        [initial],
        rtol=1e-9,
        atol=1e-18,
    )
    assert settled_current(initial, final, MIRROR, SLOPE, time) == pytest.approx(solved.y[0, -1], rel=1e-6)


@pytest.mark.parametrize(("initial", "final"), [(1e-8, 1e-6), (1e-6, 1e-7)])
def test_settling_time_is_when_the_error_is_the_tolerance(initial: float, final: float) -> None:
    time = settling_time(initial, final, HALF_LSB, MIRROR, SLOPE)
    assert abs(settled_current(initial, final, MIRROR, SLOPE, time) - final) == pytest.approx(HALF_LSB)


@pytest.mark.parametrize("final", [1e-6, 0.999e-6])
def test_what_starts_within_tolerance_takes_no_time(final: float) -> None:
    assert settling_time(FULL_SCALE, final, HALF_LSB, MIRROR, SLOPE) == 0


def test_line_from_ground_is_a_step_from_the_current_at_zero_volts() -> None:
    swing = np.array([0.0, 0.1, 0.2])
    line = DiodeLine(ends=swing, slopes=np.full(3, SLOPE), full_scale=FULL_SCALE, capacitance=MIRROR)
    found = line.settled(2e-9)
    for code in (1, 2):
        final = FULL_SCALE * code / 3
        initial = final * math.exp(-swing[code] / SLOPE)
        expected = settled_current(initial, final, MIRROR, SLOPE, 2e-9) / final
        assert found[code] == pytest.approx(expected)
    assert found[0] == 1


def test_driven_line_settles_the_voltage_and_thereby_the_current() -> None:
    found = driver_fractions(np.array([0.0, 0.2]), 5e-9, SLOPE, 40e-9)
    assert found[0] == 1
    missing = 0.2 * math.exp(-8)  # volts
    assert found[1] == pytest.approx(math.exp(-missing / SLOPE))


@pytest.mark.parametrize("n_neurons", [1, 16, 64])
def test_default_lines_settle_to_half_an_lsb_in_four_cycles_of_100_mhz(n_neurons: int) -> None:
    parameters = MixedSignalNeuronParameters()
    missing = np.arange(256) * (1 - parameters.settled_fraction(n_neurons, 40e-9))
    assert 0.3 < missing.max() <= 0.5
    assert (np.arange(256) * (1 - parameters.settled_fraction(n_neurons, 30e-9))).max() > 0.5


def test_line_without_driver_needs_longer_the_more_cells_hang_on_it() -> None:
    parameters = MixedSignalNeuronParameters(line_time_constant=0)
    few, many = (parameters.settled_fraction(n, 40e-9)[255] for n in (1, 16))
    assert few > many
    assert many < 0.05, "the diode alone would do, so the driver were no use"
    assert parameters.line_driver_current(16) == 0


def test_settled_fractions_grow_with_time_to_one() -> None:
    for time_constant in (0, 5e-9):
        parameters = MixedSignalNeuronParameters(line_time_constant=time_constant)
        fractions = [parameters.settled_fraction(16, time) for time in (1e-8, 1e-7, 1e-6, 1e-2)]
        assert (np.diff(fractions, axis=0) >= 0).all()
        np.testing.assert_allclose(fractions[-1], 1)
        np.testing.assert_array_equal(parameters.settled_fraction(16, math.inf), 1)


def test_driver_current_follows_capacitance_and_time_constant() -> None:
    # 16 cells of 127 um^2: 23.9 pF; 23.9 pF / 5 ns = 4.8 mS; at 15.6 /V that is 306 uA
    found = MixedSignalNeuronParameters().line_driver_current(16)
    assert found == pytest.approx(306e-6, rel=0.01)
    assert MixedSignalNeuronParameters(line_time_constant=10e-9).line_driver_current(16) == pytest.approx(
        found / 2
    )
    assert MixedSignalNeuronParameters(topology="segmented").line_driver_current(16) == pytest.approx(
        found * 8 / 127
    )


# In the bank


def evaluated(parameters: MixedSignalNeuronParameters, time: float, rows: bool = False) -> np.ndarray:
    rng = np.random.default_rng(2)
    weights = rng.integers(-127, 128, (7, 60))
    inputs = rng.integers(0, 256, (40, 60), dtype=np.uint8)
    draw = parameters.draw(7, 60, np.random.default_rng(1))
    bank = parameters.bank(draw, weights=weights, evaluation_time=time, **SETTINGS)
    if rows:
        return np.concatenate(
            [bank.evaluate(inputs[t : t + 1], first_step=t).node_voltage for t in range(40)]
        )
    return bank.evaluate(inputs).node_voltage


@pytest.mark.parametrize("time_constant", [0, 5e-9])
def test_a_batch_equals_its_rows_while_lines_settle(time_constant: float) -> None:
    parameters = MixedSignalNeuronParameters(line_time_constant=time_constant)
    batch = evaluated(parameters, 20e-9)
    assert (batch != evaluated(parameters, math.inf)).any()
    np.testing.assert_array_equal(batch, evaluated(parameters, 20e-9, rows=True))


def test_a_long_evaluation_gives_what_an_infinite_one_does() -> None:
    parameters = MixedSignalNeuronParameters()
    np.testing.assert_array_equal(evaluated(parameters, 1e-6), evaluated(parameters, math.inf))


def test_ideal_lines_and_capacitors_settle_at_once() -> None:
    for parameters in (MixedSignalNeuronParameters.ideal(), MixedSignalNeuronParameters(topology="c2c")):
        np.testing.assert_array_equal(evaluated(parameters, 1e-12), evaluated(parameters, math.inf))


def test_unsettled_lines_lose_signal() -> None:
    parameters = MixedSignalNeuronParameters.ideal(settling_factor=1)
    draw = parameters.draw(1, 4, np.random.default_rng(1))
    inputs = np.full((1, 4), 255, dtype=np.uint8)
    voltages = [
        parameters.bank(draw, weights=np.full((1, 4), 127), evaluation_time=time, **SETTINGS)
        .evaluate(inputs)
        .node_voltage[0, 0]
        for time in (5e-9, 10e-9, 20e-9, math.inf)
    ]
    assert voltages == sorted(voltages)
    assert voltages[0] < 0.2 * voltages[-1]


@pytest.mark.parametrize("time", [0, -1e-9, math.nan])
def test_impossible_time_is_refused(time: float) -> None:
    with pytest.raises(ValueError, match=r"^mixed-signal bank: evaluation_time must be above 0 s, got"):
        evaluated(MixedSignalNeuronParameters(), time)


@pytest.mark.parametrize("thermal_voltages", [2.0, 4.0, 12.0])
def test_diode_of_few_thermal_voltages_settles_as_its_equation_says(thermal_voltages: float) -> None:
    n, unit = 1.5, 0.026
    end = thermal_voltages * unit

    def current(volts: float) -> float:  # over the input's
        return math.exp((volts - end) / (n * unit)) * math.expm1(-volts / unit) / math.expm1(-end / unit)

    saturated = end + n * unit * math.log(-math.expm1(-end / unit))
    line = DiodeLine.create(
        np.array([0.0, saturated]), slope_factor=n, thermal_voltage=unit, full_scale=1, capacitance=1
    )
    (_, found_end), (_, slope) = line.ends, line.slopes
    assert found_end == pytest.approx(end, rel=1e-9)
    moved = current(end + 1e-7) - current(end - 1e-7)
    assert slope == pytest.approx(2e-7 / moved, rel=1e-5)
    volts, time, step = 0.0, 0.0, 1e-5  # capacitance and input current are 1
    while current(volts) < 1 - 1 / 512:
        volts += step * (1 - current(volts))
        time += step
    found = settling_time(math.exp(-end / slope), 1.0, 1 / 512, 1.0, float(slope))
    # The slope is that of the end: a few per cent off at 2 U_T, against a quarter with n U_T.
    assert found == pytest.approx(time, rel=0.06)
