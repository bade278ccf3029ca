import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analog_models.mdac import TOPOLOGIES
from analog_models.neuron import (
    MixedSignalNeuronBank,
    MixedSignalNeuronDraw,
    MixedSignalNeuronParameters,
)

IDEAL = MixedSignalNeuronParameters.ideal()
DEFAULT = MixedSignalNeuronParameters()
SETTINGS: dict[str, Any] = {"gain": 200, "shift": 19, "code_max": 255, "noise_seed": 5}


def integer_codes(
    weights: np.ndarray, inputs: np.ndarray, gain: int, shift: int, code_max: int
) -> np.ndarray:
    """Return the codes of the digital neurons: the rule that the ideal mixed-signal neuron must obey."""
    acc = inputs.astype(np.int64) @ weights.T.astype(np.int64)
    rounding = 1 << shift - 1 if shift else 0
    return np.clip((acc * gain + rounding) >> shift, 0, code_max)


def make_bank(
    parameters: MixedSignalNeuronParameters, weights: np.ndarray, *, chip: int = 1, **settings: Any
) -> MixedSignalNeuronBank:
    draw = parameters.draw(*weights.shape, np.random.default_rng(chip))
    return parameters.bank(draw, weights=weights, **(SETTINGS | settings))


def random_array(n_steps: int = 300, n_axons: int = 60, n_neurons: int = 7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    weights = rng.integers(-127, 128, (n_neurons, n_axons))
    return weights, rng.integers(0, 256, (n_steps, n_axons), dtype=np.uint8)


def quiet_rest(parameters: MixedSignalNeuronParameters, n_neurons: int, n_steps: int = 1) -> np.ndarray:
    """Return node voltages [V] without drive."""
    bank = make_bank(parameters, np.zeros((n_neurons, 1), dtype=int))
    return bank.evaluate(np.zeros((n_steps, 1), dtype=np.uint8)).node_voltage


# The ideal limit


@pytest.mark.parametrize("gain", [1, 3, 200, 65535])
@pytest.mark.parametrize("shift", [0, 1, 8, 19, 27, 43, 44, 62, 63])
@pytest.mark.parametrize("code_max", [1, 255])
def test_ideal_neuron_obeys_the_integer_rule(gain: int, shift: int, code_max: int) -> None:
    weights, inputs = random_array()
    codes = make_bank(IDEAL, weights, gain=gain, shift=shift, code_max=code_max).evaluate(inputs).codes
    np.testing.assert_array_equal(codes, integer_codes(weights, inputs, gain, shift, code_max))


@pytest.mark.parametrize(("gain", "shift"), [(1, 1), (1, 7), (3, 8), (255, 15), (65535, 23)])
def test_ideal_neuron_rounds_every_sum_like_the_integers(gain: int, shift: int) -> None:
    weights = np.array([[1, 127], [-1, -127]])
    total = np.arange(127 * 256)  # each of these sums in turn, and its negative
    inputs = np.stack([total % 127, total // 127], axis=1)
    codes = make_bank(IDEAL, weights, gain=gain, shift=shift).evaluate(inputs).codes
    expected = integer_codes(weights, inputs, gain, shift, 255)
    assert len(np.unique(expected)) > 250
    np.testing.assert_array_equal(codes, expected)


@pytest.mark.parametrize("n_axons", [1, 4096])
@pytest.mark.parametrize("weight", [-127, 127])
def test_ideal_neuron_is_exact_at_the_ends_of_every_range(n_axons: int, weight: int) -> None:
    weights = np.full((2, n_axons), weight)
    weights[1, 0] = -weight  # a sum one step away from the largest
    inputs = np.full((1, n_axons), 255, dtype=np.uint8)
    for gain, shift in ((65535, 0), (65535, 36), (1, 20), (33333, 35), (1, 63)):
        codes = make_bank(IDEAL, weights, gain=gain, shift=shift).evaluate(inputs).codes
        np.testing.assert_array_equal(codes, integer_codes(weights, inputs, gain, shift, 255))


def test_trim_code_zero_and_gain_zero_are_exact() -> None:
    weights, inputs = random_array()
    zeros = np.zeros(7, dtype=np.int8)
    trimmed = make_bank(DEFAULT, weights, offset_trim=zeros, gain_trim=zeros).evaluate(inputs)
    np.testing.assert_array_equal(
        trimmed.node_voltage, make_bank(DEFAULT, weights).evaluate(inputs).node_voltage
    )
    assert not make_bank(IDEAL, weights, gain=0).evaluate(inputs).node_voltage.any()


def test_override_of_the_ideal_brings_back_one_flaw() -> None:
    noisy = MixedSignalNeuronParameters.ideal(noise_factor=3)
    assert (noisy.sigma_unit, noisy.offset_sigma, noisy.linear_range) == (0, 0, math.inf)
    assert noisy.noise_sigma == DEFAULT.noise_sigma


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_ideal_neuron_obeys_the_integer_rule_whatever_its_cells(topology: str) -> None:
    weights, inputs = random_array()
    codes = make_bank(MixedSignalNeuronParameters.ideal(topology=topology), weights).evaluate(inputs).codes
    np.testing.assert_array_equal(codes, integer_codes(weights, inputs, 200, 19, 255))


# The same bits in every batch


@pytest.mark.parametrize("n_neurons", [1, 3, 7, 10])
@pytest.mark.parametrize("n_axons", [1, 13, 60, 300])
def test_a_batch_equals_its_rows_bit_for_bit(n_axons: int, n_neurons: int) -> None:
    weights, inputs = random_array(200, n_axons, n_neurons)
    bank = make_bank(DEFAULT, weights, gain_trim=3, shift=15)
    batch = bank.evaluate(inputs, first_step=40)
    for step in range(len(inputs)):
        row = bank.evaluate(inputs[step : step + 1], first_step=40 + step)
        np.testing.assert_array_equal(row.codes[0], batch.codes[step])
        np.testing.assert_array_equal(row.node_voltage[0], batch.node_voltage[step])
    parts = [bank.evaluate(inputs[a:b], first_step=40 + a).codes for a, b in ((0, 77), (77, 150), (150, 200))]
    np.testing.assert_array_equal(np.concatenate(parts), batch.codes)


def test_no_steps_give_no_codes() -> None:
    weights, inputs = random_array()
    assert make_bank(DEFAULT, weights).evaluate(inputs[:0]).codes.shape == (0, 7)


def test_same_seed_gives_same_codes_and_another_does_not() -> None:
    weights, inputs = random_array()
    first, again, other = (
        make_bank(DEFAULT, weights, noise_seed=seed).evaluate(inputs).codes for seed in (5, 5, 6)
    )
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_read_only_arguments_are_accepted_and_nothing_is_written() -> None:
    weights, inputs = random_array()
    draw = DEFAULT.draw(7, 60, np.random.default_rng(1))
    trims = np.arange(7)
    arrays = [weights, inputs, trims]
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    bank = DEFAULT.bank(draw, weights=weights, offset_trim=trims, gain_trim=trims, **SETTINGS)
    bank.evaluate(inputs)
    bank.energy(inputs, evaluation_time=1e-7)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_ten_thousand_steps_take_about_a_second() -> None:
    weights, inputs = random_array(10_000, 786, 100)
    bank = make_bank(DEFAULT, weights)
    start = time.process_time()
    bank.evaluate(inputs)
    assert time.process_time() - start < 5  # about 0.6 s alone; a busy machine is no failure


# One manufactured array


def test_drawn_deviations_have_the_stated_spread() -> None:
    draw = DEFAULT.draw(4000, 20, np.random.default_rng(1))
    for bit in range(7):
        expected = DEFAULT.sigma_unit / np.sqrt(2**bit)
        sample = draw.bit_error[..., bit]
        # standard errors: deviation sigma / sqrt(2 n), mean sigma / sqrt(n); five of them allowed
        assert abs(sample.std() - expected) < 5 * expected / np.sqrt(2 * sample.size)
        assert abs(sample.mean()) < 5 * expected / np.sqrt(sample.size)
    for sample, expected in ((draw.offset, DEFAULT.offset_sigma), (draw.gain_error, DEFAULT.gain_sigma)):
        assert abs(sample.std() - expected) < 5 * expected / np.sqrt(2 * sample.size)


def test_ideal_draw_has_no_deviations() -> None:
    draw = IDEAL.draw(3, 4, np.random.default_rng(1))
    assert not any(getattr(draw, field.name).any() for field in dataclasses.fields(draw))


def test_draw_takes_as_much_randomness_whatever_the_parameters() -> None:
    after = []
    for parameters in (IDEAL, DEFAULT):
        rng = np.random.default_rng(1)
        parameters.draw(3, 4, rng)
        after.append(rng.random())
    assert after[0] == after[1]


def test_draw_comes_back_from_disk(tmp_path: Path) -> None:
    draw = DEFAULT.draw(3, 4, np.random.default_rng(1))
    draw.save(tmp_path / "chip")
    loaded = MixedSignalNeuronDraw.load(tmp_path / "chip")
    for field in dataclasses.fields(draw):
        np.testing.assert_array_equal(getattr(loaded, field.name), getattr(draw, field.name))
    draw.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "chip").read_bytes()


def text_file(path: Path) -> None:
    path.write_text("no arrays here")


def empty_file(path: Path) -> None:
    path.write_bytes(b"")


def truncated_file(path: Path) -> None:
    DEFAULT.draw(3, 4, np.random.default_rng(1)).save(path)
    path.write_bytes(path.read_bytes()[:-40])


def single_array(path: Path) -> None:
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def other_arrays(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, weights=np.zeros(3))


@pytest.mark.parametrize("write", [text_file, empty_file, truncated_file, single_array, other_arrays])
def test_file_that_is_no_draw_is_refused(write: Callable[[Path], None], tmp_path: Path) -> None:
    path = tmp_path / "chip.npz"
    write(path)
    with pytest.raises(ValueError, match=r"chip\.npz: must be a saved draw of a mixed-signal array, got"):
        MixedSignalNeuronDraw.load(path)


def test_drawn_arrays_cannot_be_written() -> None:
    draw = DEFAULT.draw(3, 4, np.random.default_rng(1))
    with pytest.raises(ValueError, match="read-only"):
        draw.offset[0] = 0


# The flaws, one by one


def test_defaults_are_what_their_description_says() -> None:
    derived = DEFAULT.derived()
    assert derived["sigma_unit"] == pytest.approx(0.089, rel=0.01)
    assert derived["sigma_full_scale_weight_lsb"] == pytest.approx(1, rel=0.01)
    assert derived["noise_sigma_lsb"] == pytest.approx(0.5, rel=0.02)
    assert derived["noise_variance_v2"] == pytest.approx(derived["noise_sigma_v"] ** 2)
    assert derived["offset_sigma_lsb"] == pytest.approx(1, rel=0.02)
    compression = DEFAULT.linear_range * math.tanh(0.2 / DEFAULT.linear_range) / 0.2
    assert compression == pytest.approx(0.97, abs=0.003)


def test_tiny_unit_in_weak_inversion_has_the_hand_computed_spread() -> None:
    tiny = MixedSignalNeuronParameters(unit_width=0.2e-6, unit_length=0.2e-6, unit_current=1e-9)
    assert tiny.sigma_unit == pytest.approx(0.45, rel=0.02)
    assert tiny.sigma_unit * math.sqrt(255) == pytest.approx(7, rel=0.03)  # 8 magnitude bits, as in the text


def test_node_noise_has_the_stated_power() -> None:
    parameters = MixedSignalNeuronParameters.ideal(noise_factor=1, node_capacitance=41e-15, temperature=300)
    sample = quiet_rest(parameters, 10, n_steps=4000)
    assert abs(sample.std() - parameters.noise_sigma) < 5 * parameters.noise_sigma / np.sqrt(2 * sample.size)
    assert sample.var() == pytest.approx(0.1e-6, rel=0.05)


def test_ladders_of_capacitors_add_their_own_noise() -> None:
    n_axons, gain, shift = 64, 200, 19
    parameters = MixedSignalNeuronParameters(topology="c2c", node_capacitance=1e-9, offset_factor=0)
    bank = make_bank(parameters, np.zeros((10, n_axons), dtype=int), gain=gain, shift=shift)
    sample = bank.evaluate(np.zeros((4000, n_axons), dtype=np.uint8)).node_voltage
    # 64 ladders of 2 x 2 fF: sqrt(3 kT / 256 fF) = 0.22 mV on a wire that a code of 1 moves by 1 V / 2^21
    wire = math.sqrt(3 * 1.380649e-23 * 300 / 256e-15)
    expected = math.hypot(wire * 2**21 * gain / 2**shift * parameters.lsb(), parameters.noise_sigma)
    assert wire == pytest.approx(0.22e-3, rel=0.01)
    assert abs(sample.std() - expected) < 5 * expected / np.sqrt(2 * sample.size)


def test_capacitors_of_a_ladder_match_better_than_transistors() -> None:
    parameters = MixedSignalNeuronParameters(topology="c2c")
    assert parameters.sigma_unit == pytest.approx(0.006)  # 0.6 % um, 1 um^2
    assert parameters.sigma_unit < DEFAULT.sigma_unit / 10


def test_hotter_node_is_noisier() -> None:
    cold, hot = (MixedSignalNeuronParameters(temperature=t).noise_variance for t in (250, 400))
    assert hot / cold == pytest.approx(400 / 250)


def test_rest_voltage_is_the_offset_of_the_draw() -> None:
    parameters = MixedSignalNeuronParameters.ideal(offset_factor=1)
    draw = parameters.draw(50, 1, np.random.default_rng(1))
    np.testing.assert_allclose(quiet_rest(parameters, 50)[0], draw.offset, rtol=1e-12)


def test_other_trims_make_another_bank_of_the_same_array() -> None:
    weights, inputs = np.array([[127, -5], [20, 60]]), np.array([[255, 3], [17, 200]])
    plain = make_bank(DEFAULT, weights)
    before = plain.evaluate(inputs).node_voltage
    offset_trim, gain_trim = np.array([5, -7]), np.array([100, -3])
    trimmed = plain.with_trims(offset_trim=offset_trim, gain_trim=gain_trim)
    whole = make_bank(DEFAULT, weights, offset_trim=offset_trim, gain_trim=gain_trim)
    np.testing.assert_array_equal(trimmed.evaluate(inputs).node_voltage, whole.evaluate(inputs).node_voltage)
    np.testing.assert_array_equal(plain.evaluate(inputs).node_voltage, before)
    np.testing.assert_allclose(
        (trimmed.offset - plain.offset) * DEFAULT.lsb(), offset_trim * DEFAULT.offset_trim_step
    )
    ratio = (1 + trimmed.gain_error) / (1 + plain.gain_error)
    np.testing.assert_allclose(ratio, 1 + gain_trim * DEFAULT.gain_trim_step)


def test_offset_trim_moves_the_node_by_its_step() -> None:
    parameters = MixedSignalNeuronParameters.ideal(offset_trim_step=1e-3)
    bank = make_bank(parameters, np.zeros((3, 1), dtype=int), offset_trim=np.array([-128, 0, 127], np.int8))
    found = bank.evaluate(np.zeros((1, 1), dtype=np.uint8)).node_voltage[0]
    np.testing.assert_allclose(found, [-0.128, 0, 0.127], rtol=1e-12)


def test_gain_trim_scales_the_signal_by_its_step() -> None:
    weights, inputs = random_array()
    plain, trimmed = (make_bank(IDEAL, weights, gain_trim=code).evaluate(inputs) for code in (0, -64))
    np.testing.assert_allclose(trimmed.node_voltage, plain.node_voltage * (1 - 64 / 1024), rtol=1e-12)


def test_signal_scales_by_the_gain_error_of_the_draw() -> None:
    weights, inputs = random_array()
    draw = dataclasses.replace(
        IDEAL.draw(7, 60, np.random.default_rng(1)), gain_error=np.linspace(-0.1, 0.1, 7)
    )
    plain = make_bank(IDEAL, weights).evaluate(inputs).node_voltage
    scaled = IDEAL.bank(draw, weights=weights, **SETTINGS).evaluate(inputs).node_voltage
    np.testing.assert_allclose(scaled, plain * (1 + draw.gain_error), rtol=1e-12)


def test_adc_sees_the_node_through_the_pair() -> None:
    weights, inputs = random_array()
    parameters = MixedSignalNeuronParameters.ideal(degeneration=2.0)
    found = make_bank(parameters, weights, gain=800).evaluate(inputs)
    range_ = parameters.linear_range
    np.testing.assert_allclose(found.adc_voltage, range_ * np.tanh(found.node_voltage / range_), rtol=1e-12)
    assert (np.abs(found.adc_voltage) < 0.9 * np.abs(found.node_voltage)).any(), "nothing saturates"
    codes = np.clip(np.floor(found.adc_voltage / parameters.lsb() + 0.5), 0, 255)
    np.testing.assert_array_equal(found.codes, codes)


def test_saturating_pair_never_gives_more_than_its_range() -> None:
    parameters = MixedSignalNeuronParameters.ideal(degeneration=1)
    weights = np.full((1, 1), 127)
    inputs = np.arange(256)[:, np.newaxis]
    codes = make_bank(parameters, weights, gain=1, shift=7).evaluate(inputs).codes[:, 0]
    ideal = make_bank(IDEAL, weights, gain=1, shift=7).evaluate(inputs).codes[:, 0]
    top = parameters.linear_range * math.tanh(ideal[-1] * IDEAL.lsb() / parameters.linear_range) / IDEAL.lsb()
    assert (np.diff(codes) >= 0).all()
    assert codes[-1] == pytest.approx(top, abs=1)
    np.testing.assert_array_equal(codes[:10], ideal[:10])
    assert (codes <= ideal).all()
    assert codes[-1] < ideal[-1] / 2


def test_mismatched_sum_is_the_one_of_its_cells() -> None:
    weights, inputs = random_array()
    parameters = MixedSignalNeuronParameters.ideal(mismatch_factor=1, gain_sigma=0)
    draw = parameters.draw(7, 60, np.random.default_rng(1))
    bits = np.abs(weights)[..., np.newaxis] >> np.arange(7) & 1
    effective = np.sign(weights) * (bits * 2.0 ** np.arange(7) * (1 + draw.bit_error)).sum(axis=2)
    expected = inputs @ effective.T * 200 / 2**19 * parameters.lsb()
    found = parameters.bank(draw, weights=weights, **SETTINGS).evaluate(inputs).node_voltage
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("flaw", ["noise_factor", "mismatch_factor", "offset_factor"])
def test_agreement_with_the_ideal_falls_as_a_flaw_grows(flaw: str) -> None:
    weights, inputs = random_array(n_steps=200, n_neurons=20)
    ideal = make_bank(IDEAL, weights).evaluate(inputs).codes
    in_range = (ideal > 0) & (ideal < 255)
    assert in_range.mean() > 0.2, "most codes are clipped, so the flaw cannot show"
    agreement = []
    for factor in (0.0, 0.1, 0.3, 1.0, 3.0, 10.0):
        parameters = MixedSignalNeuronParameters.ideal(**{flaw: factor})
        matches = [
            (make_bank(parameters, weights, chip=chip, noise_seed=chip).evaluate(inputs).codes == ideal)[
                in_range
            ]
            for chip in range(5)
        ]
        agreement.append(np.mean(matches))
    assert agreement[0] == 1
    assert (np.diff(agreement) < 0).all()


# Bad arguments


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weights": np.full((7, 60), 128)}, r"weights must be -127 to 127, got 128 to 128"),
        ({"weights": np.full((7, 60), 1.0)}, r"weights must be integers, got float64"),
        ({"weights": np.ones((60, 7), int)}, r"weights must have shape \(7, 60\), got \(60, 7\)"),
        ({"gain": 65536}, r"gain must be a whole number from 0 to 65535, got 65536"),
        ({"gain": 0.5}, r"gain must be a whole number from 0 to 65535, got 0.5"),
        ({"shift": 64}, r"shift must be a whole number from 0 to 63, got 64"),
        ({"code_max": 0}, r"code_max must be a whole number from 1 to 255, got 0"),
        ({"noise_seed": -1}, r"noise_seed must be a whole number from 0 to \d+, got -1"),
        ({"offset_trim": 128}, r"offset_trim must be -128 to 127, got 128 to 128"),
        ({"gain_trim": np.zeros(6, int)}, r"gain_trim must have shape \(7,\), got \(6,\)"),
    ],
)
def test_bank_refuses_what_the_array_cannot_hold(settings: dict[str, Any], message: str) -> None:
    weights, _ = random_array()
    draw = DEFAULT.draw(7, 60, np.random.default_rng(1))
    with pytest.raises(ValueError, match=f"^mixed-signal bank: {message}$"):
        DEFAULT.bank(draw, **({"weights": weights} | SETTINGS | settings))


def test_sums_too_large_to_be_exact_are_refused() -> None:
    weights = np.full((1, 17_000), 127)
    with pytest.raises(
        ValueError, match=r"sum of weight magnitudes must be below 2105376 LSB, got 2159000 LSB$"
    ):
        make_bank(IDEAL, weights)


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (np.zeros((1, 59), np.uint8), r"input_codes must have shape \(1, 60\), got \(1, 59\)"),
        (np.zeros(60, np.uint8), r"input_codes must have shape \(60, 60\), got \(60,\)"),
        (np.full((1, 60), 256), r"input_codes must be 0 to 255, got 256 to 256"),
        (np.full((1, 60), -1), r"input_codes must be 0 to 255, got -1 to -1"),
        (np.zeros((1, 60)), r"input_codes must be integers, got float64"),
    ],
)
def test_evaluation_refuses_what_is_no_input(inputs: np.ndarray, message: str) -> None:
    weights, _ = random_array()
    with pytest.raises(ValueError, match=f"^mixed-signal bank: {message}$"):
        make_bank(DEFAULT, weights).evaluate(inputs)


def test_step_before_the_first_is_refused() -> None:
    weights, inputs = random_array()
    with pytest.raises(ValueError, match=r"first_step must be a whole number from 0 to \d+, got -1$"):
        make_bank(DEFAULT, weights).evaluate(inputs, first_step=-1)


@pytest.mark.parametrize(("shape", "name"), [((0, 4), "n_neurons"), ((4, 0), "n_axons")])
def test_empty_arrays_are_refused(shape: tuple[int, int], name: str) -> None:
    with pytest.raises(ValueError, match=f"^mixed-signal draw: {name} must be at least 1, got 0$"):
        DEFAULT.draw(*shape, np.random.default_rng(1))


def test_draw_of_the_wrong_shape_is_refused() -> None:
    arrays = {"bit_error": np.zeros((3, 4, 7)), "gain_error": np.zeros(3), "offset": np.zeros(3)}
    with pytest.raises(ValueError, match=r"bit_error must be \[post, pre, 7\], got shape \(3, 4, 8\)$"):
        MixedSignalNeuronDraw(**arrays | {"bit_error": np.zeros((3, 4, 8))})
    with pytest.raises(ValueError, match=r"offset must have shape \(3,\), got \(2,\)$"):
        MixedSignalNeuronDraw(**arrays | {"offset": np.zeros(2)})
