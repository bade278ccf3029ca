"""Agreement: every way in which a chip can differ from the golden model is counted and located."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from cosim.events import Event, EventKeys, event_keys, event_of, without_source
from cosim.job import CosimResult
from neuromix.agreement import Comparison, compare_events
from neuromix.config import ChipConfig
from neuromix.mapping import MappedNetwork, map_network
from neuromix.network.quantize import QuantizedNetwork
from neuromix.reference import ReferenceRun, digital_models, simulate_mapped

MakeNetwork = Callable[..., QuantizedNetwork]
MakeChip = Callable[..., ChipConfig]


@pytest.fixture
def mapped(make_network: MakeNetwork, make_chip: MakeChip) -> MappedNetwork:
    """Hidden neurons on tiles (0, 1), (1, 1), outputs on (0, 2); tile (1, 2) is not in use."""
    return map_network(make_network(3, (6, 8, 4)), make_chip(axons=10, neurons=4, mesh=(2, 2)))


@pytest.fixture
def reference(mapped: MappedNetwork) -> ReferenceRun:
    samples = np.random.default_rng(4).integers(0, 256, (5, 6))
    samples[2, 3] = 0
    return simulate_mapped(mapped, samples, digital_models(mapped))


def keys_of(events: Sequence[Event]) -> EventKeys:
    return np.sort(np.array([event_keys(**vars(event)) for event in events], dtype=np.uint64))


def result_of(sent: EventKeys, received: EventKeys | None = None) -> CosimResult:
    """Return the result of a chip that sends ``sent`` and receives ``received``, or all that it sent."""
    received = sent if received is None else received
    return CosimResult(
        sent=np.sort(sent),
        received=np.sort(without_source(received)),
        step_cycles=np.zeros(0, dtype=np.int64),
        trace=None,
    )


def counts(comparison: Comparison) -> tuple[int, int, int]:
    return comparison.differences, comparison.lost, comparison.duplicated


def event_at(
    reference: ReferenceRun, step: int, source: tuple[int, int], target: tuple[int, int, int]
) -> Event:
    """Return the golden event that ``source`` sends to ``target`` (x, y, axon) in ``step``."""
    (found,) = [
        event
        for event in map(event_of, reference.events)
        if (event.step, event.source_x, event.source_y, event.x, event.y, event.axon)
        == (step, *source, *target)
    ]
    return found


@pytest.fixture
def hidden(reference: ReferenceRun) -> Event:
    """Sample 1 at its second hop: hidden neuron 5, the second of core (1, 1), to the output core."""
    return event_at(reference, 2, (1, 1), (0, 2, 5))


HIDDEN = "sample 1, step 2, core (1, 1), neuron 1, to axon 5 of core (0, 2)"


def changed(reference: ReferenceRun, old: Sequence[Event], new: Sequence[Event]) -> EventKeys:
    """Return the golden events with ``new`` in place of ``old``."""
    kept = np.setdiff1d(reference.events, keys_of(old))
    assert len(kept) == len(reference.events) - len(old)
    return np.concatenate([kept, keys_of(new)])


def test_a_chip_that_does_what_it_should_is_equal(mapped: MappedNetwork, reference: ReferenceRun) -> None:
    comparison = compare_events(mapped, reference, result_of(reference.events))
    assert comparison.equal
    n_events = len(reference.events)
    assert n_events > 50
    assert comparison == Comparison(
        events_compared=n_events,
        events_sent=n_events,
        events_received=n_events,
        differences=0,
        lost=0,
        duplicated=0,
        located=(),
    )


@pytest.mark.parametrize("payload", [1, 255])
def test_a_changed_payload(
    mapped: MappedNetwork, reference: ReferenceRun, hidden: Event, payload: int
) -> None:
    other = replace(hidden, payload=payload)
    comparison = compare_events(mapped, reference, result_of(changed(reference, [hidden], [other])))
    assert counts(comparison) == (2, 0, 0)
    assert not comparison.equal
    assert comparison.located == (f"{HIDDEN}: golden model {hidden.payload}, chip {payload}",)


def test_a_missing_event(mapped: MappedNetwork, reference: ReferenceRun, hidden: Event) -> None:
    comparison = compare_events(mapped, reference, result_of(changed(reference, [hidden], [])))
    assert counts(comparison) == (1, 0, 0)
    assert not comparison.equal
    assert comparison.events_sent == comparison.events_received == comparison.events_compared - 1
    assert comparison.located == (f"{HIDDEN}: golden model {hidden.payload}, chip no event",)


def test_an_extra_event(mapped: MappedNetwork, reference: ReferenceRun) -> None:
    silent = Event(step=2, source_y=0, source_x=0, y=1, x=1, axon=3, payload=9)
    comparison = compare_events(mapped, reference, result_of(changed(reference, [], [silent])))
    assert counts(comparison) == (1, 0, 0)
    assert not comparison.equal
    assert comparison.located == (
        "sample 2, step 2, host, neuron 3, to axon 3 of core (1, 1): golden model no event, chip 9",
    )


def test_an_event_sent_twice(mapped: MappedNetwork, reference: ReferenceRun, hidden: Event) -> None:
    comparison = compare_events(mapped, reference, result_of(changed(reference, [], [hidden])))
    assert counts(comparison) == (1, 0, 0)
    assert not comparison.equal
    code = hidden.payload
    assert comparison.located == (f"{HIDDEN}: golden model {code}, chip {code} and {code}",)


def test_an_event_lost_on_the_way(mapped: MappedNetwork, reference: ReferenceRun, hidden: Event) -> None:
    result = result_of(reference.events, changed(reference, [hidden], []))
    comparison = compare_events(mapped, reference, result)
    assert counts(comparison) == (0, 1, 0)
    assert not comparison.equal
    assert (comparison.events_sent, comparison.events_received) == (
        len(reference.events),
        len(reference.events) - 1,
    )
    assert comparison.located == ("step 2, axon 5 of core (0, 2): sent and never received",)


def test_an_event_duplicated_on_the_way(
    mapped: MappedNetwork, reference: ReferenceRun, hidden: Event
) -> None:
    result = result_of(reference.events, changed(reference, [], [hidden]))
    comparison = compare_events(mapped, reference, result)
    assert counts(comparison) == (0, 0, 1)
    assert not comparison.equal
    assert comparison.located == ("step 2, axon 5 of core (0, 2): received and never sent",)


def test_an_event_that_changes_or_comes_late_on_the_way(
    mapped: MappedNetwork, reference: ReferenceRun, hidden: Event
) -> None:
    for change in ({"payload": hidden.payload ^ 1}, {"step": hidden.step + 1}):
        arrived = replace(hidden, **change)
        result = result_of(reference.events, changed(reference, [hidden], [arrived]))
        comparison = compare_events(mapped, reference, result)
        assert counts(comparison) == (0, 1, 1)
        assert not comparison.equal
        assert comparison.located == (
            "step 2, axon 5 of core (0, 2): sent and never received",
            f"step {arrived.step}, axon 5 of core (0, 2): received and never sent",
        )


def test_an_event_to_a_wrong_axon(mapped: MappedNetwork, reference: ReferenceRun, hidden: Event) -> None:
    stray = replace(hidden, axon=9)
    comparison = compare_events(mapped, reference, result_of(changed(reference, [hidden], [stray])))
    assert counts(comparison) == (2, 0, 0)
    assert not comparison.equal
    elsewhere = HIDDEN.replace("neuron 1", "neuron unknown").replace("axon 5", "axon 9")
    assert comparison.located == (
        f"{HIDDEN}: golden model {hidden.payload}, chip no event",
        f"{elsewhere}: golden model no event, chip {hidden.payload}",
    )


def test_an_event_in_a_wrong_step(mapped: MappedNetwork, reference: ReferenceRun) -> None:
    output = event_at(reference, 3, (0, 2), (0, 0, 2))
    early = replace(output, step=1)  # when the first sample has not got there yet
    comparison = compare_events(mapped, reference, result_of(changed(reference, [output], [early])))
    assert counts(comparison) == (2, 0, 0)
    assert not comparison.equal
    place = "core (0, 2), neuron 2, to axon 2 of host"
    assert comparison.located == (
        f"no sample, step 1, {place}: golden model no event, chip {output.payload}",
        f"sample 1, step 3, {place}: golden model {output.payload}, chip no event",
    )


def test_an_event_of_a_tile_that_is_not_in_use(mapped: MappedNetwork, reference: ReferenceRun) -> None:
    stray = Event(step=3, source_y=2, source_x=1, y=0, x=0, axon=1, payload=77)
    comparison = compare_events(mapped, reference, result_of(changed(reference, [], [stray])))
    assert counts(comparison) == (1, 0, 0)
    assert comparison.located == (
        "step 3, core (1, 2) without neurons, to axon 1 of host: golden model no event, chip 77",
    )


def test_differences_are_located_in_order_of_time_and_only_the_first(
    mapped: MappedNetwork, reference: ReferenceRun
) -> None:
    nothing = compare_events(mapped, reference, result_of(reference.events[:0]), n_located=4)
    n_events = len(reference.events)
    assert counts(nothing) == (n_events, 0, 0)
    assert [text.split(",")[:2] for text in nothing.located] == [["sample 0", " step 0"]] * 4
    every = compare_events(mapped, reference, result_of(reference.events[:0]), n_located=n_events)
    steps = [int(text.split("step ")[1].split(",")[0]) for text in every.located]
    assert steps == [event_of(key).step for key in reference.events]
    lost = compare_events(mapped, reference, result_of(reference.events, reference.events[:0]))
    assert counts(lost) == (0, n_events, 0)
    assert len(lost.located) == 10


def test_without_events_nothing_is_shown_to_be_equal(mapped: MappedNetwork, reference: ReferenceRun) -> None:
    silent = replace(reference, events=reference.events[:0])
    comparison = compare_events(mapped, silent, result_of(silent.events))
    assert counts(comparison) == (0, 0, 0)
    assert not comparison.equal
    assert not compare_events(mapped, silent, result_of(reference.events)).equal
    assert not compare_events(mapped, reference, result_of(reference.events[:0])).equal


def test_many_differences_are_counted_and_few_put_into_words(
    mapped: MappedNetwork, reference: ReferenceRun
) -> None:
    """Putting all of them into words takes a minute."""
    events = np.unique(np.random.default_rng(1).integers(0, 1 << 62, 500_000).astype(np.uint64))
    others = events ^ np.uint64(1)
    comparison = compare_events(mapped, replace(reference, events=events), result_of(others, events))
    assert counts(comparison) == (2 * len(events), len(events), len(events))
    assert len(comparison.located) == 10
