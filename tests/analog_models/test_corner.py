import dataclasses

import numpy as np
import pytest

from analog_models.corner import CORNERS, GLOBAL_MOBILITY, GLOBAL_THRESHOLD, Corner, draw_corner
from analog_models.device import gate_voltage, off_current
from analog_models.neuron import MixedSignalNeuronParameters
from analog_models.process import GENERIC_65


def test_typical_corner_changes_nothing_but_the_name() -> None:
    process = CORNERS["tt"].process(GENERIC_65)
    assert dataclasses.replace(process, name=GENERIC_65.name) == GENERIC_65
    design = CORNERS["tt"].design(MixedSignalNeuronParameters())
    assert dataclasses.replace(design, process=GENERIC_65) == MixedSignalNeuronParameters()


def test_fast_devices_need_less_gate_voltage_and_leak_more() -> None:
    fast, typical, slow = (CORNERS[name].process(GENERIC_65) for name in ("fs", "tt", "sf"))
    swings = [float(gate_voltage(process, 0.01, 300)) for process in (fast, typical, slow)]
    leaks = [off_current(process, 1e-6, 300) for process in (fast, typical, slow)]
    assert swings == sorted(swings)
    assert leaks == sorted(leaks, reverse=True)
    assert leaks[1] == pytest.approx(50e-9)
    # 40 mV over n U_T = 39.6 mV, and 10 % of mobility
    assert leaks[0] / leaks[1] == pytest.approx(1.1 * np.exp(0.04 / 0.03955), rel=1e-3)


def test_leakage_doubles_every_27_kelvin_and_is_worst_in_the_hot_fast_corner() -> None:
    assert off_current(GENERIC_65, 1e-6, 327) == pytest.approx(100e-9)
    leaks = {
        name: off_current(corner.process(GENERIC_65), 1e-6, corner.temperature)
        for name, corner in CORNERS.items()
    }
    assert max(leaks, key=leaks.__getitem__) == "ff_hot"


def test_design_at_a_corner_has_its_supply_and_temperature() -> None:
    design = CORNERS["ss"].design(MixedSignalNeuronParameters())
    assert (design.supply, design.temperature) == (0.9, 398)
    assert design.process.threshold_voltage == pytest.approx(0.46)


def test_linear_range_and_noise_follow_the_temperature() -> None:
    cold, hot = (
        CORNERS[name].design(MixedSignalNeuronParameters(node_full_scale=0.1)) for name in ("ff", "ss")
    )
    assert hot.linear_range / cold.linear_range == pytest.approx(398 / 233)
    assert hot.noise_variance / cold.noise_variance == pytest.approx(398 / 233)


def test_mirrors_cancel_the_corner() -> None:
    weights, inputs = np.full((1, 4), 100), np.full((1, 4), 200, np.uint8)
    codes = set()
    for corner in CORNERS.values():
        design = corner.design(MixedSignalNeuronParameters.ideal())
        draw = design.draw(1, 4, np.random.default_rng(1))
        bank = design.bank(draw, weights=weights, gain=200, shift=17, code_max=255, noise_seed=1)
        codes.add(int(bank.evaluate(inputs).codes[0, 0]))
    assert len(codes) == 1


def test_global_draws_have_their_deviation_and_stop_at_three() -> None:
    rng = np.random.default_rng(1)
    n = 20_000
    drawn = [draw_corner(rng) for _ in range(n)]
    for values, limit in (
        ([corner.threshold_shift for corner in drawn], GLOBAL_THRESHOLD),
        ([corner.mobility_factor - 1 for corner in drawn], GLOBAL_MOBILITY),
    ):
        assert np.abs(values).max() <= limit * (1 + 1e-9)
        # five standard errors of a deviation; cutting at three narrows it by less than 1 %
        assert np.std(values) == pytest.approx(limit / 3, rel=5 / np.sqrt(2 * n) + 0.01)


def test_corner_outside_its_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^corner odd: supply_factor must be 0.5 to 1.5, got 2$"):
        Corner(name="odd", supply_factor=2)
