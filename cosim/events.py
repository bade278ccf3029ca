"""Events as numbers: one 64-bit key per event, so that millions are compared by sorting.

From the high bits down: time step (22 bits), source y, x, destination y, x (5 and 4 bits each), axon (16),
payload (8). Sorted keys are in the order of time.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["MAX_STEPS", "Event", "EventKeys", "event_keys", "event_of", "up_to_step", "without_source"]

EventKeys = npt.NDArray[np.uint64]
"""Any number of events."""

_WIDTHS = {"step": 22, "source_y": 5, "source_x": 4, "y": 5, "x": 4, "axon": 16, "payload": 8}
MAX_STEPS = 1 << _WIDTHS["step"]
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


def event_keys(**fields: npt.ArrayLike) -> EventKeys:
    """Return keys of events given by the fields of :class:`Event`, arrays or numbers; missing ones are 0."""
    if unknown := fields.keys() - _WIDTHS.keys():
        raise TypeError(f"event: fields must be {', '.join(_WIDTHS)}, got {', '.join(sorted(unknown))}")
    keys = np.zeros((), dtype=np.uint64)
    for name, width in _WIDTHS.items():
        field = np.asarray(fields.get(name, 0), dtype=np.uint64)
        if field.size and field.max() >> np.uint64(width):
            raise ValueError(f"event: {name} must be less than {1 << width}, got {field.max()}")
        keys = (keys << np.uint64(width)) | field
    return keys


def event_of(key: int) -> Event:
    """Return the event behind ``key``."""
    rest, fields = int(key), {}
    for name, width in reversed(_WIDTHS.items()):
        fields[name] = rest & ((1 << width) - 1)
        rest >>= width
    return Event(**fields)


def up_to_step(keys: EventKeys, n_steps: int) -> EventKeys:
    """Return the events of the first ``n_steps`` time steps."""
    return keys[keys >> np.uint64(64 - _WIDTHS["step"]) < n_steps]


def without_source(keys: EventKeys) -> EventKeys:
    """Return ``keys`` with their source set to 0: what the receiver of an event knows of it."""
    source = event_keys(source_y=31, source_x=15)
    return keys & ~source
