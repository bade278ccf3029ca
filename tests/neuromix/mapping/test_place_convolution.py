"""Placement of convolutions: blocks that fit a core, routes to all that see a pixel, design rules."""

from collections.abc import Callable

import numpy as np
import pytest

from neuromix.config import ChipConfig
from neuromix.mapping import HOST, MappingError, map_network
from neuromix.network.convolution import Convolution
from neuromix.network.network import Network, Population, Projection
from neuromix.network.quantize import QuantizedNetwork, quantize
from neuromix.network.training import RECIPES
from neuromix.reference import digital_models, simulate_mapped

MakeChip = Callable[..., ChipConfig]

FITS = {"axons": 37, "neurons": 36, "fan_out": 1, "mesh": (9, 1)}  # the output just fits with one bias axon


@pytest.fixture(scope="module")
def quantized(cnn: Network) -> QuantizedNetwork:
    return quantize(cnn)


@pytest.mark.parametrize(
    ("axons", "neurons", "fan_out", "cores"),
    [
        (65, 144, 1, {"conv1": 1, "pool1": 3, "output": 1}),
        (37, 36, 1, {"conv1": 4, "pool1": 4, "output": 1}),
        (38, 36, 2, {"conv1": 4, "pool1": 4, "output": 1}),
        (37, 9, 4, {"conv1": 16, "pool1": 4, "output": 2}),
        (37, 4, 3, {"conv1": 36, "pool1": 9, "output": 3}),
    ],
)
def test_mapped_network_computes_what_the_quantised_one_does(
    quantized: QuantizedNetwork,
    make_chip: MakeChip,
    axons: int,
    neurons: int,
    fan_out: int,
    cores: dict[str, int],
) -> None:
    chip = make_chip(axons=axons, neurons=neurons, fan_out=fan_out, mesh=(7, 7))
    mapped = map_network(quantized, chip)
    populations = [core.population for core in mapped.cores]
    assert {name: populations.count(name) for name in cores} == cores
    codes = np.random.default_rng(axons).integers(0, 256, (20, 64))
    codes[0], codes[1] = 0, 255
    outputs = simulate_mapped(mapped, codes, digital_models(mapped)).outputs
    np.testing.assert_array_equal(outputs, quantized.forward(codes))
    assert len(np.unique(outputs)) > 20, "the outputs hardly differ, so they prove nothing"


def test_random_convolutions_compute_what_the_quantised_ones_do(make_chip: MakeChip) -> None:
    split = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        groups = int(rng.integers(1, 4))
        convolution = Convolution(
            in_shape=(groups * int(rng.integers(1, 3)), *map(int, rng.integers(3, 8, 2))),
            out_maps=groups * int(rng.integers(1, 4)),
            kernel=int(rng.integers(1, 4)),
            stride=int(rng.integers(1, 5)),
            groups=groups,
        )
        following = Convolution.full(5, convolution.n_post)
        names, sizes = "abc", (convolution.n_pre, convolution.n_post, 5)
        network = Network(
            name="random",
            populations=tuple(map(Population, names, sizes)),
            projections=tuple(
                Projection(
                    source=source,
                    target=target,
                    weights=rng.normal(0, layer.fan_in**-0.5, (layer.out_maps, layer.fan_in)),
                    bias=rng.normal(0.2, 0.2, layer.out_maps),
                    convolution=layer,
                )
                for source, target, layer in zip("ab", "bc", (convolution, following), strict=True)
            ),
        )
        quantized = quantize(network)
        neurons = int(rng.integers(5, 20))
        axons = max(convolution.fan_in, convolution.n_post) + 4 + int(rng.integers(0, 9))
        mapped = map_network(quantized, make_chip(axons=axons, neurons=neurons, mesh=(16, 16)))
        codes = rng.integers(0, 256, (10, convolution.n_pre))
        outputs = simulate_mapped(mapped, codes, digital_models(mapped)).outputs
        np.testing.assert_array_equal(outputs, quantized.forward(codes))
        split += len(mapped.cores) > 2
    assert split > 10


def test_every_neuron_lies_in_one_core_with_an_axon_for_each_pixel_it_sees(
    quantized: QuantizedNetwork, make_chip: MakeChip
) -> None:
    mapped = map_network(quantized, make_chip(axons=37, neurons=9, fan_out=4, mesh=(7, 7)))
    sent_by = {"conv1": mapped.input_routes}
    for layer, following in zip(quantized.projections[:-1], quantized.projections[1:], strict=True):
        cores = [core for core in mapped.cores if core.population == layer.target]
        routes = {
            neuron: route for core in cores for neuron, route in zip(core.neurons, core.routes, strict=True)
        }
        sent_by[following.target] = tuple(routes[neuron] for neuron in range(layer.geometry.n_post))
    for layer in quantized.projections:
        cores = [core for core in mapped.cores if core.population == layer.target]
        numbers = np.concatenate([core.neurons for core in cores])
        np.testing.assert_array_equal(np.sort(numbers), np.arange(layer.geometry.n_post))
        matrix = layer.geometry.unrolled(layer.weight_codes)
        seen = np.zeros_like(matrix, dtype=np.int64)
        for core in cores:
            for pre, route in enumerate(sent_by[layer.target]):
                axons = [axon for x, y, axon in route if (x, y) == core.position]
                assert len(axons) <= 1
                if axons:
                    seen[core.neurons, pre] = core.weights[:, axons[0]]
        np.testing.assert_array_equal(seen, matrix)
    outputs = [route for core in mapped.cores if core.population == "output" for route in core.routes]
    assert outputs == [((*HOST, index),) for index in range(10)]


def test_blocks_are_chosen_for_the_fewest_cores(make_chip: MakeChip) -> None:
    recipe = RECIPES["mnist-cnn-6c5-12c5"]
    rng = np.random.default_rng(1)
    network = Network(
        name="random",
        populations=recipe.populations,
        projections=tuple(
            Projection(
                source=source.name,
                target=target.name,
                weights=rng.normal(size=(layer.out_maps, layer.fan_in)),
                bias=np.zeros(layer.out_maps),
                convolution=layer,
            )
            for source, target, layer in zip(
                recipe.populations, recipe.populations[1:], recipe.layers, strict=False
            )
        ),
    )
    mapped = map_network(quantize(network), make_chip(axons=384, neurons=192, fan_out=4, mesh=(6, 6)))
    populations = [core.population for core in mapped.cores]
    counts = {name: populations.count(name) for name in dict.fromkeys(populations)}
    assert counts == {"conv1": 18, "pool1": 9, "conv2": 4, "pool2": 2, "output": 1}
    assert max(len(route) for core in mapped.cores for route in core.routes) == 4


TILES = "chip.mesh: must have at least {}, got {}"
BROKEN = {
    "axons": (
        {"axons": 36, "mesh": (11, 1)},
        ["chip.core.axons: must be at least 37 for population output (36 inputs and 1 bias axons), got 36"],
    ),
    "fan_out": (
        {"neurons": 3, "mesh": (15, 15)},
        ["chip.core.fan_out: must be at least 4, the number of cores after population pool1, got 1"],
    ),
    "tiles": (
        {"mesh": (8, 1)},
        [TILES.format("9 tiles (conv1 4, pool1 4, output 1 cores of 36 neurons)", "8 x 1 = 8")],
    ),
    "everything": (
        {"axons": 4, "neurons": 3},
        [
            "chip.core.axons: must be at least 10 for population conv1 (9 inputs and 1 bias axons), got 4",
            "chip.core.axons: must be at least 5 for population pool1 (4 inputs and 1 bias axons), got 4",
            "chip.core.fan_out: must be at least 4, the number of cores after population pool1, got 1",
            "chip.core.axons: must be at least 37 for population output (36 inputs and 1 bias axons), got 4",
            TILES.format("64 tiles (conv1 48, pool1 12, output 4 cores of 3 neurons)", "9 x 1 = 9"),
        ],
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_every_broken_rule_is_listed(quantized: QuantizedNetwork, make_chip: MakeChip, broken: str) -> None:
    change, problems = BROKEN[broken]
    with pytest.raises(MappingError) as caught:
        map_network(quantized, make_chip(**FITS | change))
    assert caught.value.problems == problems


def test_cores_that_overlap_are_avoided_where_fan_out_forbids_them(make_chip: MakeChip) -> None:
    """Two convolutions: blocks of the second overlap unless they are whole maps."""
    first = Convolution(in_shape=(1, 6, 6), out_maps=1, kernel=1)
    second = Convolution(in_shape=(1, 6, 6), out_maps=4, kernel=3)
    rng = np.random.default_rng(2)
    network = Network(
        name="two",
        populations=(Population("a", 36), Population("b", 36), Population("c", 64)),
        projections=tuple(
            Projection(
                source=source,
                target=target,
                weights=rng.normal(size=(layer.out_maps, layer.fan_in)),
                bias=np.zeros(layer.out_maps),
                convolution=layer,
            )
            for source, target, layer in zip("ab", "bc", (first, second), strict=True)
        ),
    )
    quantized = quantize(network)
    for fan_out in (2, 4):
        mapped = map_network(quantized, make_chip(axons=36, neurons=32, fan_out=fan_out))
        assert max(len(route) for core in mapped.cores for route in core.routes) <= fan_out
    with pytest.raises(MappingError, match=r"^chip\.core\.fan_out: must be at least 2, .* b, got 1$"):
        map_network(quantized, make_chip(axons=36, neurons=32, fan_out=1))
