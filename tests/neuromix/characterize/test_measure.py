"""What is taken from a transient's record."""

import numpy as np
import pytest

from neuromix.characterize.measure import operation_energy
from neuromix.characterize.points import Condition, Plan
from neuromix.characterize.predict import settling_time


def test_exponential_settles_after_the_logarithm_of_its_tolerance() -> None:
    time = np.linspace(0, 20, 4001)
    # The band lies around the last value, off by e^-20; between points the curve bends by less than 1e-5.
    assert settling_time(time, 1 - np.exp(-time), 0.01) == pytest.approx(np.log(100), abs=1e-4)


def test_signal_that_leaves_the_band_again_has_not_settled() -> None:
    time = np.arange(6.0)
    assert settling_time(time, np.array([0, 1, 0.5, 1, 1, 1]), 0.1) == pytest.approx(2.8)


def test_signal_that_never_leaves_the_band_is_settled_at_once() -> None:
    assert settling_time(np.arange(3.0), np.array([1, 1.01, 1]), 0.1) == 0


def record() -> tuple[np.ndarray, np.ndarray]:
    """An evaluation of 10 s that draws 2 W after 4 s at 1 W, and a reset that draws 3 J above 1 W at rest."""
    time = np.array([-1, 0, 4, 4.000001, 10, 10.000001, 11, 11.000001, 20])
    power = np.array([9, 1, 1, 2, 2, 4, 4, 1, 1.0])
    return time, power


@pytest.mark.parametrize(
    ("duration", "joules"), [(10, 4 + 12 + 3), (4, 4 + 3), (2, 2 + 3), (15, 4 + 12 + 10 + 3)]
)
def test_energy_is_that_of_evaluation_and_recharge(duration: float, joules: float) -> None:
    time, power = record()
    assert operation_energy(time, power, duration, 10) == pytest.approx(joules, abs=1e-4)


def test_condition_is_a_known_corner_at_its_own_temperature() -> None:
    condition = Condition(corner_name="ff", celsius=85)
    assert condition.name == "ff_85c"
    assert condition.corner.temperature == pytest.approx(358.15)
    assert condition.corner.threshold_shift < 0
    with pytest.raises(ValueError, match=r"^characterize: corner must be one of tt, ff, .*, got 'xx'$"):
        Condition(corner_name="xx", celsius=27)


@pytest.mark.parametrize(
    ("changes", "said"), [({"codes": (0, 1, 3)}, "evenly spaced"), ({"cells": 1}, "at least 2")]
)
def test_plan_that_cannot_be_measured_is_refused(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=rf"^plan: .*{said}"):
        Plan(**changes)
