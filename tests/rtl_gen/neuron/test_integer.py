"""The integer neuron that all back ends share."""

import numpy as np
import pytest

from rtl_gen.formats import MacFormat
from rtl_gen.neuron.integer import simulate_core, simulate_neurons

MAC = MacFormat(n_inputs=1 << 16)


def test_sums_are_exact_at_the_largest_size() -> None:
    activations = np.full((1, MAC.n_inputs), MAC.activation_max)
    weights = np.full((2, MAC.n_inputs), MAC.weight_max)
    weights[1, 0] -= 1
    sums = activations.astype(object) @ weights.T.astype(object)
    assert sums[0, 0] == MAC.accumulator_max
    for offset in (0, 1, 2):  # codes cannot show a whole sum: look at its lowest bits through the rounding
        shift = 24 + offset
        expected = [(int(total) + (1 << (shift - 1))) >> shift for total in sums[0]]
        assert simulate_neurons(activations, weights, 1, shift, MAC, 1 << 20)[0].tolist() == expected


def test_batch_equals_its_rows_and_arguments_are_left_alone() -> None:
    rng = np.random.default_rng(seed=3)
    mac = MacFormat(n_inputs=20)
    weights, inputs = rng.integers(-127, 128, (6, 20)), rng.integers(0, 256, (4, 5, 18))
    for array in (weights, inputs):
        array.flags.writeable = False
    codes = np.stack([simulate_core(batch, weights, 90, 14, mac, 255, n_bias_axons=2) for batch in inputs])
    assert codes.any()
    full = np.concatenate([inputs, np.full((4, 5, 2), 255)], axis=2)
    np.testing.assert_array_equal(simulate_neurons(full, weights, 90, 14, mac, 255), codes)


@pytest.mark.parametrize(
    ("weight", "activation", "n_inputs", "message"),
    [
        (-128, 0, 3, r"^weights must be -127 to 127, got -128 to -128$"),
        (0, 256, 3, r"^activations must be 0 to 255, got 256 to 256$"),
        (0, -1, 3, r"^activations must be 0 to 255, got -1 to -1$"),
        (0, 0, 4, r"^weights and activations must have 3 inputs, got shapes \(1, 4\) and \(1, 4\)$"),
    ],
)
def test_codes_that_do_not_fit_are_refused(weight: int, activation: int, n_inputs: int, message: str) -> None:
    weights, activations = np.full((1, n_inputs), weight), np.full((1, n_inputs), activation)
    with pytest.raises(ValueError, match=message):
        simulate_neurons(activations, weights, 1, 0, MacFormat(n_inputs=3), 255)
