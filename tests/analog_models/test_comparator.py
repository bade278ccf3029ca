import math

import numpy as np
import pytest

from analog_models.comparator import decision_delay, ramp_delay

PAIR = {"transconductance": 240e-9, "tail_current": 20e-9, "output_charge": 1e-15}


@pytest.mark.parametrize("slope", [1e2, 1e4, 1e5, 1e6, 1e8])
def test_ramp_delay_is_when_the_pairs_current_has_moved_the_charge(slope: float) -> None:
    delay = ramp_delay(slope, **PAIR)
    time = np.linspace(0, delay, 100_001)
    current = np.minimum(PAIR["transconductance"] * slope * time, PAIR["tail_current"])
    assert np.trapezoid(current, time) == pytest.approx(PAIR["output_charge"], rel=1e-6)


def test_delay_falls_with_the_slope_down_to_the_slewing_limit() -> None:
    slopes = np.geomspace(1, 1e10, 200)
    delays = np.array([ramp_delay(slope, **PAIR) for slope in slopes])
    assert (np.diff(delays) < 0).all()
    limit = PAIR["output_charge"] / PAIR["tail_current"]
    assert delays[-1] == pytest.approx(limit, rel=1e-3)
    assert delays[0] * math.sqrt(slopes[0]) == pytest.approx(delays[1] * math.sqrt(slopes[1]))


def test_comparator_without_load_decides_at_once() -> None:
    assert ramp_delay(1.0, **PAIR | {"output_charge": 0}) == 0
    assert decision_delay(1e-9, time_constant=0, swing=0.5) == 0


def test_latch_takes_a_time_constant_per_factor_e() -> None:
    slow, fast = (decision_delay(v, time_constant=8e-9, swing=0.5) for v in (1e-3, 1e-3 * math.e))
    assert slow - fast == pytest.approx(8e-9, abs=1e-15)
    assert decision_delay(0.6, time_constant=8e-9, swing=0.5) == 0
