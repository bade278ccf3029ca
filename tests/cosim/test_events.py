"""Keys of events: nothing lost in packing, order of time, limits."""

from dataclasses import asdict, fields

import numpy as np
import pytest

from cosim.events import MAX_STEPS, Event, event_keys, event_of, up_to_step, without_source

LIMITS = {
    "step": MAX_STEPS,
    "source_y": 32,
    "source_x": 16,
    "y": 32,
    "x": 16,
    "axon": 1 << 16,
    "payload": 256,
}


def random_fields(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed=1)
    return {name: rng.integers(0, limit, n) for name, limit in LIMITS.items()}


def test_events_come_out_as_they_went_in() -> None:
    columns = random_fields(200)
    columns = {name: np.append(column, [0, LIMITS[name] - 1]) for name, column in columns.items()}
    keys = event_keys(**columns)
    assert keys.dtype == np.uint64
    for index, key in enumerate(keys):
        assert asdict(event_of(key)) == {name: int(column[index]) for name, column in columns.items()}


def test_sorted_keys_are_in_the_order_of_events_and_time_comes_first() -> None:
    keys = event_keys(**random_fields(200))
    assert [event_of(key) for key in np.sort(keys)] == sorted(map(event_of, keys))
    assert next(iter(fields(Event))).name == "step"


def test_missing_fields_are_zero_and_numbers_spread_over_arrays() -> None:
    assert event_of(event_keys(step=3, payload=[7])[0]) == Event(
        step=3, source_y=0, source_x=0, y=0, x=0, axon=0, payload=7
    )
    assert event_keys(step=[1, 2, 3], axon=4).shape == (3,)
    assert event_keys(step=np.zeros(0, dtype=np.int64), axon=4).shape == (0,)


@pytest.mark.parametrize(("name", "limit"), LIMITS.items())
def test_what_does_not_fit_is_refused(name: str, limit: int) -> None:
    event_keys(**{name: [0, limit - 1]})
    with pytest.raises(ValueError, match=rf"^event: {name} must be less than {limit}, got {limit}$"):
        event_keys(**{name: [0, limit]})
    with pytest.raises((ValueError, OverflowError)):
        event_keys(**{name: -1})
    with pytest.raises(ValueError, match=rf"^event: {name} must be less than {limit}, got "):
        event_keys(**{name: np.array([-1])})


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^event: fields must be step, .*, payload, got neuron$"):
        event_keys(step=1, neuron=2)


def test_the_first_steps_are_cut_out() -> None:
    keys = np.sort(event_keys(**(random_fields(200) | {"step": np.arange(200) % 10})))
    early = up_to_step(keys, 4)
    assert len(early) == 80
    assert {event_of(key).step for key in early} == {0, 1, 2, 3}
    np.testing.assert_array_equal(up_to_step(keys, MAX_STEPS), keys)


def test_without_source_all_else_stays() -> None:
    for key in event_keys(**random_fields(50)):
        known = asdict(event_of(without_source(key)))
        assert known == asdict(event_of(key)) | {"source_x": 0, "source_y": 0}
