import numpy as np
import pytest

from analog_models.adc import convert, convert_ramp, convert_sar, decisions, ramp_energy


def test_codes_are_rounded_half_up_and_clipped() -> None:
    level = np.array([-1e9, -0.6, -0.5, 0.49, 0.5, 1.5, 14.4, 14.5, 15.5, 1e30])
    np.testing.assert_array_equal(convert(level, 15), [0, 0, 0, 0, 1, 2, 14, 15, 15, 15])


def test_a_conversion_decides_once_per_bit() -> None:
    assert [decisions(code_max) for code_max in (1, 15, 255)] == [1, 4, 8]


@pytest.mark.parametrize("code_max", [1, 15, 200, 255])
def test_converters_without_errors_are_ideal(code_max: int) -> None:
    level = np.arange(-3, code_max + 3, 1 / 16)[:, np.newaxis]
    expected = convert(level, code_max)
    np.testing.assert_array_equal(convert_sar(level, np.zeros((1, 8)), code_max), expected)
    np.testing.assert_array_equal(convert_ramp(level, np.zeros(255), code_max), expected)


def test_each_neuron_has_its_own_sar() -> None:
    bit_error = np.zeros((2, 8))
    bit_error[1, 7] = 0.05  # the top bit weighs 134.4
    level = np.array([[130.0, 130.0], [140.0, 140.0]])
    np.testing.assert_array_equal(convert_sar(level, bit_error, 255), [[130, 127], [140, 134]])


def test_top_bit_that_is_too_light_takes_codes_away() -> None:
    bit_error = np.zeros((1, 8))
    bit_error[0, 7] = -0.05  # weighs 121.6: the codes from 122 to 127 never come
    codes = convert_sar(np.arange(0, 256, 0.25)[:, np.newaxis], bit_error, 255)
    assert set(range(256)) - set(codes[:, 0].tolist()) == set(range(122, 128))
    assert (np.diff(codes[:, 0]) >= 0).all()


def test_ramp_is_monotonic_whatever_its_steps() -> None:
    step_error = np.maximum(0.8 * np.random.default_rng(1).standard_normal(255), -1)
    codes = convert_ramp(np.arange(-1, 300, 0.25)[:, np.newaxis], step_error, 255)[:, 0]
    assert (np.diff(codes) >= 0).all()
    assert (codes[0], codes[-1]) == (0, 255)


def test_step_of_the_staircase_moves_all_later_codes() -> None:
    step_error = np.zeros(255)
    step_error[9] = 1.0
    codes = convert_ramp(np.array([[9.0], [10.0], [11.0], [101.0]]), step_error, 255)
    np.testing.assert_array_equal(codes[:, 0], [9, 9, 10, 100])


def test_energy_of_a_ramp_conversion_matches_a_hand_computation() -> None:
    found = ramp_energy(255, 16, supply=1.0, comparator_current=1e-6, clock=1e9, flip_flop_energy=5.4e-15)
    # 1 uA for 256 ns; 8 latches; a sixteenth of 256 cycles of 8 flip-flops
    assert found == pytest.approx(256e-15 + 8 * 5.4e-15 + 8 * 256 * 5.4e-15 / 16, rel=1e-9, abs=0)
    assert found == pytest.approx(0.99e-12, rel=0.01, abs=0)
