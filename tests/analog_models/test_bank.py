"""Flaws of the array beyond mismatch, noise and offset: conductance, droop, converters; energy adds up."""

from typing import Any

import numpy as np
import pytest

from analog_models.bank import MixedSignalNeuronBank
from analog_models.draw import MixedSignalNeuronDraw
from analog_models.mismatch import draw_relative_error
from analog_models.neuron import MixedSignalNeuronParameters

SETTINGS: dict[str, Any] = {"gain": 256, "shift": 15, "code_max": 255, "noise_seed": 5}
DEFAULT = MixedSignalNeuronParameters()


def make_bank(
    parameters: MixedSignalNeuronParameters, weights: np.ndarray, **settings: Any
) -> MixedSignalNeuronBank:
    draw = parameters.draw(*weights.shape, np.random.default_rng(1))
    return parameters.bank(draw, weights=weights, **(SETTINGS | settings))


def only(flaw: str, factor: float = 1.0, **overrides: Any) -> MixedSignalNeuronParameters:
    return MixedSignalNeuronParameters.ideal(**({f"{flaw}_factor": factor} | overrides))


def test_new_deviations_leave_the_older_draws_alone() -> None:
    rng = np.random.default_rng(7)
    draw = DEFAULT.draw(3, 4, rng)
    again = np.random.default_rng(7)
    np.testing.assert_array_equal(draw.offset, DEFAULT.offset_sigma * again.standard_normal(3))
    np.testing.assert_array_equal(draw.gain_error, draw_relative_error(0.01, (3,), again))
    sigma = DEFAULT.sigma_unit / np.sqrt(2.0 ** np.arange(7))
    np.testing.assert_array_equal(draw.bit_error, draw_relative_error(sigma, (3, 4, 7), again))
    assert rng.random() == again.random()


def test_converters_are_drawn_with_their_spread() -> None:
    n = 4000
    draw = DEFAULT.draw(n, 1, np.random.default_rng(1))
    # five standard errors of a deviation
    assert draw.adc_offset.std() == pytest.approx(0.2e-3, rel=5 / np.sqrt(2 * n))
    for bit in range(8):  # 0.6 % um on 0.5 um^2 is 0.85 % for a unit of 1 fF
        expected = 0.006 / np.sqrt(0.5) / np.sqrt(2**bit)
        assert draw.adc_bit_error[:, bit].std() == pytest.approx(expected, rel=5 / np.sqrt(2 * n))
    assert draw.adc_step_error.std() == pytest.approx(0.006 / np.sqrt(0.5), rel=5 / np.sqrt(2 * 255))


def test_draw_without_the_newer_arrays_has_none_of_their_deviations() -> None:
    draw = MixedSignalNeuronDraw(bit_error=np.zeros((3, 4, 7)), gain_error=np.zeros(3), offset=np.zeros(3))
    assert draw.adc_bit_error.shape == (3, 8)
    assert draw.adc_step_error.shape == (255,)
    assert draw.leak.shape == draw.adc_offset.shape == (3,)
    with pytest.raises(ValueError, match=r"^mixed-signal draw: leak must have shape \(3,\), got \(2,\)$"):
        MixedSignalNeuronDraw(
            bit_error=np.zeros((3, 4, 7)), gain_error=np.zeros(3), offset=np.zeros(3), leak=np.zeros(2)
        )


# Output conductance


def test_short_mirror_has_the_measured_gain_error() -> None:
    parameters = only("conductance", unit_length=0.2e-6)
    loss = 1 - 1 / (1 + parameters.output_conductance * 0.3)
    assert loss == pytest.approx(0.05, abs=0.005)  # 3 to 5 % at 0.3 V, the upper end in weak inversion
    assert only("conductance").output_conductance == pytest.approx(0.19 / 5)  # 1 um long
    assert only("conductance", 1 / 30).output_conductance == pytest.approx(0.19 / 5 / 30)  # cascoded


def test_node_loses_what_its_own_mirrors_conduct() -> None:
    parameters = only("conductance")
    inputs = np.full((1, 2), 255, dtype=np.uint8)
    weights = np.array([[100, 0], [100, 27], [100, -27]])
    found = make_bank(parameters, weights).evaluate(inputs).node_voltage[0]
    per_unit = parameters.lsb() / 2**7  # volts per unit of sum(x * w)
    total = 255 * np.abs(weights).sum(axis=1)  # every current loads the node, whatever its sign
    expected = 255 * weights.sum(axis=1) * per_unit / (1 + 0.038 * per_unit * total)
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_small_inputs_have_the_larger_mirror_gain() -> None:
    parameters = only("conductance")
    gain = parameters.mirror_gain
    assert (np.diff(gain) <= 0).all()
    assert gain[-1] == 1
    # from full scale to a tenth: ln(10) n U_T = 91 mV in weak inversion, 0.35 % at 0.038 /V
    assert gain[26] - 1 == pytest.approx(0.0035, rel=0.05)


# Droop


def test_droop_matches_a_hand_computation() -> None:
    # 0.2 um x 50 nA/um / 500 = 20 pA, for 80 ns on 80 fF: 20 uV; twice as much 27 K hotter
    assert DEFAULT.droop == pytest.approx(20e-6)
    assert MixedSignalNeuronParameters(temperature=327).droop == pytest.approx(40e-6)


def test_held_node_falls_by_the_difference_of_its_switches() -> None:
    parameters = only("droop", 100.0)
    draw = parameters.draw(50, 1, np.random.default_rng(1))
    bank = parameters.bank(draw, weights=np.zeros((50, 1), dtype=int), **SETTINGS)
    found = bank.evaluate(np.zeros((1, 1), dtype=np.uint8)).node_voltage[0]
    np.testing.assert_allclose(found, -draw.leak * 2e-3, rtol=1e-9)
    assert draw.leak.min() < 0 < draw.leak.max()


# Converters


@pytest.mark.parametrize("kind", ["sar", "ramp"])
def test_converter_noise_spreads_the_codes_and_not_the_node(kind: str) -> None:
    parameters = only("adc", adc_kind=kind, adc_noise=4e-3, adc_offset_sigma=0, adc_unit_capacitance=1e-12)
    n = 4000
    result = make_bank(parameters, np.full((10, 1), 64)).evaluate(np.full((n // 10, 1), 200, dtype=np.uint8))
    assert (result.node_voltage == 100 * parameters.lsb()).all()
    expected = np.hypot(4e-3 / parameters.lsb(), np.sqrt(1 / 12))  # 5.1 LSB, and rounding
    # five standard errors; the converters' own nonlinearity, 0.03 % per unit, is far below
    assert abs(result.codes.std() - expected) < 5 * expected / np.sqrt(2 * n)
    assert abs(result.codes.mean() - 100) < 5 * expected / np.sqrt(n) + 0.1


def test_converter_offset_is_the_draws() -> None:
    parameters = only("adc", adc_noise=0, adc_offset_sigma=10e-3, adc_unit_capacitance=1e-12)
    draw = parameters.draw(50, 1, np.random.default_rng(1))
    bank = parameters.bank(draw, weights=np.full((50, 1), 64), **SETTINGS)
    codes = bank.evaluate(np.full((1, 1), 200, dtype=np.uint8)).codes[0]
    np.testing.assert_allclose(codes, 100 + draw.adc_offset / parameters.lsb(), atol=0.7)


@pytest.mark.parametrize("kind", ["sar", "ramp"])
def test_a_batch_equals_its_rows_with_every_flaw_on(kind: str) -> None:
    rng = np.random.default_rng(2)
    weights, inputs = rng.integers(-127, 128, (7, 30)), rng.integers(0, 256, (60, 30), dtype=np.uint8)
    parameters = MixedSignalNeuronParameters(adc_kind=kind, unit_length=0.2e-6, flicker_factor=100)
    bank = make_bank(parameters, weights, evaluation_time=20e-9, shift=17)
    batch = bank.evaluate(inputs, first_step=70)
    for step in range(60):
        row = bank.evaluate(inputs[step : step + 1], first_step=70 + step)
        np.testing.assert_array_equal(row.codes[0], batch.codes[step])
        np.testing.assert_array_equal(row.node_voltage[0], batch.node_voltage[step])


@pytest.mark.parametrize("flaw", ["flicker", "conductance", "droop", "adc"])
def test_agreement_with_the_ideal_falls_as_a_flaw_grows(flaw: str) -> None:
    rng = np.random.default_rng(2)
    weights, inputs = rng.integers(-127, 128, (20, 60)), rng.integers(0, 256, (200, 60), dtype=np.uint8)
    ideal = make_bank(MixedSignalNeuronParameters.ideal(), weights, shift=19).evaluate(inputs).codes
    in_range = (ideal > 0) & (ideal < 255)
    assert in_range.mean() > 0.2, "most codes are clipped, so the flaw cannot show"
    largest = {"flicker": 1e4, "conductance": 10, "droop": 1000, "adc": 10}[flaw]
    agreement = [
        (make_bank(only(flaw, largest * share), weights, shift=19).evaluate(inputs).codes == ideal)[
            in_range
        ].mean()
        for share in (0, 0.03, 0.3, 1)
    ]
    assert agreement[0] == 1
    assert (np.diff(agreement) < 0).all()


# Energy


def test_energy_of_an_array_is_the_sum_of_its_neurons_but_for_what_they_share() -> None:
    rng = np.random.default_rng(2)
    weights, inputs = rng.integers(-127, 128, (3, 5)), rng.integers(0, 256, (4, 5), dtype=np.uint8)
    parameters = MixedSignalNeuronParameters.ideal()
    settings = {"evaluation_time": 40e-9}

    def energy(rows: np.ndarray) -> dict[str, float]:
        bank = make_bank(parameters, rows)
        return bank.energy(inputs, **settings)

    whole, parts = energy(weights), [energy(weights[n : n + 1]) for n in range(3)]
    for item, joules in whole.items():
        shared = item == "input_dac"
        expected = parts[0][item] if shared else sum(part[item] for part in parts)
        assert joules == pytest.approx(expected, rel=1e-12, abs=0), item


def test_ramp_shares_its_counter_and_sar_shares_nothing() -> None:
    few, many = (
        MixedSignalNeuronParameters(adc_kind="ramp").conversion_energy(255, n_neurons)
        for n_neurons in (1, 64)
    )
    assert few > 8 * many
    sar = [DEFAULT.conversion_energy(255, n_neurons) for n_neurons in (1, 64)]
    assert sar == [2.7e-12, 2.7e-12]
