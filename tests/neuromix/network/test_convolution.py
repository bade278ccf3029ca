"""Convolutions: which inputs a neuron sees, against loops written out; pooling; the file; the codes."""

import json
import re
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from neuromix.network.convolution import Convolution
from neuromix.network.network import Network, NetworkFileError, Population, Projection
from neuromix.network.quantize import quantize

GEOMETRIES = {
    "plain": Convolution(in_shape=(1, 6, 7), out_maps=3, kernel=3),
    "many_maps": Convolution(in_shape=(4, 5, 5), out_maps=6, kernel=2),
    "stride": Convolution(in_shape=(2, 8, 7), out_maps=3, kernel=3, stride=2),
    "stride_beyond_the_kernel": Convolution(in_shape=(2, 7, 7), out_maps=2, kernel=1, stride=3),
    "groups": Convolution(in_shape=(4, 5, 6), out_maps=6, kernel=3, groups=2),
    "pooling": Convolution(in_shape=(3, 6, 4), out_maps=3, kernel=2, stride=2, groups=3),
    "full": Convolution.full(5, 8),
}


@pytest.fixture(params=GEOMETRIES)
def geometry(request: pytest.FixtureRequest) -> Convolution:
    chosen: Convolution = GEOMETRIES[request.param]
    return chosen


def convolved(geometry: Convolution, sample: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the sums of one ``sample`` [pre], pixel by pixel."""
    maps = sample.reshape(geometry.in_shape)
    out_maps, height, width = geometry.out_shape
    in_group, out_group = len(maps) // geometry.groups, out_maps // geometry.groups
    kernels = weights.reshape(out_maps, in_group, geometry.kernel, geometry.kernel)
    sums = np.zeros(geometry.out_shape)
    for out_map, y, x in product(range(out_maps), range(height), range(width)):
        for in_map, ky, kx in product(range(in_group), range(geometry.kernel), range(geometry.kernel)):
            seen = maps[
                out_map // out_group * in_group + in_map, y * geometry.stride + ky, x * geometry.stride + kx
            ]
            sums[out_map, y, x] += kernels[out_map, in_map, ky, kx] * seen
    return sums.ravel()


def test_sums_are_those_of_loops_over_pixels(geometry: Convolution) -> None:
    rng = np.random.default_rng(1)
    samples = rng.random((5, geometry.n_pre))
    weights = rng.normal(size=(geometry.out_maps, geometry.fan_in))
    expected = [convolved(geometry, sample, weights) for sample in samples]
    np.testing.assert_allclose(geometry.sums(samples, weights), expected, atol=1e-12)


def test_unrolled_and_connectivity_hold_the_same_synapses(geometry: Convolution) -> None:
    rng = np.random.default_rng(2)
    weights = rng.integers(1, 100, (geometry.out_maps, geometry.fan_in))
    samples = rng.integers(0, 100, (4, geometry.n_pre))
    inputs, rows = geometry.connectivity
    assert inputs.shape == (geometry.n_post, geometry.fan_in)
    gathered = (samples[:, inputs] * weights[rows]).sum(axis=2)
    np.testing.assert_array_equal(samples @ geometry.unrolled(weights).T, gathered)
    np.testing.assert_array_equal(geometry.sums(samples.astype(float), weights.astype(float)), gathered)
    assert np.count_nonzero(geometry.unrolled(weights)) == weights.size * geometry.n_positions


def test_many_samples_are_computed_in_parts(monkeypatch: pytest.MonkeyPatch, geometry: Convolution) -> None:
    rng = np.random.default_rng(3)
    samples = rng.integers(0, 100, (7, geometry.n_pre)).astype(float)
    weights = rng.integers(-9, 9, (geometry.out_maps, geometry.fan_in)).astype(float)
    whole = geometry.sums(samples, weights)
    monkeypatch.setattr("neuromix.network.convolution._PATCH_VALUES", 2 * geometry.inputs.size)
    np.testing.assert_array_equal(geometry.sums(samples, weights), whole)


def test_a_full_projection_is_the_matrix_product_to_the_bit() -> None:
    rng = np.random.default_rng(4)
    samples, weights, bias = rng.random((300, 70)), rng.normal(size=(30, 70)), rng.normal(size=30)
    projection = Projection(source="a", target="b", weights=weights, bias=bias)
    np.testing.assert_array_equal(projection.forward(samples), samples @ weights.T + bias)


def test_pooling_is_the_mean_of_each_square() -> None:
    maps = np.random.default_rng(5).random((3, 4, 6))
    pooling = Projection.pooling("a", "b", maps.shape, 2)
    means = maps.reshape(3, 2, 2, 3, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(pooling.forward(maps.reshape(1, -1)), means.reshape(1, -1))


def test_operations_are_counted_at_every_position(cnn: Network) -> None:
    assert [projection.n_macs for projection in cnn.projections] == [4 * 36 * 9, 4 * 9 * 4, 36 * 10]
    assert cnn.n_macs == 4 * 36 * 9 + 4 * 9 * 4 + 36 * 10
    first = cnn.projections[0]
    weights = first.weights.copy()
    weights[2, 3] = 0
    assert replace(first, weights=weights).n_synapses == first.n_macs - 36


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"in_shape": (0, 4, 4)}, "in_shape must be at least 1, got (0, 4, 4)"),
        ({"out_maps": 0}, "out_maps must be at least 1, got 0"),
        ({"kernel": 5}, "kernel must be 1 to 4, got 5"),
        ({"stride": 0}, "stride must be at least 1, got 0"),
        ({"groups": 0}, "groups must be at least 1, got 0"),
        ({"groups": 4}, "groups must divide 4 input and 6 output maps, got 4"),
        ({"groups": 3}, "groups must divide 4 input and 6 output maps, got 3"),
    ],
)
def test_impossible_geometry_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^convolution: {re.escape(message)}$"):
        Convolution(**{"in_shape": (4, 4, 5), "out_maps": 6} | changes)


def test_weights_must_be_the_kernels() -> None:
    with pytest.raises(ValueError, match=r"^projection a -> b: weights must be \(2, 9\), got \(2, 4\)$"):
        Projection(
            source="a",
            target="b",
            weights=np.ones((2, 4)),
            bias=np.zeros(2),
            convolution=Convolution(in_shape=(1, 5, 5), out_maps=2, kernel=3),
        )


def test_maps_must_fit_the_populations(cnn: Network) -> None:
    message = r"^network cnn: neurons and inputs of input -> conv1 must be \(143, 64\), got \(144, 64\)$"
    with pytest.raises(ValueError, match=message):
        replace(cnn, populations=(cnn.populations[0], Population("conv1", 143), *cnn.populations[2:]))


def test_file_keeps_convolutions(cnn: Network, tmp_path: Path) -> None:
    cnn.save(tmp_path / "cnn.npz")
    loaded = Network.load(tmp_path / "cnn.npz")
    images = np.random.default_rng(6).random((10, 64))
    np.testing.assert_array_equal(loaded.forward(images), cnn.forward(images))
    for ours, theirs in zip(cnn.projections, loaded.projections, strict=True):
        assert ours.convolution == theirs.convolution


def test_file_of_version_1_is_read(small_network: Network, tmp_path: Path) -> None:
    small_network.save(tmp_path / "new.npz")
    with np.load(tmp_path / "new.npz") as file:
        arrays = dict(file)
    header = json.loads(str(arrays["header"]))
    assert header.pop("convolutions") == [None, None]
    np.savez(tmp_path / "old.npz", **arrays | {"header": np.array(json.dumps(header | {"version": 1}))})
    images = np.random.default_rng(7).random((10, 4))
    loaded = Network.load(tmp_path / "old.npz")
    np.testing.assert_array_equal(loaded.forward(images), small_network.forward(images))


def test_file_with_an_impossible_convolution_is_named(cnn: Network, tmp_path: Path) -> None:
    path = tmp_path / "cnn.npz"
    cnn.save(path)
    with np.load(path) as file:
        arrays = dict(file)
    header = json.loads(str(arrays["header"]))
    header["convolutions"][0]["kernel"] = 9
    np.savez(path, **arrays | {"header": np.array(json.dumps(header))})
    with pytest.raises(
        NetworkFileError, match=f"^{re.escape(str(path))}: convolution: kernel must be 1 to 8"
    ):
        Network.load(path)


def test_integer_network_computes_every_neuron_of_a_convolution(cnn: Network) -> None:
    quantized = quantize(cnn)
    codes = np.random.default_rng(8).integers(0, 256, (30, 64), dtype=np.uint8)
    expected = codes.astype(np.int64)
    for layer in quantized.projections:
        matrix = layer.geometry.unrolled(layer.weight_codes).astype(np.int64)
        bias = np.repeat(layer.bias_codes, layer.geometry.n_positions).astype(np.int64)
        sums = expected @ matrix.T + 255 * bias
        expected = np.clip((sums * layer.gain + (1 << (layer.shift - 1))) >> layer.shift, 0, 255)
        assert len(np.unique(expected)) > 50, "the codes hardly differ, so they prove nothing"
    np.testing.assert_array_equal(quantized.forward(codes), expected)


def test_pooled_codes_are_the_rounded_mean(cnn: Network) -> None:
    quantized = quantize(cnn).projections[1]
    codes = np.random.default_rng(9).integers(0, 256, (20, 144))
    sums = quantized.sums(codes, 255)
    means = codes.reshape(20, 4, 3, 2, 3, 2).mean(axis=(3, 5)).reshape(20, 36)
    rounded = (sums * quantized.gain + (1 << (quantized.shift - 1))) >> quantized.shift
    assert np.abs(rounded - means).max() <= 0.501  # half a code, and the rounding of gain to 16 bits
