import numpy as np

from analog_models.linearity import differential_nonlinearity, integral_nonlinearity


def test_hand_computed_levels() -> None:
    levels = np.array([0.0, 1.5, 2.0, 3.0])  # steps 1.5, 0.5, 1 of a mean of 1
    np.testing.assert_allclose(differential_nonlinearity(levels), [0.5, -0.5, 0])
    np.testing.assert_allclose(integral_nonlinearity(levels), [0, 0.5, 0, 0])


def test_offset_and_gain_are_no_nonlinearity() -> None:
    levels = 7 - 3 * np.arange(5.0)
    assert not differential_nonlinearity(levels).any()
    assert not integral_nonlinearity(levels).any()


def test_many_converters_at_once_are_each_by_itself() -> None:
    levels = np.random.default_rng(1).random((4, 9)).cumsum(axis=1)
    for row, dnl, inl in zip(
        levels, differential_nonlinearity(levels), integral_nonlinearity(levels), strict=True
    ):
        np.testing.assert_array_equal(dnl, differential_nonlinearity(row))
        np.testing.assert_array_equal(inl, integral_nonlinearity(row))
