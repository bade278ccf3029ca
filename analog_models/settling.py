"""Settling of an axon's line: how much of its current a mirror gives when the evaluation ends.

A line is discharged in the reset phase, so each step charges it from ground, whatever came before. Either
the input's own current does so, through the diode of the mirror, or a driver does:

- The diode: ``C dV/dt = I_in - I`` with ``I`` exponential in ``V`` gives
  ``I(t) = I_in / (1 + (I_in/I_0 - 1) exp(-t I_in / (C n U_T)))``. Small currents settle slowly.
- A driver of one pole: ``V(t) = V_GS (1 - exp(-t/tau))``, so ``I(t) = I_in exp(-V_GS/(n U_T) exp(-t/tau))``.

Both take the mirror to be in weak inversion, where it reacts most to its gate. A diode of few U_T is not
saturated and reacts more: :class:`DiodeLine` has what stands for V_GS and n U_T then.

What a diode conducts, its mirrors copy; ``C V(t)`` of the input's charge ``I_in t`` stays on the line.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["DiodeLine", "driver_current", "driver_fractions", "settled_current", "settling_time"]

_LEAST_END = 0.1
"""Where the search for a diode's voltage begins at the least [U_T]: below what carries any input."""

_NEWTON_STEPS = 8


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


@dataclass(frozen=True, kw_only=True, eq=False)
class DiodeLine:
    """A line that the input's own current charges, through the diode of the mirror.

    Parameters
    ----------
    ends :
        Voltage that the line reaches, ``[code]`` [V].
    slopes :
        Voltage in which the diode's current there changes by e, ``[code]`` [V].
    full_scale :
        Input current of code 256, which would be the next [A].
    capacitance :
        Of all gates on the line, the diode's included [F].
    """

    ends: NDArray[np.float64]
    slopes: NDArray[np.float64]
    full_scale: float
    capacitance: float

    @classmethod
    def create(
        cls,
        swing: NDArray[np.float64],
        *,
        slope_factor: float,
        thermal_voltage: float,
        full_scale: float,
        capacitance: float,
    ) -> "DiodeLine":
        """Return the line of a diode whose current takes gate voltage ``swing[code]`` [V] when saturated.

        In weak inversion ``I ~ exp(V/(n U_T)) (1 - exp(-V/U_T))`` (Enz, Krummenacher and Vittoz, 1995), so a
        diode of few U_T goes higher, and ``I/(dI/dV) = n U_T / (1 + n/(exp(V/U_T) - 1))``.
        """
        wanted = swing / thermal_voltage
        end = np.maximum(wanted, _LEAST_END)
        for _ in range(_NEWTON_STEPS):  # concave and begun from below, so it never overshoots
            error = (end - wanted) / slope_factor + np.log(-np.expm1(-end))
            end = end - error / (1 / slope_factor + 1 / np.expm1(end))
        slopes = slope_factor * thermal_voltage / (1 + slope_factor / np.expm1(end))
        end[0] = 0.0  # code 0 has no current to end at
        return cls(ends=end * thermal_voltage, slopes=slopes, full_scale=full_scale, capacitance=capacitance)

    def settled(self, time: float) -> NDArray[np.float64]:
        """Return which part of its current a mirror gives ``time`` [s] after the start, ``[code]``."""
        decays = self._brought(time) / (self.capacitance * self.slopes)
        return 1 / (1 + np.expm1(self.ends / self.slopes) * np.exp(-decays))

    def conducted(self, time: float) -> NDArray[np.float64]:
        """Return which part of its input's charge the diode has conducted by ``time`` [s], ``[code]``.

        The line has the rest. It is the mean of :meth:`settled` from 0 to ``time``, ``1 - C V(t)/(I_in t)``;
        1 for code 0.
        """
        kept = self.capacitance * (self.ends + self.slopes * np.log(self.settled(time)))
        brought = self._brought(time)
        share = np.divide(kept, brought, out=np.zeros(len(kept)), where=brought > 0)
        conducted: NDArray[np.float64] = np.clip(1 - share, 0, 1)
        return conducted

    def _brought(self, time: float) -> NDArray[np.float64]:
        """Return the input's charge of ``time`` [s], ``[code]`` [C]."""
        return time * self.full_scale * np.arange(len(self.ends)) / len(self.ends)


def driver_fractions(
    swing: NDArray[np.float64], time_constant: float, slope: float, time: float
) -> NDArray[np.float64]:
    """Return which part of its current a mirror gives for each input code, ``[code]``, behind a driver."""
    fractions: NDArray[np.float64] = np.exp(-swing / slope * math.exp(-time / time_constant))
    return fractions


def driver_current(capacitance: float, time_constant: float, gm_over_id: float) -> float:
    """Return the current [A] of a driver whose g_m is C/tau; ``gm_over_id`` [1/V] is its transistor's."""
    return capacitance / (time_constant * gm_over_id)
