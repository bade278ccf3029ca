"""The golden model: pipelining, events, and what noise and mismatch may and may not change."""

from collections.abc import Callable

import numpy as np
import pytest

from analog_models.neuron import MixedSignalNeuronParameters
from cosim.events import Event, event_of, up_to_step
from neuromix.config import ChipConfig
from neuromix.mapping import HOST, MappedNetwork, map_network
from neuromix.network.quantize import QuantizedNetwork
from neuromix.reference import (
    ReferenceRun,
    array_banks,
    array_models,
    digital_models,
    draw_arrays,
    simulate_mapped,
)

MakeNetwork = Callable[..., QuantizedNetwork]
MakeChip = Callable[..., ChipConfig]

SIZES = {1: (9, 7), 2: (9, 11, 7), 3: (9, 11, 8, 7)}


@pytest.fixture(params=SIZES, ids="depth_{}".format)
def network(request: pytest.FixtureRequest, make_network: MakeNetwork) -> QuantizedNetwork:
    return make_network(3, SIZES[request.param])


@pytest.fixture
def mapped(network: QuantizedNetwork, make_chip: MakeChip) -> MappedNetwork:
    return map_network(network, make_chip(axons=14, neurons=4))


@pytest.fixture
def stimulus() -> np.ndarray:
    """Random samples, many of their codes zero; the fourth sample is empty."""
    rng = np.random.default_rng(8)
    samples = rng.integers(0, 256, (30, 9), dtype=np.uint8) * rng.integers(0, 2, (30, 9), dtype=np.uint8)
    samples[3] = 0
    samples.flags.writeable = False
    return samples


def golden(
    mapped: MappedNetwork,
    stimulus: np.ndarray,
    parameters: MixedSignalNeuronParameters | None = None,
    seed: int = 1,
) -> ReferenceRun:
    """Run digital cores, or analog arrays of the given design."""
    models = digital_models(mapped)
    if parameters:
        models = array_models(mapped, array_banks(mapped, draw_arrays(mapped, parameters, seed)))
    return simulate_mapped(mapped, stimulus, models)


with_both_kinds_of_core = pytest.mark.parametrize(
    "parameters", [None, MixedSignalNeuronParameters()], ids=["digital", "mixed-signal"]
)


def test_a_sample_leaves_one_step_per_layer_after_it_entered(
    network: QuantizedNetwork, mapped: MappedNetwork, stimulus: np.ndarray
) -> None:
    run = golden(mapped, stimulus)
    events = [event_of(key) for key in run.events]
    entered, left = np.zeros((run.n_steps, 9), dtype=int), np.zeros((run.n_steps, 7), dtype=int)
    for event in events:
        if (event.source_x, event.source_y) == HOST:
            entered[event.step, event.axon] = event.payload
        if (event.x, event.y) == HOST:
            left[event.step, event.axon] = event.payload
    assert run.n_steps == len(stimulus) + mapped.depth
    np.testing.assert_array_equal(entered[: len(stimulus)], stimulus)
    assert not entered[len(stimulus) :].any()
    expected = network.forward(stimulus)
    assert len(np.unique(expected, axis=0)) > 20, "most samples give the same outputs: they prove little"
    np.testing.assert_array_equal(left[mapped.depth :], expected)
    np.testing.assert_array_equal(run.outputs, expected)
    assert not left[0].any(), "before the first evaluation there is nothing to send"


def test_bias_fires_in_steps_without_events(network: QuantizedNetwork, mapped: MappedNetwork) -> None:
    run = golden(mapped, np.zeros((5, 9), dtype=np.uint8))
    at_rest = network.forward(np.zeros((1, 9), dtype=np.uint8))
    assert at_rest.any()
    np.testing.assert_array_equal(run.outputs, np.repeat(at_rest, 5, axis=0))
    assert not [key for key in run.events if event_of(key).source_y == 0]
    for inputs in run.input_codes.values():
        assert (inputs[:, -mapped.n_bias_axons :] == 255).all()


def test_a_run_without_samples_is_only_the_pipeline(mapped: MappedNetwork) -> None:
    run = golden(mapped, np.zeros((0, 9), dtype=np.uint8))
    assert run.n_steps == mapped.depth
    assert run.outputs.shape == (0, 7)


@with_both_kinds_of_core
def test_events_are_sorted_and_are_what_each_core_sends_along_its_routes(
    mapped: MappedNetwork, stimulus: np.ndarray, parameters: MixedSignalNeuronParameters | None
) -> None:
    run = golden(mapped, stimulus, parameters)
    routes = {HOST: mapped.input_routes} | {core.position: core.routes for core in mapped.cores}
    assert set(run.sent_codes) == set(routes)
    expected = [
        Event(step=step, source_y=y, source_x=x, y=to_y, x=to_x, axon=axon, payload=code)
        for (x, y), sent in run.sent_codes.items()
        for step, codes in enumerate(sent.tolist())
        for code, destinations in zip(codes, routes[x, y], strict=True)
        for to_x, to_y, axon in (destinations if code else ())
    ]
    assert [event_of(key) for key in run.events] == sorted(expected)
    assert len(set(expected)) == len(expected) > 200


def test_cores_see_the_events_of_their_step(mapped: MappedNetwork, stimulus: np.ndarray) -> None:
    run = golden(mapped, stimulus)
    seen = {core.position: np.zeros((run.n_steps, mapped.n_axons), dtype=int) for core in mapped.cores}
    for codes in seen.values():
        codes[:, -mapped.n_bias_axons :] = 255
    for event in map(event_of, run.events):
        if (event.x, event.y) != HOST:
            seen[event.x, event.y][event.step, event.axon] += event.payload
    assert set(run.input_codes) == set(seen)
    for position, codes in seen.items():
        np.testing.assert_array_equal(run.input_codes[position], codes)


@pytest.mark.parametrize("payload_bits", [0, 1, 4])
def test_narrow_payloads_travel_as_they_are(
    make_network: MakeNetwork, make_chip: MakeChip, payload_bits: int
) -> None:
    network = make_network(4, SIZES[2], payload_bits=payload_bits)
    mapped = map_network(network, make_chip(axons=14, neurons=4, payload_bits=payload_bits))
    samples = np.random.default_rng(2).integers(0, network.activation_max, (20, 9), endpoint=True)
    run = golden(mapped, samples)
    np.testing.assert_array_equal(run.outputs, network.forward(samples))
    payloads = {event_of(key).payload for key in run.events}
    assert {1, network.activation_max} <= payloads <= set(range(1, network.activation_max + 1))


@with_both_kinds_of_core
def test_the_past_does_not_depend_on_how_many_samples_follow(
    mapped: MappedNetwork, stimulus: np.ndarray, parameters: MixedSignalNeuronParameters | None
) -> None:
    whole, part = (golden(mapped, samples, parameters) for samples in (stimulus, stimulus[:11]))
    np.testing.assert_array_equal(part.outputs, whole.outputs[:11])
    np.testing.assert_array_equal(up_to_step(part.events, 11), up_to_step(whole.events, 11))


def test_ideal_arrays_send_the_very_events_of_the_digital_cores(
    mapped: MappedNetwork, stimulus: np.ndarray
) -> None:
    digital = golden(mapped, stimulus)
    analog = golden(mapped, stimulus, MixedSignalNeuronParameters.ideal())
    np.testing.assert_array_equal(analog.events, digital.events)
    np.testing.assert_array_equal(analog.outputs, digital.outputs)


def test_the_seed_decides_a_run_with_noise_and_mismatch(mapped: MappedNetwork, stimulus: np.ndarray) -> None:
    first, again, other = (
        golden(mapped, stimulus, MixedSignalNeuronParameters(), seed) for seed in (1, 1, 2)
    )
    digital = golden(mapped, stimulus)
    np.testing.assert_array_equal(first.events, again.events)
    assert not np.array_equal(first.events, other.events)
    assert not np.array_equal(first.events, digital.events)


@pytest.mark.parametrize("flaw", ["mismatch", "noise"])
def test_the_seed_draws_both_mismatch_and_noise(
    mapped: MappedNetwork, stimulus: np.ndarray, flaw: str
) -> None:
    factors = {"mismatch_factor": 1.0} if flaw == "mismatch" else {"noise_factor": 3.0}
    parameters = MixedSignalNeuronParameters.ideal(**factors)
    first, other = (golden(mapped, stimulus, parameters, seed) for seed in (1, 2))
    assert not np.array_equal(first.events, other.events)


def test_an_array_depends_on_its_place_alone_and_no_two_are_alike(
    make_network: MakeNetwork, make_chip: MakeChip
) -> None:
    chip = make_chip(axons=14, neurons=4)
    small = map_network(make_network(3, (9, 5)), chip)  # the second core holds one neuron of four
    large = map_network(make_network(7, (9, 11, 8, 7)), chip)
    parameters = MixedSignalNeuronParameters()
    few, many = (draw_arrays(mapped, parameters, 6) for mapped in (small, large))
    assert set(few.draws) < set(many.draws)
    for position, draw in few.draws.items():
        assert few.noise_seeds[position] == many.noise_seeds[position]
        for name in ("bit_error", "gain_error", "offset"):
            np.testing.assert_array_equal(getattr(draw, name), getattr(many.draws[position], name))
    assert set(many.draws) == {core.position for core in large.cores}
    assert len(set(many.noise_seeds.values())) == len(large.cores)
    assert len({draw.offset.tobytes() for draw in many.draws.values()}) == len(large.cores)
    for draw in many.draws.values():
        assert draw.bit_error.shape == (4, 14, 7)


def test_noise_of_one_array_leaves_the_draws_alone(mapped: MappedNetwork) -> None:
    silent, noisy = (
        draw_arrays(mapped, MixedSignalNeuronParameters(noise_factor=factor), 4) for factor in (0, 3)
    )
    for position, draw in silent.draws.items():
        np.testing.assert_array_equal(draw.bit_error, noisy.draws[position].bit_error)
        np.testing.assert_array_equal(draw.offset, noisy.draws[position].offset)


def test_lines_settle_for_the_time_of_the_arrays(mapped: MappedNetwork, stimulus: np.ndarray) -> None:
    def outputs(*evaluation_time: float) -> np.ndarray:
        arrays = draw_arrays(mapped, MixedSignalNeuronParameters(), 1, *evaluation_time)
        models = array_models(mapped, array_banks(mapped, arrays))
        return simulate_mapped(mapped, stimulus, models).outputs

    np.testing.assert_array_equal(outputs(), outputs(1e-3))
    assert (outputs() != outputs(10e-9)).any()


def test_banks_hold_the_weights_of_their_core_and_none_for_unused_neurons(
    make_network: MakeNetwork, make_chip: MakeChip
) -> None:
    mapped = map_network(make_network(3, (9, 5)), make_chip(axons=12, neurons=4))
    banks = array_banks(mapped, draw_arrays(mapped, MixedSignalNeuronParameters.ideal(), 1))
    inputs = np.random.default_rng(1).integers(0, 256, (20, 12))
    for core in mapped.cores:
        codes = banks[core.position].evaluate(inputs).codes
        np.testing.assert_array_equal(
            codes[:, : core.n_neurons], digital_models(mapped)[core.position](inputs, 0)
        )
        assert codes.shape == (20, 4)
        assert not codes[:, core.n_neurons :].any()
    assert {core.n_neurons for core in mapped.cores} == {4, 1}


def test_the_strongest_output_is_the_class_and_the_first_of_equals_wins() -> None:
    run = ReferenceRun(
        n_steps=4,
        events=np.zeros(0, dtype=np.uint64),
        outputs=np.array([[1, 3, 2], [5, 0, 5], [0, 0, 0]]),
        input_codes={},
        answers={},
        first_step=0,
        sent_codes={},
    )
    assert run.predictions.tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("stimulus", "message"),
    [
        (np.zeros((4, 8), dtype=int), r"^stimulus must be \[sample, 9\], got \[4, 8\]$"),
        (np.zeros((4, 10), dtype=int), r"^stimulus must be \[sample, 9\], got \[4, 10\]$"),
        (np.zeros(9, dtype=int), r"^stimulus must be \[sample, 9\], got \[9\]$"),
        (np.full((4, 9), 256), r"^stimulus must be 0 to 255, got 256 to 256$"),
        (np.full((4, 9), -1), r"^stimulus must be 0 to 255, got -1 to -1$"),
        (np.full((4, 9), 0.5), r"^stimulus must be whole numbers 0 to 255, got float64$"),
    ],
)
def test_a_stimulus_that_is_no_codes_of_the_inputs_is_refused(
    mapped: MappedNetwork, stimulus: np.ndarray, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        golden(mapped, stimulus)
