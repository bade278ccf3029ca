"""Energy of an analog operation: the charge it takes from the supply, item by item.

The time that the currents flow is the caller's statement; :mod:`analog_models.settling` says what it buys.
"""

from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from .device import gate_voltage
from .process import Process

__all__ = ["ITEMS", "STATIC_ITEMS", "bias_energy", "capacitor_energy", "gate_swing"]

ITEMS = MappingProxyType(
    {
        "input_dac": "currents of the input DACs: V_dd I_in x/256 t",
        "mdac_gate": "gate lines charged by drivers, once per step and active axon: V_dd C V_GS",
        "line_driver": "drivers of the active axons' gate lines: V_dd I_driver t",
        "mdac_bias": "currents of the cells, this chip's: V_dd I_unit x/256 (|w_eff| + drained) t; "
        "without drivers times 1 - C V(t)/(I_in t), as the line keeps C V(t) of the input's charge",
        "mdac_charge": "legs of C-2C ladders, an upper bound: V_dd 2/3 C V_dd x/256 per set bit",
        "activation_bias": "tail currents of the activation pairs: V_dd I_tail t",
        "trim": "currents of the trim DACs: V_dd I_trim |code| t",
        "reset": "summing nodes recharged by what the cells' currents moved them, at most V_dd: V_dd C |V|",
        "adc": "conversions: SAR in proportion to its bits; ramp: V_dd I_comparator t, counter and latches",
    }
)
"""Every item of the energy of a step, and its equation."""

STATIC_ITEMS = ("activation_bias", "trim", "adc")
"""Items that do not depend on the input: a step without events takes these."""


def bias_energy(supply: float, current: float, time: float) -> float:
    """Return the energy [J] of ``current`` [A] drawn from ``supply`` [V] for ``time`` [s]."""
    return supply * current * time


def capacitor_energy(supply: float, capacitance: float, swing: float) -> float:
    """Return the energy [J] that charging ``capacitance`` [F] by ``swing`` [V] takes from ``supply`` [V]."""
    return supply * capacitance * swing


def gate_swing(
    process: Process, full_scale_ic: float, levels: int, temperature: float
) -> NDArray[np.float64]:
    """Return the gate voltage of a mirror ``[code]`` [V] for each input code; 0 for code 0.

    Code ``levels`` would run the mirror at ``full_scale_ic``.
    """
    ic = full_scale_ic * np.arange(1, levels) / levels
    return np.concatenate([[0.0], gate_voltage(process, ic, temperature)])
