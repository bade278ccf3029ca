"""Quantisation: codes, scales, and the integer network."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from neuromix.network.network import Network, Population, Projection
from neuromix.network.quantize import gain_and_shift, quantize
from rtl_gen.neuron.requantizer import requantize


def one_layer(weights: np.ndarray, bias: np.ndarray) -> Network:
    post, pre = weights.shape
    return Network(
        name="layer",
        populations=(Population("input", pre), Population("output", post)),
        projections=(Projection(source="input", target="output", weights=weights, bias=bias),),
    )


@pytest.mark.parametrize("width", range(2, 9))
def test_weights_that_codes_can_express_come_back_exactly(width: int) -> None:
    weight_max = (1 << (width - 1)) - 1
    rng = np.random.default_rng(width)
    codes = rng.integers(-weight_max, weight_max, (6, 9), endpoint=True)
    codes[0, 0] = -weight_max
    bias_codes = rng.integers(-1000, 1000, 6)
    quantized = quantize(one_layer(codes / 64, bias_codes / 64), weight_max=weight_max)
    (projection,) = quantized.projections
    assert projection.weight_codes.dtype == np.int8
    assert projection.bias_codes.dtype == np.int32
    np.testing.assert_array_equal(projection.weight_codes, codes)
    np.testing.assert_array_equal(projection.bias_codes, bias_codes)
    assert Fraction(projection.gain, 1 << projection.shift) == Fraction(1, 64)
    assert projection.max_error == 0


@pytest.mark.parametrize("width", range(2, 9))
def test_codes_err_by_half_a_step_unless_they_saturate(width: int) -> None:
    weight_max = (1 << (width - 1)) - 1
    rng = np.random.default_rng(width)
    network = one_layer(rng.normal(0, 0.3, (30, 40)), rng.normal(0, 2, 30))
    (projection,) = quantize(network, weight_max=weight_max).projections
    assert np.abs(projection.weight_codes).max() == weight_max
    error = np.abs(network.projections[0].weights - projection.weight_codes * projection.scale)
    saturated = error > projection.scale / 2 * (1 + 1e-9)
    assert projection.n_saturated == saturated.sum()
    assert 0 < error.max() <= projection.max_error


@pytest.mark.parametrize("weight_max", [1, 3, 127])
def test_scale_errs_no_more_than_one_without_saturation(weight_max: int) -> None:
    network = one_layer(np.random.default_rng(0).normal(0, 0.3, (30, 40)), np.zeros(30))
    weights = network.projections[0].weights
    (projection,) = quantize(network, weight_max=weight_max).projections
    step = np.abs(weights).max() / weight_max
    error = np.square(weights - projection.weight_codes * projection.scale).sum()
    unsaturated_error = np.square(weights - np.rint(weights / step) * step).sum()
    assert error <= unsaturated_error
    if weight_max < 127:
        assert error < 0.8 * unsaturated_error
        assert projection.n_saturated > 0


@pytest.mark.parametrize("scale", [2.0**-47, 1e-9, 0.0123, 0.5, 1 - 1e-9, 1.0, 3.7, 65535.0])
def test_gain_has_sixteen_bits_and_is_the_nearest(scale: float) -> None:
    gain, shift = gain_and_shift(scale)
    assert 1 << 15 <= gain < 1 << 16
    assert 0 <= shift <= 63
    assert abs(Fraction(gain, 1 << shift) - Fraction(scale)) <= Fraction(1, 1 << shift) / 2


@pytest.mark.parametrize("scale", [0.0, -1.0, 2.0**-49, 65536.0])
def test_scale_beyond_gain_and_shift_is_refused(scale: float) -> None:
    with pytest.raises(ValueError, match=f"^scale must be 3.55e-15 to 65535, got {scale}$"):
        gain_and_shift(scale)


def test_requantisation_rounds_half_up_shifts_arithmetically_and_clamps() -> None:
    sums = np.array([-(1 << 40), -7, -6, -5, 0, 1, 2, 3, 5, 6, 1 << 40])
    assert requantize(sums, 1, 2, 255).tolist() == [0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 255]
    assert requantize(sums, 3, 0, 15).tolist() == [0, 0, 0, 0, 0, 3, 6, 9, 15, 15, 15]


@pytest.mark.parametrize(("weight_max", "activation_max"), [(127, 255), (7, 15), (3, 255)])
def test_integer_network_computes_what_the_hardware_defines(
    small_network: Network, weight_max: int, activation_max: int
) -> None:
    quantized = quantize(small_network, weight_max=weight_max, activation_max=activation_max)
    codes = np.random.default_rng(1).integers(0, activation_max, (50, 4), endpoint=True).astype(np.uint8)
    codes.flags.writeable = False
    expected = []
    for sample in codes.tolist():
        for layer in quantized.projections:
            sums = [
                sum(int(w) * x for w, x in zip(row, sample, strict=True)) + activation_max * int(bias)
                for row, bias in zip(layer.weight_codes, layer.bias_codes, strict=True)
            ]
            half = 1 << (layer.shift - 1)
            sample = [min(max((acc * layer.gain + half) >> layer.shift, 0), activation_max) for acc in sums]
        expected.append(sample)
    result = quantized.forward(codes)
    assert result.dtype == np.uint8
    assert result.tolist() == expected
    assert len(np.unique(result)) > 1


def test_integer_network_follows_the_float_network(small_network: Network) -> None:
    """The bound adds, layer by layer, rounded weights, the error of the layer before, and half an LSB."""
    codes = np.random.default_rng(2).integers(0, 256, (200, 4)).astype(np.uint8)
    activations = small_network.forward(codes / 255)
    assert ((activations > 0.02) & (activations < 0.98)).mean() > 0.2
    quantized = quantize(small_network)
    error = 0.0
    for layer, exact in zip(quantized.projections, small_network.projections, strict=True):
        weight_error = (exact.weights.shape[1] + 1) * layer.max_error
        error = weight_error + np.abs(exact.weights).sum(axis=1).max() * error + 0.5 / 255
    assert np.abs(quantized.forward(codes) / 255 - activations).max() < error * 1.001


def test_batch_equals_its_rows(small_network: Network) -> None:
    quantized = quantize(small_network)
    codes = np.random.default_rng(3).integers(0, 256, (20, 4)).astype(np.uint8)
    rows = np.concatenate([quantized.forward(row[None]) for row in codes])
    np.testing.assert_array_equal(quantized.forward(codes), rows)


def test_wide_sums_stay_exact() -> None:
    quantized = quantize(one_layer(np.ones((1, 5000)), np.array([-5000.0 + 0.5])))
    codes = np.full((2, 5000), 255, np.uint8)
    codes[1, 0] = 254
    bright, dimmer = quantized.forward(codes)[:, 0].tolist()
    assert bright - dimmer == 1


def test_silent_projection_is_allowed() -> None:
    quantized = quantize(one_layer(np.zeros((2, 3)), np.array([1.0, -1.0])))
    assert quantized.forward(np.zeros((1, 3), np.uint8)).tolist() == [[255, 0]]


def test_arrays_are_read_only(small_network: Network) -> None:
    (first, _) = quantize(small_network).projections
    with pytest.raises(ValueError, match=r"read-only"):
        first.weight_codes[0, 0] = 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weight_max": 0}, "weight_max must be 1 to 127, got 0"),
        ({"weight_max": 128}, "weight_max must be 1 to 127, got 128"),
        ({"activation_max": 256}, "activation_max must be 1 to 255, got 256"),
    ],
)
def test_code_range_is_checked(small_network: Network, options: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        quantize(small_network, **options)


def test_weights_and_biases_beyond_the_formats_are_refused(small_network: Network) -> None:
    first, second = small_network.projections
    huge = replace(first, weights=first.weights * 1e9)
    with pytest.raises(
        ValueError, match=r"^projection input -> hidden: weight scale must be .* to 65535, got "
    ):
        quantize(replace(small_network, projections=(huge, second)))
    far = replace(first, bias=np.full(3, 1e12))
    with pytest.raises(
        ValueError, match=r"^projection input -> hidden: bias must be at most .*, got 1e\+12$"
    ):
        quantize(replace(small_network, projections=(far, second)))


@pytest.mark.parametrize("codes", [np.zeros((2, 3), np.uint8), np.zeros(4, np.uint8)])
def test_codes_must_fit_the_inputs(small_network: Network, codes: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"^network small: codes must be \[n, 4\], got "):
        quantize(small_network).forward(codes)


@pytest.mark.parametrize("codes", [np.zeros((1, 4)), np.full((1, 4), 16, np.uint8)])
def test_codes_must_be_integers_in_range(small_network: Network, codes: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"^network small: codes must be integers 0 to 15$"):
        quantize(small_network, activation_max=15).forward(codes)
