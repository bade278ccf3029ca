"""Saturating differential pair between the summing node and the converter."""

import math

import numpy as np
from numpy.typing import NDArray

from .device import thermal_voltage
from .process import Process

__all__ = ["linear_range", "saturate"]


def linear_range(process: Process, degeneration: float, temperature: float) -> float:
    """Return the voltage R [V] of ``R tanh(v/R)``: ``2 n U_T`` of a plain pair times its degeneration."""
    return degeneration * 2 * process.slope_factor * thermal_voltage(temperature)


def saturate(voltage: NDArray[np.float64], range_: float) -> NDArray[np.float64]:
    """Return ``R tanh(voltage/R)`` element by element; ``voltage`` itself for an infinite range.

    Uses the C library's tanh on one number at a time: numpy's vectorised tanh does not promise the same
    last bit whatever the length and alignment of the array, and a batch must equal its rows.
    """
    if math.isinf(range_):
        return voltage
    ratio = voltage / range_
    compressed = np.fromiter(map(math.tanh, ratio.ravel().tolist()), np.float64, ratio.size)
    return range_ * compressed.reshape(ratio.shape)
