import math

import pytest

from analog_models.membrane import crossing_time, decay, effective_time, injection_step, time_constant
from analog_models.process import GENERIC_65

TAUS = [math.inf, 1e-3, 1e-5, 1e-7]


def voltage(start: float, slope: float, time: float, tau: float) -> float:
    return start * decay(time, tau) + slope * effective_time(time, tau)


def exact(expected: float) -> object:
    """Compare floats to rounding; pytest's default absolute tolerance of 1e-12 is a whole picosecond."""
    return pytest.approx(expected, rel=1e-9, abs=1e-30)


@pytest.mark.parametrize("tau", TAUS)
def test_many_short_times_equal_one_long_time(tau: float) -> None:
    level = 0.3
    for _ in range(1000):
        level = voltage(level, 2e3, 1e-8, tau)
    assert level == exact(voltage(0.3, 2e3, 1e-5, tau))


def test_leaky_voltage_obeys_its_differential_equation() -> None:
    tau, slope, time, small = 1e-5, 4e4, 3e-6, 1e-11
    rise = (voltage(0.1, slope, time + small, tau) - voltage(0.1, slope, time - small, tau)) / (2 * small)
    assert rise == pytest.approx(slope - voltage(0.1, slope, time, tau) / tau, rel=1e-6)


def test_leak_vanishes_as_its_time_constant_grows() -> None:
    assert effective_time(1e-6, 1e6) == exact(effective_time(1e-6, math.inf))
    assert crossing_time(0.1, 0.4, 1e4, 1e6) == exact(crossing_time(0.1, 0.4, 1e4, math.inf))
    assert time_constant(1e-13, 0) == math.inf
    assert time_constant(1e-13, 1e-9) == exact(1e-4)


@pytest.mark.parametrize("tau", TAUS)
@pytest.mark.parametrize("start", [-0.1, 0.0, 0.39])
def test_membrane_is_at_the_threshold_when_it_crosses(start: float, tau: float) -> None:
    slope = 1.001 * 0.4 / min(tau, 1e-4)
    time = crossing_time(start, 0.4, slope, tau)
    assert 0 < time < math.inf
    assert voltage(start, slope, time, tau) == exact(0.4)


@pytest.mark.parametrize("slope", [0.0, -1e4])
@pytest.mark.parametrize("tau", TAUS)
def test_membrane_never_crosses_without_drive(slope: float, tau: float) -> None:
    assert crossing_time(0.1, 0.4, slope, tau) == math.inf


def test_leaky_membrane_never_crosses_when_the_leak_takes_it_all() -> None:
    assert crossing_time(0, 0.4, 0.4 / 1e-5, 1e-5) == math.inf
    assert crossing_time(0, 0.4, 0.4001 / 1e-5, 1e-5) < math.inf


def test_injection_matches_a_hand_computation() -> None:
    sizes = {"width": 0.2e-6, "length": 60e-9, "overlap": 0.3e-9, "supply": 1.0, "capacitance": 100e-15}
    # channel 0.141 fF x (1 - 0.2 - 0.42) V = 53.6 aC, half of it; overlap 0.06 fF x 1 V = 60 aC
    assert injection_step(GENERIC_65, 300, reset_voltage=0.2, **sizes) == pytest.approx(0.868e-3, rel=1e-3)
    # a switch that reset already closes has no channel
    assert injection_step(GENERIC_65, 300, reset_voltage=0.7, **sizes) == exact(0.6e-3)
