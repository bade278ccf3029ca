"""Integers that a register or a memory can hold, checked where they enter a model."""

import operator

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["checked_codes", "checked_whole"]


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
