"""The MOS transistor in all regions of inversion, after Enz, Krummenacher and Vittoz (EKV, 1995).

The inversion coefficient ``ic`` is the drain current over the device's specific current: below 0.1 is weak,
above 10 strong inversion.
"""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.constants import Boltzmann, elementary_charge

from .process import Process

__all__ = [
    "gate_voltage",
    "off_current",
    "specific_current",
    "thermal_voltage",
    "threshold_voltage",
    "transconductance_efficiency",
]


def thermal_voltage(temperature: float) -> float:
    """Return kT/q [V]."""
    return float(Boltzmann * temperature / elementary_charge)


def specific_current(process: Process, width: float, length: float, temperature: float) -> float:
    """Return the EKV specific current ``2 n mu C_ox (W/L) U_T^2`` [A]; the mobility falls with T^1.5."""
    return process.specific_current * (width / length) * math.sqrt(temperature / 300)


def transconductance_efficiency(process: Process, ic: float, temperature: float) -> float:
    """Return gm/I [1/V]: ``1/(n U_T) * 2/(1 + sqrt(1 + 4 ic))``."""
    return 2 / (1 + math.sqrt(1 + 4 * ic)) / (process.slope_factor * thermal_voltage(temperature))


def threshold_voltage(process: Process, temperature: float) -> float:
    """Return the threshold voltage [V], which falls as the device gets hotter."""
    return process.threshold_voltage + process.threshold_drift * (temperature - 300)


def off_current(process: Process, width: float, temperature: float) -> float:
    """Return the leakage [A] of a device of ``width`` [m] that is switched off."""
    return process.off_current * width * math.exp2((temperature - 300) / process.off_doubling)


def gate_voltage(process: Process, ic: ArrayLike, temperature: float) -> NDArray[np.float64]:
    """Return the gate voltage [V] at which a saturated device runs at ``ic`` > 0; not below 0.

    The inverse of ``I = I_spec ln^2(1 + exp((V_GS - V_T)/(2 n U_T)))``.
    """
    scale = 2 * process.slope_factor * thermal_voltage(temperature)
    overdrive = scale * np.log(np.expm1(np.sqrt(np.asarray(ic, dtype=np.float64))))
    return np.maximum(0.0, threshold_voltage(process, temperature) + overdrive)
