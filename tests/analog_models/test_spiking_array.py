from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import ndtr

from analog_models.spiking import SPIKING_ITEMS, SpikingNeuronDraw, SpikingNeuronParameters
from analog_models.spiking_array import SpikingArrayBank, SpikingArrayParameters

PLAIN: dict[str, Any] = {"leak_conductance": 0, "refractory_time": 0}  # integrate and fire, nothing else
IDEAL = SpikingNeuronParameters.ideal(**PLAIN)
DEFAULT = SpikingNeuronParameters()
SETTINGS: dict[str, Any] = {
    "gain": 1,
    "shift": 7,  # a threshold of 128 LSB
    "code_max": 255,
    "noise_seed": 5,
    "evaluation_time": 100e-6,
}


def make_bank(
    neuron: SpikingNeuronParameters, weights: Any, chip: int = 1, **settings: Any
) -> SpikingArrayBank:
    parameters = SpikingArrayParameters(neuron=neuron)
    weights = np.asarray(weights)
    draw = parameters.draw(*weights.shape, np.random.default_rng(chip))
    return parameters.bank(draw, weights=weights, **(SETTINGS | settings))


def random_array(n_steps: int = 40, n_axons: int = 30, n_neurons: int = 9) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    weights = rng.integers(-100, 128, (n_neurons, n_axons))
    return weights, rng.integers(0, 16, (n_steps, n_axons))


# What it computes


@pytest.mark.parametrize(("gain", "shift", "threshold"), [(1, 7, 128), (2, 9, 256), (3, 8, 85)])
def test_ideal_neurons_count_what_the_integer_neuron_computes(gain: int, shift: int, threshold: int) -> None:
    weights, inputs = random_array()
    neuron = SpikingNeuronParameters.ideal(**PLAIN, unit_current=100e-9)
    codes = make_bank(neuron, weights, gain=gain, shift=shift).evaluate(inputs).codes
    expected = np.clip((2 * (inputs @ weights.T) + threshold) // (2 * threshold), 0, 255)
    assert len(np.unique(expected)) >= 40
    np.testing.assert_array_equal(codes, expected)


def test_counters_stop_at_the_largest_code() -> None:
    weights, inputs = random_array()
    neuron = SpikingNeuronParameters.ideal(**PLAIN, unit_current=100e-9)
    free, stopped = (make_bank(neuron, weights, code_max=top).evaluate(inputs).codes for top in (255, 15))
    assert free.max() > 15
    np.testing.assert_array_equal(stopped, np.minimum(free, 15))


def test_current_is_lost_while_reset_holds_the_membrane() -> None:
    # 10 LSB/us from 50 LSB on fire at 5 us, then every 10 us and 1 us of reset: at 93 us for the ninth time.
    neuron = SpikingNeuronParameters.ideal(leak_conductance=0, refractory_time=1e-6)
    bank = make_bank(neuron, [[100]], gain=655, shift=16, code_max=15)
    assert bank.evaluate(np.array([[10]])).codes.item() == 9
    without = make_bank(IDEAL, [[100]], gain=655, shift=16, code_max=15)
    assert without.evaluate(np.array([[10]])).codes.item() == 10


def test_membrane_stands_where_its_charge_has_brought_it() -> None:
    bank = make_bank(IDEAL, [[32], [-64], [0], [127]])
    run = bank.evaluate(np.array([[1]]))
    assert run.codes.tolist() == [[0, 0, 0, 1]]
    # Reset at 0.2 V, threshold 0.4 V above, begin in the middle.
    expected = 0.2 + 0.4 * np.array([[64 + 32, 0, 64, 64 + 127 - 128]]) / 128
    np.testing.assert_allclose(run.membrane_voltage, expected, rtol=1e-12)


def test_a_step_does_not_depend_on_its_batch_nor_on_the_steps_before() -> None:
    weights, inputs = random_array()
    bank = make_bank(DEFAULT, weights, code_max=15, evaluation_time=1e-3)
    whole = bank.evaluate(inputs, first_step=7)
    for step in (0, 1, 33):
        alone = bank.evaluate(inputs[step : step + 1], first_step=7 + step)
        np.testing.assert_array_equal(alone.codes[0], whole.codes[step])
        np.testing.assert_array_equal(alone.membrane_voltage[0], whole.membrane_voltage[step])


def test_every_step_and_every_array_has_noise_of_its_own() -> None:
    weights, _ = random_array()
    inputs = np.full((3, weights.shape[1]), 3)
    voltages = [
        *make_bank(DEFAULT, weights, code_max=15, evaluation_time=1e-3).evaluate(inputs).membrane_voltage,
        *make_bank(DEFAULT, weights, code_max=15, evaluation_time=1e-3, noise_seed=6)
        .evaluate(inputs)
        .membrane_voltage,
    ]
    assert len({tuple(row) for row in voltages}) == 6


@pytest.mark.parametrize("below", [0, 1])
def test_noise_of_reset_decides_what_is_near_the_middle_of_two_codes(below: int) -> None:
    neuron = SpikingNeuronParameters.ideal(**PLAIN, reset_noise_factor=1)
    n_neurons = 4000
    weights = np.full((n_neurons, 5), 100)
    weights[:, 0] += 4 - below
    bank = make_bank(neuron, weights, gain=65, shift=16, code_max=1, noise_seed=3)
    threshold = round(2**16 / 65)
    sigma = np.sqrt(1.380649e-23 * 300 / 100e-15) / (0.4 / threshold)  # 0.2 mV of kT/C, in LSB of 0.4 mV
    share = 1 - ndtr((threshold / 2 - (504 - below)) / sigma)
    found = bank.evaluate(np.ones((1, 5), int)).codes.mean()
    deviation = np.sqrt(share * (1 - share) / n_neurons)
    assert found == pytest.approx(share, abs=4 * deviation)  # beyond four deviations once in 16,000 runs


# What it takes


def test_energy_is_that_of_the_neurons_and_of_precharge_and_counters() -> None:
    bank = make_bank(IDEAL, [[32], [127]])
    found = bank.energy(np.array([[1], [0]]), evaluation_time=100e-6)
    assert found.keys() == {*SPIKING_ITEMS, "precharge", "counter"}
    # In the first step the membranes end 32 and 1 LSB from the middle, of 0.4 V / 128 each; one spike.
    assert found["precharge"] == pytest.approx(100e-15 * 1.0 * 33 * 0.4 / 128, rel=1e-9)
    assert found["counter"] == pytest.approx(20e-15 * 1.0**2, rel=1e-9)
    assert found["comparator"] == pytest.approx(20e-9 * 1.0 * 2 * 2 * 100e-6, rel=1e-9)


def test_energy_of_a_batch_is_the_sum_of_its_steps_without_noise() -> None:
    weights, inputs = random_array(10)
    neuron = SpikingNeuronParameters.ideal(unit_current=10e-9)
    bank = make_bank(neuron, weights, code_max=15)
    whole = bank.energy(inputs, evaluation_time=100e-6)
    rows = [bank.energy(inputs[step : step + 1], evaluation_time=100e-6) for step in range(10)]
    for item, total in whole.items():
        assert total == pytest.approx(sum(row[item] for row in rows), rel=1e-9), item


# What is refused


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gain": 0}, r"^spiking array: gain must be a whole number from 1 to 65535, got 0$"),
        ({"shift": 32}, r"^spiking array: shift must be a whole number from 0 to 31, got 32$"),
        ({"code_max": 256}, r"^spiking array: code_max must be a whole number from 1 to 255, got 256$"),
        ({"evaluation_time": 0}, r"^spiking array: evaluation_time must be above 0 s and finite, got 0$"),
        (
            {"evaluation_time": 50e-6},
            r"an evaluation must be at least 7\.97e-05 s, as 255 pulses of 3\.12e-07 s take, got 5e-05 s$",
        ),
        ({"offset_trim": 1}, r"^spiking array: offset_trim must be 0, for there are no trims, got others$"),
        ({"gain_trim": [0, 1]}, r"^spiking array: gain_trim must be 0, for there are no trims, got others$"),
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_bank(DEFAULT, [[1], [2]], **changes)


def test_codes_beyond_the_largest_are_refused() -> None:
    with pytest.raises(ValueError, match=r"^spiking array: input_codes must be 0 to 15, got 3 to 16$"):
        make_bank(DEFAULT, [[1, 2]], code_max=15).evaluate(np.array([[3, 16]]))


def test_another_evaluation_time_has_no_energy() -> None:
    with pytest.raises(ValueError, match=r"evaluation_time must be 0\.0001 s, the array's own, got 0\.0002$"):
        make_bank(DEFAULT, [[1]]).energy(np.array([[1]]), evaluation_time=200e-6)


def test_clocked_comparator_is_refused() -> None:
    with pytest.raises(ValueError, match="clocked must be false, so that a step may have many spikes"):
        SpikingArrayParameters(neuron=SpikingNeuronParameters(clocked=True))


def test_a_draw_comes_back_from_disk(tmp_path: Path) -> None:
    draw = SpikingArrayParameters().draw(3, 4, np.random.default_rng(1))
    draw.save(tmp_path / "chip.npz")
    found = SpikingNeuronDraw.load(tmp_path / "chip.npz")
    for name in ("bit_error", "capacitance_error", "leak_error", "offset"):
        np.testing.assert_array_equal(getattr(found, name), getattr(draw, name))
    (tmp_path / "chip.npz").write_text("no arrays here")
    with pytest.raises(ValueError, match=r"chip\.npz: must be a saved draw of a spiking array, got"):
        SpikingNeuronDraw.load(tmp_path / "chip.npz")
