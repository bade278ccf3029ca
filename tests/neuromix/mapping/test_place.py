"""Placement: design rules, and a mapped network that is the quantised one, neuron by neuron."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from neuromix.config import ChipConfig
from neuromix.mapping import HOST, MappedNetwork, MappingError, map_network
from neuromix.network.quantize import QuantizedNetwork
from neuromix.reference import digital_models, simulate_mapped

MakeNetwork = Callable[..., QuantizedNetwork]
MakeChip = Callable[..., ChipConfig]

SIZES = (20, 12, 9)  # with two bias axons and cores of 4 neurons: 22 axons, 3 + 3 cores
FITS = {"axons": 22, "neurons": 4, "fan_out": 3, "mesh": (3, 2)}
AXONS = (
    "chip.core.axons: must be at least 22 for population hidden1 (20 inputs and 2 bias axons), got {axons}"
)
AXONS_OUTPUT = (
    "chip.core.axons: must be at least 14 for population output (12 inputs and 2 bias axons), got {axons}"
)
FAN_OUT = "chip.core.fan_out: must be at least 3, the number of cores after population hidden1, got {fan_out}"
TILES = "chip.mesh: must have at least 6 tiles (hidden1 3, output 3 cores of 4 neurons), got {mesh}"
PAYLOAD = (
    "chip.payload_bits: must carry codes up to 255, as network random has them, "
    "got {payload_bits} bits for codes up to {codes}"
)

BROKEN = {
    "axons": ({"axons": 21}, [AXONS.format(axons=21)]),
    "axons_of_two_populations": ({"axons": 13}, [AXONS.format(axons=13), AXONS_OUTPUT.format(axons=13)]),
    "axons_that_not_even_the_bias_fits": (
        {"axons": 1},
        [AXONS.format(axons=1), AXONS_OUTPUT.format(axons=1)],
    ),
    "fan_out": ({"fan_out": 2}, [FAN_OUT.format(fan_out=2)]),
    "tiles": ({"mesh": (5, 1)}, [TILES.format(mesh="5 x 1 = 5")]),
    "payload": ({"payload_bits": 7}, [PAYLOAD.format(payload_bits=7, codes=127)]),
    "payload_binary": ({"payload_bits": 0}, [PAYLOAD.format(payload_bits=0, codes=1)]),
    "everything": (
        {"axons": 13, "fan_out": 1, "mesh": (1, 2), "payload_bits": 4},
        [
            PAYLOAD.format(payload_bits=4, codes=15),
            AXONS.format(axons=13),
            FAN_OUT.format(fan_out=1),
            AXONS_OUTPUT.format(axons=13),
            TILES.format(mesh="1 x 2 = 2"),
        ],
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_every_broken_rule_is_listed(make_network: MakeNetwork, make_chip: MakeChip, broken: str) -> None:
    change, problems = BROKEN[broken]
    with pytest.raises(MappingError) as caught:
        map_network(make_network(1, SIZES), make_chip(**FITS | change))
    assert caught.value.problems == problems
    assert str(caught.value) == "\n".join(problems)


def test_a_chip_that_just_fits_is_accepted(make_network: MakeNetwork, make_chip: MakeChip) -> None:
    mapped = map_network(make_network(1, SIZES), make_chip(**FITS))
    assert len(mapped.cores) == 6
    assert mapped.n_bias_axons == 2


def test_fan_out_limits_neither_the_host_nor_the_outputs(
    make_network: MakeNetwork, make_chip: MakeChip
) -> None:
    mapped = map_network(make_network(1, (3, 8)), make_chip(axons=5, neurons=2, fan_out=1, mesh=(4, 1)))
    assert [len(route) for route in mapped.input_routes] == [4, 4, 4]
    assert all(len(route) == 1 for core in mapped.cores for route in core.routes)


def test_a_network_of_narrower_codes_than_the_payload_is_refused(
    make_network: MakeNetwork, make_chip: MakeChip
) -> None:
    with pytest.raises(MappingError) as caught:
        map_network(make_network(1, SIZES, payload_bits=4), make_chip(**FITS))
    problem = PAYLOAD.replace("up to 255", "up to 15").format(payload_bits=8, codes=255)
    assert caught.value.problems == [problem]


@pytest.mark.parametrize(
    ("largest", "n_bias_axons"), [(0, 0), (1, 1), (-3, 1), (3, 1), (4, 2), (-4, 2), (6, 2), (7, 3)]
)
def test_bias_axons_follow_from_the_largest_bias(
    make_network: MakeNetwork, make_chip: MakeChip, largest: int, n_bias_axons: int
) -> None:
    network = make_network(2, (4, 5, 3), weight_bits=3, bias_axons=0)
    first, last = network.projections
    last = replace(last, bias_codes=np.array([largest, 0, min(largest, 1)], dtype=np.int32))
    mapped = map_network(
        replace(network, projections=(first, last)), make_chip(axons=5 + n_bias_axons, neurons=5)
    )
    assert mapped.n_bias_axons == n_bias_axons
    bias = mapped.cores[-1].weights[:, 5:]
    assert bias.sum(axis=1).tolist() == last.bias_codes.tolist()
    assert np.abs(bias).max(initial=0) <= network.weight_max == 3


@pytest.mark.parametrize(
    ("mesh", "n_outputs", "widths"),
    [((1, 2), 3, (1, 2, 3)), ((16, 16), 3, (4, 5, 3)), ((3, 3), 3, (2, 2, 3)), ((3, 4), 40, (2, 3, 6))],
)
def test_flits_can_name_every_tile_axon_and_output(
    make_network: MakeNetwork,
    make_chip: MakeChip,
    mesh: tuple[int, int],
    n_outputs: int,
    widths: tuple[int, int, int],
) -> None:
    mapped = map_network(make_network(1, (5, n_outputs)), make_chip(axons=7, neurons=40, mesh=mesh))
    event_format = mapped.event_format
    assert (event_format.x_width, event_format.y_width, event_format.axon_width) == widths
    assert event_format.payload_width == 8


def random_mapping(
    seed: int, weight_bits: int, payload_bits: int, make_network: MakeNetwork, make_chip: MakeChip
) -> tuple[QuantizedNetwork, MappedNetwork]:
    """Return a random network on a random chip that has room for it, at times to spare."""
    rng = np.random.default_rng([seed, weight_bits, payload_bits])
    sizes = rng.integers(1, 24, rng.integers(2, 5)).tolist()
    bias_axons, neurons = int(rng.integers(0, 4)), int(rng.integers(2, 12))
    cores = [-(-size // neurons) for size in sizes[1:]]
    width = int(rng.integers(-(-sum(cores) // 15), min(sum(cores), 16), endpoint=True))
    network = make_network(
        seed, sizes, weight_bits=weight_bits, payload_bits=payload_bits, bias_axons=bias_axons
    )
    chip = make_chip(
        axons=max(sizes[:-1]) + bias_axons + int(rng.integers(0, 3)),
        neurons=neurons,
        fan_out=max([1, *cores[1:]]) + int(rng.integers(0, 2)),
        mesh=(width, -(-sum(cores) // width) + int(rng.integers(0, 2))),
        payload_bits=payload_bits,
    )
    return network, map_network(network, chip)


@pytest.mark.parametrize("payload_bits", [0, 1, 4, 8])
@pytest.mark.parametrize("weight_bits", range(2, 9))
def test_mapped_network_computes_what_the_quantised_one_does(
    make_network: MakeNetwork, make_chip: MakeChip, weight_bits: int, payload_bits: int
) -> None:
    seen: set[int] = set()
    split, deep, layered = False, False, False
    for seed in range(12):
        network, mapped = random_mapping(seed, weight_bits, payload_bits, make_network, make_chip)
        code_max = network.activation_max
        codes = np.random.default_rng(seed).integers(
            0, code_max, (20, len(mapped.input_routes)), endpoint=True
        )
        codes[0], codes[1] = 0, code_max
        outputs = simulate_mapped(mapped, codes, digital_models(mapped)).outputs
        np.testing.assert_array_equal(outputs, network.forward(codes))
        seen |= set(outputs.ravel().tolist())
        split |= mapped.n_bias_axons > 1
        deep |= mapped.depth > 2
        layered |= len(mapped.cores) > mapped.depth
    assert {0, network.activation_max} <= seen
    assert len(seen) > min(10, network.activation_max), "the outputs hardly differ, so they prove nothing"
    assert split
    assert deep
    assert layered


@pytest.mark.parametrize("weight_bits", [2, 4, 8])
def test_every_neuron_lies_in_one_core_with_its_own_weights(
    make_network: MakeNetwork, make_chip: MakeChip, weight_bits: int
) -> None:
    for seed in range(20):
        network, mapped = random_mapping(seed, weight_bits, 8, make_network, make_chip)
        n_inputs = mapped.n_axons - mapped.n_bias_axons
        for projection in network.projections:
            cores = [core for core in mapped.cores if core.population == projection.target]
            neurons = [neuron for core in cores for neuron in core.neurons.tolist()]
            assert neurons == list(range(len(projection.weight_codes)))
            assert all(1 <= core.n_neurons <= mapped.n_neurons for core in cores)
            weights = np.concatenate([core.weights for core in cores])
            fan_in = projection.weight_codes.shape[1]
            np.testing.assert_array_equal(weights[:, :fan_in], projection.weight_codes)
            assert not weights[:, fan_in:n_inputs].any()
            np.testing.assert_array_equal(weights[:, n_inputs:].sum(axis=1), projection.bias_codes)
            assert np.abs(weights).max() <= network.weight_max
            assert {(core.gain, core.shift) for core in cores} == {(projection.gain, projection.shift)}
        assert sum(core.n_neurons for core in mapped.cores) == sum(p.size for p in network.populations[1:])


def test_cores_fill_the_mesh_row_by_row_and_share_no_tile(
    make_network: MakeNetwork, make_chip: MakeChip
) -> None:
    for seed in range(20):
        _, mapped = random_mapping(seed, 8, 8, make_network, make_chip)
        tiles = [(x, y) for y in range(1, mapped.mesh_height + 1) for x in range(mapped.mesh_width)]
        assert [core.position for core in mapped.cores] == tiles[: len(mapped.cores)]


def test_routes_lead_to_the_same_axon_of_every_core_of_the_next_population(
    make_network: MakeNetwork, make_chip: MakeChip
) -> None:
    for seed in range(20):
        network, mapped = random_mapping(seed, 8, 8, make_network, make_chip)
        names = [population.name for population in network.populations]
        tiles = {
            name: [core.position for core in mapped.cores if core.population == name] for name in names[1:]
        }
        following = dict(pairwise(names))
        expected = tuple(
            tuple((*tile, index) for tile in tiles[names[1]]) for index in range(network.populations[0].size)
        )
        assert mapped.input_routes == expected
        for core in mapped.cores:
            there = tiles[following[core.population]] if core.population in following else [HOST]
            for index, route in enumerate(core.routes):
                assert route == tuple((*tile, core.neurons[index]) for tile in there)
            assert len(core.routes) == core.n_neurons
            assert len(there) <= mapped.fan_out
        assert mapped.n_outputs == network.populations[-1].size
        assert mapped.depth == len(network.projections)
