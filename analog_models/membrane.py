"""The membrane: a capacitor that sums currents, leaks, and is reset through a switch.

The voltage is counted from the potential that it leaks to. While the current is constant,
``dV/dt = slope - V/tau`` with ``slope = I/C`` and ``tau = C/g``, and so, exactly::

    V(t) = V(0) decay(t) + slope effective_time(t)

Every function takes an infinite ``tau``: a membrane without leak.
"""

import math

from .device import threshold_voltage
from .process import Process

__all__ = ["crossing_time", "decay", "effective_time", "injection_step", "time_constant"]


def time_constant(capacitance: float, conductance: float) -> float:
    """Return C/g [s]; infinite without leak."""
    return capacitance / conductance if conductance else math.inf


def decay(time: float, tau: float) -> float:
    """Return what is left of a voltage after ``time``: ``exp(-t/tau)``."""
    return math.exp(-time / tau)


def effective_time(time: float, tau: float) -> float:
    """Return how long a constant current adds up without leak to what it does in ``time`` with leak [s]."""
    return time if math.isinf(tau) else -tau * math.expm1(-time / tau)


def crossing_time(voltage: float, threshold: float, slope: float, tau: float) -> float:
    """Return when a membrane that starts at ``voltage`` reaches ``threshold`` [s]; infinite if it never does.

    ``tau ln((V_end - V)/(V_end - threshold))`` with ``V_end = slope tau``; without leak
    ``(threshold - V)/slope``. The threshold is above the voltage.
    """
    rise = threshold - voltage
    if math.isinf(tau):
        return rise / slope if slope > 0 else math.inf
    span = slope * tau - voltage
    return -tau * math.log1p(-rise / span) if span > rise else math.inf


def injection_step(
    process: Process,
    temperature: float,
    *,
    width: float,
    length: float,
    overlap: float,
    supply: float,
    reset_voltage: float,
    capacitance: float,
) -> float:
    """Return by how much an n-channel reset switch lowers the membrane as it opens [V].

    Half of its channel's charge ``W L C_ox (V_dd - V_reset - V_T)``, and the overlap of its gate, which falls
    by ``V_dd``: ``W C_ov V_dd`` (Razavi, Design of Analog CMOS Integrated Circuits, section on sampling
    switches). ``overlap`` is in F/m of width; the body effect is left out.
    """
    overdrive = max(0.0, supply - reset_voltage - threshold_voltage(process, temperature))
    channel = width * length * process.gate_capacitance * overdrive
    return (channel / 2 + width * overlap * supply) / capacitance
