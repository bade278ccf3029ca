import time

import numpy as np
import pytest

from analog_models.noise import DrawnAhead, mirror_noise_factor, step_normals, thermal_variance

STANDARD_ERRORS = 5  # of a sample deviation sigma / sqrt(2 n), of a mean or correlation 1 / sqrt(n)


def test_forty_one_femtofarads_give_a_tenth_of_a_microvolt_squared() -> None:
    variance = thermal_variance(41e-15, 1, 300)
    assert variance == pytest.approx(0.1e-6, rel=0.02)  # [V^2]: 0.1 times 1e-6 V^2, not (0.1 uV)^2
    assert np.sqrt(variance) == pytest.approx(0.316e-3, rel=0.01)


def test_deviates_are_standard_normal_and_independent() -> None:
    n_steps, n_neurons = 5000, 10
    normals = step_normals(7, 0, n_steps, n_neurons)
    n = normals.size
    assert abs(normals.std() - 1) < STANDARD_ERRORS / np.sqrt(2 * n)
    assert abs(normals.mean()) < STANDARD_ERRORS / np.sqrt(n)
    assert abs(np.mean(normals[:, 1:] * normals[:, :-1])) < STANDARD_ERRORS / np.sqrt(n - n_steps)
    assert abs(np.mean(normals[1:] * normals[:-1])) < STANDARD_ERRORS / np.sqrt(n - n_neurons)


@pytest.mark.parametrize("n_neurons", [1, 3, 4, 5, 10])
def test_a_step_is_the_same_in_every_batch(n_neurons: int) -> None:
    batch = step_normals(7, 1000, 20, n_neurons)
    rows = [step_normals(7, 1000 + step, 1, n_neurons)[0] for step in range(20)]
    np.testing.assert_array_equal(batch, rows)
    assert len(np.unique(batch)) == batch.size


def test_another_seed_gives_other_deviates() -> None:
    assert not np.isin(step_normals(1, 0, 50, 10), step_normals(2, 0, 50, 10)).any()


def test_far_steps_and_long_seeds_are_addressable() -> None:
    assert np.isfinite(step_normals((1 << 128) - 1, (1 << 63) - 1, 1, 1000)).all()


def test_a_million_deviates_cost_well_under_a_second() -> None:
    start = time.process_time()
    step_normals(1, 0, 10_000, 100)
    assert time.process_time() - start < 1


def test_mirror_in_weak_inversion_adds_its_shot_noise_to_the_loads() -> None:
    # 1 uA over 200 kohm: shot noise 2qI over one of two loads adds V/(4 U_T) = 0.2 V / 103.4 mV to kT/C.
    thermal, slope = 0.02585, 1.5
    gm = 1e-6 / (slope * thermal)
    alone = mirror_noise_factor(gm, gm, slope / 2, 200e3, diode_pole=0, node_pole=1e7)
    assert alone == pytest.approx(1 + 0.2 / (4 * thermal))
    fast_diode = mirror_noise_factor(gm, gm, slope / 2, 200e3, diode_pole=1e12, node_pole=1e7)
    assert fast_diode == pytest.approx(1 + 2 * 0.2 / (4 * thermal), rel=1e-4)
    # A mirror of twice the diode has twice the noise of its own, and four times the diode's.
    double = mirror_noise_factor(gm, 2 * gm, slope / 2, 200e3, diode_pole=1e7, node_pole=1e7)
    assert double == pytest.approx(1 + (2 + 4 / 2) * 0.2 / (4 * thermal))
    assert mirror_noise_factor(gm, 0, slope / 2, 200e3, diode_pole=1e7, node_pole=1e7) == 1


def test_streams_are_independent_and_the_first_is_the_default() -> None:
    n = 20_000
    plain, first, second = (
        step_normals(1, 5, 1, n, **stream) for stream in ({}, {"stream": 0}, {"stream": 1})
    )
    np.testing.assert_array_equal(plain, first)
    assert abs(np.mean(plain * second)) < 5 / np.sqrt(n)  # five standard errors of a correlation


def test_what_is_drawn_ahead_is_what_each_step_has() -> None:
    draws: list[int] = []

    def draw(first_step: int, n_steps: int) -> np.ndarray:
        draws.append(n_steps)
        return step_normals(7, first_step, n_steps, 5)

    ahead = DrawnAhead(draw)
    expected = step_normals(7, 0, 1000, 5)
    for first, count in [(step, 1) for step in range(300)] + [
        (300, 40),
        (340, 500),
        (3, 1),
        (900, 2),
        (4, 1),
    ]:
        np.testing.assert_array_equal(ahead(first, count), expected[first : first + count])
    assert len(draws) < 20, "one by one costs a draw each"
    assert draws[0] == 1, "whoever asks once need not pay for more"


def test_a_caller_that_comes_in_between_takes_nothing_from_another() -> None:
    # Golden models of several parts of the images run in threads, on the same arrays.
    ahead = DrawnAhead(lambda first, count: step_normals(7, first, count, 5))
    expected = step_normals(7, 0, 100, 5)
    for step in range(2):
        ahead(step, 1)  # from the second on steps are kept

    class Interrupted(int):
        def __ge__(self, other: int) -> bool:  # what the look into the steps that are there begins with
            ahead(61, 1)
            return int(self) >= other

    np.testing.assert_array_equal(ahead(Interrupted(60), 10), expected[60:70])
