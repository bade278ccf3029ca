import numpy as np

from analog_models.adc import convert, decisions


def test_codes_are_rounded_half_up_and_clipped() -> None:
    level = np.array([-1e9, -0.6, -0.5, 0.49, 0.5, 1.5, 14.4, 14.5, 15.5, 1e30])
    np.testing.assert_array_equal(convert(level, 15), [0, 0, 0, 0, 1, 2, 14, 15, 15, 15])


def test_a_conversion_decides_once_per_bit() -> None:
    assert [decisions(code_max) for code_max in (1, 15, 255)] == [1, 4, 8]
