"""The generated digital neurons alone: what their toggles cost."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cosim.simulator import find_simulator
from neuromix.energy.estimate import EnergyReport
from neuromix.energy.frequency import DigitalNeuron
from neuromix.energy.generated import DRIVES, Drive, GeneratedNeuron, drive
from neuromix.energy.prices import load_table

approx = partial(pytest.approx, rel=1e-6, abs=0)

GENERAL = load_table("ptm65-gp")
CACHE = Path(__file__).parents[3] / "build" / "tests" / "simulators"


def measured(folder: Path, parallel: bool, kind: Drive, n_inputs: int = 9) -> EnergyReport:
    find_simulator("icarus")
    neuron = GeneratedNeuron(n_inputs=n_inputs, parallel=parallel)
    return neuron.measure(kind, GENERAL, folder=folder, cache=CACHE, n_results=100)


@pytest.mark.cosim
@pytest.mark.icarus
@pytest.mark.yosys
@pytest.mark.parametrize("parallel", [True, False])
def test_a_generated_neuron_costs_more_than_its_counted_cells_but_not_much(
    test_folder: Path, parallel: bool
) -> None:
    # Ungated clock, wires and the requantiser, shared by 9 inputs only, are what the count leaves out.
    counted = DigitalNeuron.counted(GENERAL, n_inputs=9, parallel=parallel, clock_max=1e9)
    for kind in DRIVES:
        report = measured(test_folder / kind, parallel, kind)
        assert report.annotated_share > 0.99
        neuron = DigitalNeuron.simulated(report, n_inputs=9, parallel=parallel, clock_max=1e9)
        assert 1 < neuron.energy_per_mac / counted.energy_per_mac < 3
        assert 1 < neuron.leakage / counted.leakage < 6


@pytest.mark.cosim
@pytest.mark.icarus
@pytest.mark.yosys
def test_dynamic_and_leakage_make_up_the_report(test_folder: Path) -> None:
    report = measured(test_folder, True, "random")
    neuron = DigitalNeuron.simulated(report, n_inputs=9, parallel=True, clock_max=1e9)
    one_second_per_cycle = neuron.energy_per_mac * report.n_macs + neuron.leakage * 9 * report.cycles
    assert one_second_per_cycle == approx(report.total)
    assert report.cycles == 100
    assert report.n_macs == 900


@pytest.mark.cosim
@pytest.mark.icarus
@pytest.mark.yosys
def test_random_codes_toggle_more_than_a_photo(test_folder: Path) -> None:
    random, photo = (measured(test_folder / kind, True, kind) for kind in ("random", "photo"))
    for component in ("multipliers", "adders", "registers"):
        assert random.by_component[component] > photo.by_component[component] > 0
    assert random.by_component["clock"] == photo.by_component["clock"]


def test_a_photo_slides_and_keeps_its_weights() -> None:
    weights, codes = drive("photo", 50, 25, np.random.default_rng(1))
    assert weights.shape == codes.shape == (50, 25)
    assert (weights == weights[0]).all()
    assert np.array_equal(codes[1].reshape(5, 5)[:, :4], codes[0].reshape(5, 5)[:, 1:])
    assert codes.std() > 5, "the photo is too even to prove anything"


def test_random_codes_use_the_whole_range() -> None:
    weights, codes = drive("random", 500, 25, np.random.default_rng(1))
    assert (weights.min(), weights.max(), codes.min(), codes.max()) == (-127, 127, 0, 255)


def test_a_photo_needs_a_square_window() -> None:
    with pytest.raises(ValueError, match=r"^drive: inputs of a photo must be a square number, got 24$"):
        drive("photo", 1, 24, np.random.default_rng(1))
