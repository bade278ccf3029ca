import math

import numpy as np
import pytest

from analog_models.activation import linear_range, saturate
from analog_models.process import GENERIC_65


def test_plain_pair_is_linear_over_two_n_thermal_voltages() -> None:
    assert linear_range(GENERIC_65, 1, 300) == pytest.approx(2 * 1.53 * 25.85e-3, rel=1e-3)


def test_output_saturates_at_the_linear_range() -> None:
    voltage = np.array([-100.0, -0.5, 0.0, 1e-6, 0.5, 100.0])
    expected = [-0.5, -0.5 * math.tanh(1), 0, 1e-6, 0.5 * math.tanh(1), 0.5]
    np.testing.assert_allclose(saturate(voltage, 0.5), expected, rtol=1e-9)


def test_infinite_range_changes_nothing() -> None:
    voltage = np.random.default_rng(1).normal(size=(4, 5))
    np.testing.assert_array_equal(saturate(voltage, math.inf), voltage)


def test_an_element_has_the_same_bits_in_every_array() -> None:
    voltage = np.random.default_rng(1).normal(size=(37, 11))
    whole = saturate(voltage, 0.7)
    for length in range(1, 38):
        np.testing.assert_array_equal(saturate(voltage[:length], 0.7), whole[:length])
        np.testing.assert_array_equal(saturate(voltage[-length:, ::2], 0.7), whole[-length:, ::2])
