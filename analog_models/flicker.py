"""Flicker noise, split at the rate of the time steps: the fast part is new in each step, the slow drifts.

The gate of a transistor sees ``S_V = KF / (C_ox W L f)``. Every e-fold of frequency then holds the same power
``KF / (C_ox W L)``, so a band from f1 to f2 holds ``ln(f2/f1)`` times that.
"""

import math

import numpy as np
from numpy.typing import NDArray

from .noise import step_normals
from .process import Process

__all__ = ["drift_normals", "gate_power", "n_decades"]

_DRIFT_STREAM = 2  # and the following ones; 0 is the node's noise and 1 the converter's


def gate_power(process: Process, area: float) -> float:
    """Return the noise power at the gate of a device of ``area`` [m^2] per e-fold of frequency [V^2]."""
    return process.flicker / (process.gate_capacitance * area)


def n_decades(high: float, low: float) -> int:
    """Return how many decades cover the frequencies from ``low`` to ``high``."""
    return max(0, math.ceil(math.log10(high / low) - 1e-9))


def drift_normals(
    seed: int, first_step: int, n_steps: int, n_neurons: int, decades: int
) -> NDArray[np.float64]:
    """Return drifting standard normals ``[step, post]``: ``decades`` equal parts, one per decade of steps.

    The part of decade d has a normal deviate at every 10^d-th step and, in between, passes from one to the
    next as ``sqrt(1 - f)`` and ``sqrt(f)`` of them, so its variance is the same at all steps and it forgets
    within 10^d steps. An Ornstein-Uhlenbeck process has the same variance and much the same memory, but its
    value needs its whole past; this one can be asked for by the step's number, whatever the batch.
    """
    total = np.zeros((n_steps, n_neurons))
    for decade in range(1, decades + 1):
        length = 10**decade
        block, position = divmod(first_step, length)
        since = position + np.arange(n_steps)
        fraction = (since % length / length)[:, np.newaxis]
        index = since // length
        knots = step_normals(
            seed, block, int(index.max(initial=0)) + 2, n_neurons, stream=_DRIFT_STREAM + decade
        )
        total += np.sqrt(1 - fraction) * knots[index] + np.sqrt(fraction) * knots[index + 1]
    return total / math.sqrt(max(1, decades))
