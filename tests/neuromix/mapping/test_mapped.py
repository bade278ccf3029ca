"""What a mapped network hands to the hardware: flits, engines, chips and memory images."""

from collections.abc import Callable

import numpy as np
import pytest

from neuromix.config import ChipConfig, ExperimentConfig
from neuromix.mapping import MappedCore, MappedNetwork, Route, map_network
from neuromix.network.quantize import QuantizedNetwork
from rtl_gen.boundary.analog_array import AnalogArrayParameters
from rtl_gen.formats import EventFormat
from rtl_gen.host.loader import MemoryImage
from rtl_gen.neuron.event_engine import EventEngineParameters
from rtl_gen.neuron.parallel_engine import ParallelEngineParameters
from rtl_gen.signatures import LoadTarget, SettingsRow

MakeNetwork = Callable[..., QuantizedNetwork]
MakeChip = Callable[..., ChipConfig]

BACK_ENDS = ("parallel", "serial", "mixed_signal")


def experiment(**back_ends: dict[str, int]) -> ExperimentConfig:
    return ExperimentConfig.model_validate(
        {
            "name": "test",
            "network": "digits-64-32-10",
            "data": {"kind": "digits"},
            "back_ends": back_ends,
        }
    )


EVERY_BACK_END = experiment(
    parallel={},
    serial={"lanes": 2},
    mixed_signal={"reset_cycles": 2, "settle_cycles": 5, "convert_cycles": 7},
)


@pytest.fixture(params=[0, 1, 4, 8])
def mapped(request: pytest.FixtureRequest, make_network: MakeNetwork, make_chip: MakeChip) -> MappedNetwork:
    """11 hidden neurons on three cores, 5 outputs on two, a tile to spare; three bias axons."""
    network = make_network(5, (7, 11, 5), payload_bits=request.param, bias_axons=3)
    chip = make_chip(axons=15, neurons=4, fan_out=3, mesh=(2, 3), payload_bits=request.param)
    return map_network(network, chip)


def unpacked(word: int, **widths: int) -> dict[str, int]:
    """Return the fields of ``word``, given from the low bits up."""
    fields = {}
    for name, width in widths.items():
        fields[name] = word & ((1 << width) - 1)
        word >>= width
    assert word == 0
    return fields


def address_widths(event_format: EventFormat) -> dict[str, int]:
    return {name: getattr(event_format, f"{name}_width") for name in ("axon", "y", "x")}


def test_a_sample_becomes_one_flit_per_code_and_destination_and_none_for_zero(mapped: MappedNetwork) -> None:
    payload_max = mapped.event_format.payload_max
    codes = np.array([0, 1, payload_max, 0, 1, 1, payload_max])
    codes.flags.writeable = False
    carries_payload = mapped.event_format.payload_width > 0
    expected = [
        {"payload": code if carries_payload else 0, "axon": axon, "y": y, "x": x}
        for axon, code in enumerate(codes.tolist())
        for x, y in ((0, 1), (1, 1), (0, 2))
        if code
    ]
    widths = {"payload": mapped.event_format.payload_width, **address_widths(mapped.event_format)}
    assert [unpacked(flit, **widths) for flit in mapped.input_flits(codes).tolist()] == expected
    assert len(mapped.input_flits(np.zeros(7, dtype=np.uint8))) == 0


@pytest.mark.parametrize("n_codes", [6, 8])
def test_a_sample_of_another_size_is_refused(mapped: MappedNetwork, n_codes: int) -> None:
    with pytest.raises(ValueError, match=rf"^codes must be \[7\], got \[{n_codes}\]$"):
        mapped.input_flits(np.ones(n_codes, dtype=np.int64))


def test_engine_has_the_size_of_the_core_and_the_options_of_the_experiment(mapped: MappedNetwork) -> None:
    sizes = {"event_format": mapped.event_format, "n_axons": 15, "n_bias_axons": 3, "n_neurons": 4}
    assert [mapped.engine(name, EVERY_BACK_END) for name in BACK_ENDS] == [
        ParallelEngineParameters(**sizes),
        EventEngineParameters(**sizes, lanes=2),
        AnalogArrayParameters(**sizes, reset_cycles=2, settle_cycles=5, convert_cycles=7),
    ]


@pytest.mark.parametrize("name", [*BACK_ENDS, "optical"])
def test_a_back_end_that_the_experiment_has_not_is_refused(mapped: MappedNetwork, name: str) -> None:
    others = {other: {} for other in BACK_ENDS if other != name}
    with pytest.raises(ValueError, match=f"^back end must be one of the experiment's, got {name}$"):
        mapped.engine(name, experiment(**others))


def test_lanes_that_do_not_divide_the_neurons_are_refused(mapped: MappedNetwork) -> None:
    message = "^lanes must be a power of two that divides n_neurons = 4, got 8$"
    with pytest.raises(ValueError, match=message):
        mapped.engine("serial", experiment(serial={"lanes": 8}))


def test_chip_has_the_mesh_and_tiles_of_the_mapping(mapped: MappedNetwork) -> None:
    engine = mapped.engine("serial", EVERY_BACK_END)
    chip = mapped.chip(engine)
    assert chip.tile_addresses == [(0, 1), (1, 1), (0, 2), (1, 2), (0, 3), (1, 3)]
    assert chip.tile.core.engine == engine
    assert chip.tile.core.fan_out == 3
    assert chip.tile.queue_depth == 4


def test_images_do_not_fit_a_chip_of_other_cores(
    mapped: MappedNetwork, make_network: MakeNetwork, make_chip: MakeChip
) -> None:
    other = map_network(make_network(5, (7, 3), bias_axons=1), make_chip(axons=9, neurons=3))
    chip = other.chip(other.engine("parallel", EVERY_BACK_END))
    with pytest.raises(ValueError, match=r"^weights must have at most 3 rows and 9 columns, got 4 and 15$"):
        mapped.memory_images(chip)


def stored_weights(image: MemoryImage, back_end: str, n_axons: int) -> np.ndarray:
    """Return the weights [post, pre] in ``image``, by the layout that the engine's docstring describes."""
    stored = np.array([list((row or 0).to_bytes(image.row_width // 8, "little")) for row in image.rows])
    if back_end == "mixed_signal":  # a row per axon, sign and magnitude
        return np.where(stored >= 128, -(stored & 127), stored).T
    signed = np.where(stored >= 128, stored - 256, stored)
    if back_end == "parallel":  # a row per neuron
        return signed
    return signed.reshape(n_axons, -1).T  # row axon * n_groups + group, neuron group * lanes + lane


def stored_routes(image: MemoryImage, mapped: MappedNetwork) -> tuple[tuple[Route, ...], ...]:
    """Return the destinations of each neuron in ``image``."""
    widths = {**address_widths(mapped.event_format), "in_use": 1}
    assert image.row_width == sum(widths.values())
    entries = [unpacked(row or 0, **widths) for row in image.rows]
    return tuple(
        tuple(
            (entry["x"], entry["y"], entry["axon"])
            for entry in entries[first:][: mapped.fan_out]
            if entry["in_use"]
        )
        for first in range(0, len(entries), mapped.fan_out)
    )


def images_of(mapped: MappedNetwork, core: MappedCore, images: list[MemoryImage]) -> dict[int, MemoryImage]:
    """Return the images of ``core``'s tile by target."""
    of_tile = [image for image in images if (image.x, image.y) == core.position]
    assert all(image.first_row == 0 for image in of_tile)
    by_target = {image.target: image for image in of_tile}
    assert len(by_target) == len(of_tile)
    return by_target


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_memory_images_hold_the_mapped_network(mapped: MappedNetwork, back_end: str) -> None:
    images = mapped.memory_images(mapped.chip(mapped.engine(back_end, EVERY_BACK_END)))
    for core in mapped.cores:
        image = images_of(mapped, core, images)
        assert set(image) == {LoadTarget.SYNAPSES, LoadTarget.ROUTES, LoadTarget.SETTINGS}
        weights = stored_weights(image[LoadTarget.SYNAPSES], back_end, mapped.n_axons)
        assert weights.shape == (mapped.n_neurons, mapped.n_axons)
        np.testing.assert_array_equal(weights[: core.n_neurons], core.weights)
        assert not weights[core.n_neurons :].any()
        routes = stored_routes(image[LoadTarget.ROUTES], mapped)
        assert routes[: core.n_neurons] == core.routes
        assert routes[core.n_neurons :] == ((),) * (mapped.n_neurons - core.n_neurons)
        settings = image[LoadTarget.SETTINGS].rows
        assert settings[SettingsRow.GAIN] == core.gain
        assert settings[SettingsRow.SHIFT] == core.shift
        assert settings[SettingsRow.NEURONS_IN_USE] == core.n_neurons
    assert {core.n_neurons for core in mapped.cores} == {1, 3, 4}


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_rows_that_nothing_reads_are_not_loaded(mapped: MappedNetwork, back_end: str) -> None:
    engine = mapped.engine(back_end, EVERY_BACK_END)
    images = {(image.x, image.y, image.target): image for image in mapped.memory_images(mapped.chip(engine))}
    n_left_out = 0
    for core in mapped.cores:
        loaded = [row is not None for row in images[*core.position, LoadTarget.SYNAPSES].rows]
        routes = [*mapped.input_routes, *(routes for sender in mapped.cores for routes in sender.routes)]
        reached = {axon for destinations in routes for x, y, axon in destinations if (x, y) == core.position}
        reached |= {*range(mapped.n_axons - mapped.n_bias_axons, mapped.n_axons)}
        if back_end == "parallel":
            assert loaded == [neuron < core.n_neurons for neuron in range(mapped.n_neurons)]
        else:
            by_axon = np.reshape(loaded, (mapped.n_axons, -1))
            assert set(np.flatnonzero(by_axon.any(axis=1))) == reached
            assert (by_axon[sorted(reached)] == by_axon[-1]).all()
        n_left_out += loaded.count(False)
    assert n_left_out, "everything is read: the network fills the chip"


def test_only_tiles_in_use_get_images_one_tile_after_the_other(mapped: MappedNetwork) -> None:
    images = mapped.memory_images(mapped.chip(mapped.engine("serial", EVERY_BACK_END)))
    assert [(image.x, image.y) for image in images] == [
        position for position in ((0, 1), (1, 1), (0, 2), (1, 2), (0, 3)) for _ in range(3)
    ]


def test_trims_go_to_the_tiles_that_have_some(mapped: MappedNetwork) -> None:
    trims = {(1, 1): np.array([0x0102, 0xFF80, 0, 7]), (0, 2): [1, 2, 3]}
    images = mapped.memory_images(mapped.chip(mapped.engine("mixed_signal", EVERY_BACK_END)), trims)
    found = {(image.x, image.y): list(image.rows) for image in images if image.target == LoadTarget.TRIMS}
    assert found == {(1, 1): [0x0102, 0xFF80, 0, 7], (0, 2): [1, 2, 3]}
