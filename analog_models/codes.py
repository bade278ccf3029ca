"""Integers that a register or a memory can hold, checked where they enter a model."""

import operator

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["GAIN_MAX", "STEP_MAX", "checked_codes", "checked_steps", "checked_whole"]

GAIN_MAX = (1 << 16) - 1
"""Largest multiplier that a core's settings hold."""

STEP_MAX = (1 << 63) - 1
"""Largest number of a time step."""


def checked_whole(where: str, name: str, value: int, low: int, high: int) -> int:
    """Return ``value`` as an int. Raises ValueError unless it is a whole number from ``low`` to ``high``."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or not low <= number <= high:
        raise ValueError(f"{where}: {name} must be a whole number from {low} to {high}, got {value!r}")
    return number


def checked_codes(
    where: str, name: str, values: ArrayLike, low: int, high: int, shape: tuple[int, ...]
) -> NDArray[np.integer]:
    """Return ``values`` as an array. Raises ValueError unless it has ``shape`` and integers in the range."""
    codes = np.asarray(values)
    if codes.shape != shape:
        raise ValueError(f"{where}: {name} must have shape {shape}, got {codes.shape}")
    if codes.dtype.kind not in "iu":
        raise ValueError(f"{where}: {name} must be integers, got {codes.dtype}")
    if codes.size and not (low <= codes.min() and codes.max() <= high):
        raise ValueError(f"{where}: {name} must be {low} to {high}, got {codes.min()} to {codes.max()}")
    return codes


def checked_steps(
    where: str, name: str, values: ArrayLike, high: int, n_axons: int, n_steps: int | None = None
) -> NDArray[np.integer]:
    """Return ``values`` as an array ``[step, pre]`` of 0 to ``high``, or raise ValueError.

    Without ``n_steps`` there may be any number of steps.
    """
    if n_steps is None:
        n_steps = np.shape(values)[0] if np.ndim(values) else 1
    return checked_codes(where, name, values, 0, high, (n_steps, n_axons))
