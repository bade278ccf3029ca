"""Settling of an axon's line: how much of its current a mirror gives when the evaluation ends.

A line is discharged in the reset phase, so each step charges it from ground, whatever came before. Either
the input's own current does so, through the diode of the mirror, or a driver does:

- The diode: ``C dV/dt = I_in - I`` with ``I`` exponential in ``V`` gives
  ``I(t) = I_in / (1 + (I_in/I_0 - 1) exp(-t I_in / (C n U_T)))``. Small currents settle slowly.
- A driver of one pole: ``V(t) = V_GS (1 - exp(-t/tau))``, so ``I(t) = I_in exp(-V_GS/(n U_T) exp(-t/tau))``.

Both take the mirror to be in weak inversion, where it reacts most to its gate.
"""

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["diode_fractions", "driver_current", "driver_fractions", "settled_current", "settling_time"]


def settled_current(initial: float, final: float, capacitance: float, slope: float, time: float) -> float:
    """Return the current [A] of a mirror ``time`` [s] after its input changed from ``initial`` to ``final``.

    ``capacitance`` [F] is that of the gates, ``slope`` is n U_T [V]. Both currents are above 0.
    """
    return final / (1 + (final / initial - 1) * math.exp(-time * final / (capacitance * slope)))


def settling_time(initial: float, final: float, tolerance: float, capacitance: float, slope: float) -> float:
    """Return the time [s] until the current is within ``tolerance`` [A] of ``final``.

    The inverse of :func:`settled_current`; 0 if it is there from the start.
    """
    if abs(final - initial) <= tolerance:
        return 0.0
    edge = final + math.copysign(tolerance, initial - final)
    if edge <= 0:
        return 0.0  # within tolerance even without any current
    ratio = (final / initial - 1) / (final / edge - 1)
    return capacitance * slope / final * math.log(ratio)


def diode_fractions(
    swing: NDArray[np.float64], full_scale: float, capacitance: float, slope: float, time: float
) -> NDArray[np.float64]:
    """Return which part of its current a mirror gives for each input code, ``[code]``.

    ``swing[code]`` is the gate voltage to reach [V]; code 256 would be the input current ``full_scale`` [A].
    """
    decays = time * full_scale * np.arange(len(swing)) / len(swing) / (capacitance * slope)
    return 1 / (1 + np.expm1(swing / slope) * np.exp(-decays))


def driver_fractions(
    swing: NDArray[np.float64], time_constant: float, slope: float, time: float
) -> NDArray[np.float64]:
    """Return which part of its current a mirror gives for each input code, ``[code]``, behind a driver."""
    fractions: NDArray[np.float64] = np.exp(-swing / slope * math.exp(-time / time_constant))
    return fractions


def driver_current(capacitance: float, time_constant: float, gm_over_id: float) -> float:
    """Return the current [A] of a driver whose g_m is C/tau; ``gm_over_id`` [1/V] is its transistor's."""
    return capacitance / (time_constant * gm_over_id)
