"""The hardware's calibration against the drawn arrays: the trims of the software twin, exactly."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from cosim.simulator import SimulatorName
from neuromix.calibration import find_trims, plan_calibration, read_trims
from neuromix.reference import draw_arrays
from testbenches.chip_bench import Played, chip_case

Play = Callable[..., Played]


def test_the_chip_finds_the_trims_of_the_twin(simulator_name: SimulatorName, play: Play) -> None:
    case = chip_case("calibrated")
    found = read_trims(case.mapped, play(case, simulator_name).result.reads)
    assert case.plan is not None
    assert case.arrays is not None
    assert found.keys() == case.trims.keys()
    for place, trims in case.trims.items():
        np.testing.assert_array_equal(found[place], trims)
        assert np.unique(trims).size > 4, "every neuron must need a trim of its own"
    noises = {place: seed + 1 for place, seed in case.arrays.noise_seeds.items()}
    noisy = find_trims(case.mapped, replace(case.arrays, noise_seeds=noises), case.plan)
    assert any((noisy[place] != trims).any() for place, trims in case.trims.items()), "noise must matter"


@pytest.mark.cosim
@pytest.mark.icarus
def test_trims_out_of_reach_end_at_the_rim(play: Play) -> None:
    case = chip_case("calibrated")
    assert case.arrays is not None
    parameters = replace(case.arrays.parameters, offset_factor=10.0, gain_sigma=0.2)
    arrays = draw_arrays(case.mapped, parameters, 3)
    plan = plan_calibration(case.mapped, parameters, repeats_log2=0)
    trims = find_trims(case.mapped, arrays, plan)
    rims = np.concatenate(list(trims.values()))
    assert {rims.min(), rims.max()} == {-128, 127}
    played = play(replace(case, arrays=arrays, plan=plan, trims=trims), "icarus")
    for place, codes in read_trims(case.mapped, played.result.reads).items():
        np.testing.assert_array_equal(codes, trims[place])
    assert played.comparison.equal
