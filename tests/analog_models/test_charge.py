from typing import Any

import numpy as np
import pytest

from analog_models.charge import ITEMS, STATIC_ITEMS, gate_swing
from analog_models.device import transconductance_efficiency
from analog_models.neuron import MixedSignalNeuronBank, MixedSignalNeuronParameters
from analog_models.process import GENERIC_65

TIME = 100e-9


def joules(expected: Any, rel: float = 1e-9) -> Any:
    """Compare relatively only: pytest's default absolute tolerance of 1e-12 is a whole picojoule."""
    return pytest.approx(expected, rel=rel, abs=0)


def bank(
    parameters: MixedSignalNeuronParameters, weights: np.ndarray, **settings: Any
) -> MixedSignalNeuronBank:
    draw = parameters.draw(*weights.shape, np.random.default_rng(1))
    return parameters.bank(
        draw, weights=weights, **({"gain": 1, "shift": 0, "code_max": 255, "noise_seed": 1} | settings)
    )


def energy(array: MixedSignalNeuronBank, inputs: np.ndarray) -> dict[str, float]:
    return array.energy(inputs, evaluation_time=TIME)


def test_items_of_one_cell_match_a_hand_computation() -> None:
    parameters = MixedSignalNeuronParameters.ideal()
    array = bank(parameters, np.array([[-64]]), offset_trim=-5, shift=7)
    found = energy(array, np.array([[128]]))
    gate_voltage = float(gate_swing(GENERIC_65, parameters.unit_ic, 256, 300)[128])
    driver_gm_over_id = transconductance_efficiency(GENERIC_65, 1.0, 300)  # 15.6 /V
    assert found == joules(
        {
            "input_dac": 1.0 * 1e-6 * 0.5 * 100e-9,  # 50 fJ: half of 1 uA
            "mdac_gate": 1.0 * 127 * 11.75e-15 * gate_voltage,  # 127 units of 1 um^2
            "line_driver": 1.0 * 127 * 11.75e-15 / (5e-9 * driver_gm_over_id) * 100e-9,  # about 2 pJ
            "mdac_bias": 1.0 * 64 * 8e-9 * 0.5 * 100e-9,  # 25.6 fJ: 64 units of half of 8 nA
            "mdac_charge": 0.0,
            "activation_bias": 1.0 * 1e-6 * 100e-9,  # 100 fJ
            "trim": 1.0 * 5 * 1e-9 * 100e-9,  # 0.5 fJ: five codes of 1 nA
            "reset": 80e-15 * 1.0 * 64 * 128 / 2**7 / 256 * 0.2,  # 4 fJ: 64 LSB of 0.2 V / 256
            "adc": 2.7e-12,
        }
    )


def test_line_without_a_driver_is_charged_by_its_input_and_paid_once() -> None:
    parameters = MixedSignalNeuronParameters.ideal(line_time_constant=0, settling_factor=1)
    inputs = np.array([[128]])
    array = bank(parameters, np.array([[-64]]))
    ratio = 64 * 8e-9 / 1e-6  # of the mirror
    line = parameters.line_capacitance(2)  # of the cell, and as much of the diode
    for time in (1e-7, 1e-6, 1e-5):
        found = array.energy(inputs, evaluation_time=time)
        moments = np.linspace(0, time, 4001)[1:]
        flows = [0.0, *(0.5e-6 * parameters.settled_fraction(1, moment)[128] for moment in moments)]
        copied = ratio * np.trapezoid(flows, dx=time / 4000)
        assert found["mdac_gate"] == found["line_driver"] == 0
        assert found["input_dac"] == joules(1.0 * 0.5e-6 * time)
        assert found["mdac_bias"] == joules(1.0 * copied, rel=1e-3)  # the integral is a sum of trapezoids
    settled = 0.5e-6 * time - line * parameters.diode_line(1).ends[128]
    assert found["mdac_bias"] == joules(1.0 * ratio * settled, rel=1e-6)


def test_line_settled_at_once_keeps_nothing() -> None:
    without, driven = (
        energy(
            bank(MixedSignalNeuronParameters.ideal(line_time_constant=tau), np.array([[64]])), np.array([[9]])
        )
        for tau in (0, 5e-9)
    )
    assert without["mdac_bias"] == joules(driven["mdac_bias"])
    assert without["mdac_gate"] == 0 < driven["mdac_gate"]


def test_node_is_recharged_by_what_moved_it_and_not_beyond_the_supply() -> None:
    def reset(weight: int, **settings: Any) -> float:
        array = bank(MixedSignalNeuronParameters.ideal(), np.array([[weight]]), **settings)
        return energy(array, np.array([[200]]))["reset"]

    assert reset(0) == 0 < reset(1, shift=7)
    assert reset(-100, shift=7) == joules(100 * reset(1, shift=7))
    assert reset(50, shift=7, gain=2) == joules(reset(100, shift=7))
    assert reset(100, shift=7, offset_trim=9) == reset(100, shift=7)  # the pair comes behind the node
    assert reset(100) == joules(80e-15 * 1.0**2)


def test_every_item_is_described() -> None:
    found = energy(
        bank(MixedSignalNeuronParameters(), np.ones((2, 3), dtype=int)), np.ones((1, 3), dtype=int)
    )
    assert found.keys() == ITEMS.keys()
    assert set(STATIC_ITEMS) < ITEMS.keys()


def test_zero_input_takes_only_the_static_items() -> None:
    array = bank(MixedSignalNeuronParameters(), np.full((4, 8), 127), offset_trim=1)
    found = energy(array, np.zeros((5, 8), dtype=np.uint8))
    assert {item for item, total in found.items() if total > 0} == set(STATIC_ITEMS)


def test_energy_of_a_batch_is_the_sum_of_its_steps() -> None:
    rng = np.random.default_rng(1)
    array = bank(MixedSignalNeuronParameters(), rng.integers(-127, 128, (4, 8)), gain_trim=-5)
    inputs = rng.integers(0, 256, (6, 8), dtype=np.uint8)
    rows = [energy(array, inputs[step : step + 1]) for step in range(6)]
    for item, total in energy(array, inputs).items():
        assert total > 0 or item == "mdac_charge"
        assert total == joules(sum(row[item] for row in rows)), item


def test_bias_follows_time_and_the_rest_does_not() -> None:
    array = bank(MixedSignalNeuronParameters(), np.full((2, 3), 100), offset_trim=1)
    inputs = np.full((1, 3), 200, dtype=np.uint8)
    short, long = (array.energy(inputs, evaluation_time=time) for time in (TIME, 3 * TIME))
    ratio = {item: round(long[item] / short[item]) for item in ITEMS if short[item]}
    bias = {"input_dac", "line_driver", "mdac_bias", "activation_bias", "trim"}
    assert ratio == {item: 3 if item in bias else 1 for item in ITEMS if item != "mdac_charge"}


def test_gate_line_carries_the_cells_of_every_neuron_whatever_their_weights() -> None:
    inputs = np.array([[0, 7]], dtype=np.uint8)
    parameters = MixedSignalNeuronParameters()
    one, three = (
        energy(bank(parameters, np.full((n_neurons, 2), weight)), inputs)["mdac_gate"]
        for n_neurons, weight in ((1, 0), (3, 127))
    )
    assert three == joules(3 * one)


def test_current_through_the_cells_is_this_chips() -> None:
    weights = np.full((3, 50), 127)
    inputs = np.full((1, 50), 255, dtype=np.uint8)
    ideal, real = (
        energy(bank(parameters, weights), inputs)["mdac_bias"]
        for parameters in (MixedSignalNeuronParameters.ideal(), MixedSignalNeuronParameters())
    )
    assert real != ideal
    # 150 cells of sigma_u / sqrt(127) = 0.8 % each: the mean's standard error is 0.064 %; allow five
    assert real == joules(ideal, rel=5 * 0.00064)


def test_trim_codes_count_by_magnitude_up_to_the_last() -> None:
    weights, inputs = np.ones((2, 1), dtype=int), np.ones((1, 1), dtype=np.uint8)
    trims = np.array([-128, 127], dtype=np.int8)
    array = bank(MixedSignalNeuronParameters(), weights, offset_trim=trims, gain_trim=trims)
    assert energy(array, inputs)["trim"] == joules(2 * 255 * 1e-9 * TIME)


def test_coarser_converter_takes_less() -> None:
    weights, inputs = np.ones((1, 1), dtype=int), np.ones((1, 1), dtype=np.uint8)
    coarse = energy(bank(MixedSignalNeuronParameters(), weights, code_max=15), inputs)["adc"]
    assert coarse == joules(2.7e-12 / 2)


@pytest.mark.parametrize("time", [0, -1e-9, float("nan"), float("inf")])
def test_impossible_time_is_refused(time: float) -> None:
    array = bank(MixedSignalNeuronParameters(), np.ones((1, 1), dtype=int))
    with pytest.raises(ValueError, match=r"evaluation_time must be above 0 s and finite, got"):
        array.energy(np.ones((1, 1), dtype=np.uint8), evaluation_time=time)


def test_divider_and_ladder_take_what_they_drain() -> None:
    for topology, units in (("segmented", 48), ("m2m", 128)):  # 40 = 2 mirrors of 16 LSB and a feed of 16
        array = bank(MixedSignalNeuronParameters.ideal(topology=topology), np.array([[40]]))
        found = energy(array, np.array([[128]]))["mdac_bias"]
        assert found == joules(1.0 * units * 8e-9 * 0.5 * 100e-9), topology


def test_capacitors_take_charge_but_no_current() -> None:
    array = bank(MixedSignalNeuronParameters.ideal(topology="c2c"), np.array([[40]]))
    found = energy(array, np.array([[128]]))
    assert found["mdac_charge"] == joules(2 * 1.0 * 2 / 3 * 2e-15 * 0.5)  # 40 has two bits
    assert found["mdac_bias"] == found["mdac_gate"] == 0
