"""Events as numbers: one 64-bit key per event, so that millions are compared by sorting.

Sorted keys are in the order of time.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "KEY_WIDTHS",
    "MAX_STEPS",
    "Event",
    "EventKeys",
    "event_fields",
    "event_keys",
    "event_of",
    "up_to_step",
    "without_source",
]

EventKeys = NDArray[np.uint64]
"""Any number of events."""

KEY_WIDTHS = {"step": 22, "source_y": 5, "source_x": 4, "y": 5, "x": 4, "axon": 16, "payload": 8}
"""Widths of a key's fields, from the high bits down [bits]."""

MAX_STEPS = 1 << KEY_WIDTHS["step"]
"""Time steps that a key can tell apart."""


@dataclass(frozen=True, kw_only=True, order=True)
class Event:
    """One event: its time step, the core (or host) that sent it, where it goes, and its activation code."""

    step: int
    source_y: int
    source_x: int
    y: int
    x: int
    axon: int
    payload: int


def event_keys(**fields: ArrayLike) -> EventKeys:
    """Return keys of events given by the fields of :class:`Event`, arrays or numbers; missing ones are 0."""
    if unknown := fields.keys() - KEY_WIDTHS.keys():
        raise TypeError(f"event: fields must be {', '.join(KEY_WIDTHS)}, got {', '.join(sorted(unknown))}")
    keys = np.zeros((), dtype=np.uint64)
    for name, width in KEY_WIDTHS.items():
        field = np.asarray(fields.get(name, 0), dtype=np.uint64)
        if field.size and field.max() >> np.uint64(width):
            raise ValueError(f"event: {name} must be less than {1 << width}, got {field.max()}")
        keys = (keys << np.uint64(width)) | field
    return keys


def event_fields(keys: EventKeys | np.uint64) -> dict[str, NDArray[np.int64]]:
    """Return the fields of :class:`Event` of all ``keys``."""
    rest, fields = np.asarray(keys), {}
    for name, width in reversed(KEY_WIDTHS.items()):
        fields[name] = np.asarray(rest & np.uint64((1 << width) - 1), dtype=np.int64)
        rest = np.asarray(rest >> np.uint64(width))
    return fields


def event_of(key: np.uint64) -> Event:
    """Return the event behind ``key``."""
    return Event(**{name: int(field) for name, field in event_fields(key).items()})


def up_to_step(keys: EventKeys, end: int) -> EventKeys:
    """Return the events of the time steps before ``end``."""
    return keys[keys >> np.uint64(64 - KEY_WIDTHS["step"]) < end]


def without_source(keys: EventKeys) -> EventKeys:
    """Return ``keys`` with their source set to 0: what the receiver of an event knows of it."""
    source = event_keys(source_y=31, source_x=15)
    return keys & ~source
