from typing import Any

import numpy as np
import pytest

from analog_models.flicker import drift_normals, gate_power, n_decades
from analog_models.neuron import MixedSignalNeuronParameters
from analog_models.process import GENERIC_65

SETTINGS: dict[str, Any] = {"gain": 200, "shift": 13, "code_max": 255, "noise_seed": 5}


def quiet_except_flicker(**overrides: float) -> MixedSignalNeuronParameters:
    return MixedSignalNeuronParameters.ideal(**({"flicker_factor": 1.0} | overrides))


def node_voltages(
    parameters: MixedSignalNeuronParameters, weights: np.ndarray, code: int, n_steps: int, first_step: int = 0
) -> np.ndarray:
    """Return the node voltages [V] of ``n_steps`` equal steps, without their mean."""
    draw = parameters.draw(*weights.shape, np.random.default_rng(1))
    bank = parameters.bank(draw, weights=weights, **SETTINGS)
    inputs = np.full((n_steps, weights.shape[1]), code, dtype=np.uint8)
    voltage = bank.evaluate(inputs, first_step).node_voltage
    return np.asarray(voltage - weights.sum(axis=1) * code * 200 / 2**13 * parameters.lsb())


def test_gate_power_matches_a_hand_computation() -> None:
    # 1e-24 V^2 F over 11.75 fF, the gate of 1 um^2: 85e-12 V^2, 9 uV rms per e-fold
    assert gate_power(GENERIC_65, 1e-12) == pytest.approx(85e-12, rel=0.01)
    assert gate_power(GENERIC_65, 4e-12) == pytest.approx(gate_power(GENERIC_65, 1e-12) / 4)


def test_decades_are_counted_up_and_never_below_none() -> None:
    assert [n_decades(high, 1.0) for high in (0.5, 1, 10, 11, 1e6)] == [0, 0, 1, 2, 6]


@pytest.mark.parametrize("first_step", [0, 37, 10**12])
def test_drift_has_the_same_spread_at_every_step(first_step: int) -> None:
    n = 20_000
    drift = drift_normals(1, first_step, 25, n, 3)
    # standard errors of a deviation and of a mean; five of them allowed
    assert np.abs(drift.std(axis=1) - 1).max() < 5 / np.sqrt(2 * n)
    assert np.abs(drift.mean(axis=1)).max() < 5 / np.sqrt(n)


def test_drift_forgets_within_its_longest_decade_and_not_before() -> None:
    n = 20_000
    drift = drift_normals(1, 0, 2001, n, 3)

    def correlation(later: int) -> float:
        return float(np.mean(drift[0] * drift[later]))

    assert correlation(1) > 0.9
    # at half of 1000 steps only the third decade remembers: a third of the power, times sqrt(1/2)
    assert abs(correlation(500) - np.sqrt(0.5) / 3) < 5 / np.sqrt(n)
    assert abs(correlation(2000)) < 5 / np.sqrt(n)


def test_drift_of_a_step_does_not_depend_on_the_batch() -> None:
    batch = drift_normals(3, 995, 20, 7, 4)
    rows = [drift_normals(3, 995 + step, 1, 7, 4)[0] for step in range(20)]
    np.testing.assert_array_equal(batch, rows)
    assert drift_normals(3, 995, 0, 7, 4).shape == (0, 7)
    assert not drift_normals(3, 995, 5, 7, 0).any()


def test_pair_has_the_power_of_both_bands() -> None:
    parameters = quiet_except_flicker()
    n = 4000
    found = node_voltages(parameters, np.zeros((n, 1), dtype=int), 0, 1)
    # two gates of 20 um^2: 8.5e-12 V^2 per e-fold; 50 MHz to 1 Hz are 17.7 e-folds: 12.3 uV
    expected = np.sqrt(8.5e-12 * np.log(50e6))
    assert expected == pytest.approx(12.3e-6, rel=0.01)
    assert abs(found.std() - expected) < 5 * expected / np.sqrt(2 * n) + 0.01 * expected


def test_slow_part_is_the_same_in_the_next_step_and_the_fast_part_is_not() -> None:
    n = 4000
    slow = node_voltages(quiet_except_flicker(node_bandwidth=1e6), np.zeros((n, 1), dtype=int), 0, 2)
    fast = node_voltages(quiet_except_flicker(flicker_floor=1e6), np.zeros((n, 1), dtype=int), 0, 2)
    assert np.corrcoef(slow)[0, 1] > 0.9
    assert abs(np.corrcoef(fast)[0, 1]) < 5 / np.sqrt(n)


@pytest.mark.parametrize("topology", ["full_binary", "segmented", "m2m"])
def test_cells_have_the_power_of_their_units(topology: str) -> None:
    parameters = quiet_except_flicker(topology=topology, flicker_floor=1e6, pair_length=1e-3)  # type: ignore[arg-type]
    n, code = 4000, 200
    weights = np.tile([100, -27, 3], (n, 1))
    found = node_voltages(parameters, weights, code, 1)
    unit_power = 85e-12 * parameters.unit_gm_over_id**2 * np.log(50)  # relative, 1 MHz to 50 MHz
    units = parameters.weight_flicker[[100, 27, 3]].sum()
    expected = np.sqrt(unit_power * units) * code * 200 / 2**13 * parameters.lsb()
    assert abs(found.std() - expected) < 5 * expected / np.sqrt(2 * n) + 0.01 * expected


def test_capacitors_do_not_flicker() -> None:
    assert quiet_except_flicker(topology="c2c").cell_flicker == 0  # type: ignore[arg-type]


def test_smaller_units_flicker_more() -> None:
    small, large = (quiet_except_flicker(unit_length=length).cell_flicker for length in (0.2e-6, 1e-6))
    assert small > 4.5 * large


def test_flicker_leaves_the_thermal_noise_as_it_was() -> None:
    """Both are scaled from the same deviates, so switching one on does not redraw the other."""
    weights = np.zeros((5, 1), dtype=int)
    without, within = (
        node_voltages(
            MixedSignalNeuronParameters.ideal(noise_factor=3, flicker_factor=factor), weights, 0, 50
        )
        for factor in (0.0, 1.0)
    )
    np.testing.assert_allclose(without, within, atol=1e-4)
    assert (without != within).all()
