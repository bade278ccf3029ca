"""Constants of a silicon process that the models need, each with its source."""

from dataclasses import dataclass
from types import MappingProxyType

from .quantity import check_quantities, quantity

__all__ = ["GENERIC_65", "PROCESSES", "Process"]


@dataclass(frozen=True, kw_only=True)
class Process:
    """What a process gives the designer of n-channel current mirrors and pairs."""

    name: str
    a_vt: float = quantity(3.5e-9, "V*m", 0, 50e-9, "Pelgrom, threshold: 3.5 mV um", "typical of 65 nm [R]")
    a_beta: float = quantity(1e-8, "m", 0, 1e-7, "Pelgrom, current factor: 1 % um", "typical of 65 nm [R]")
    slope_factor: float = quantity(1.53, "", 1, 3, "EKV slope factor n", "ngspice, PTM 65 nm bulk [M]")
    specific_current: float = quantity(
        1.6e-6, "A", 1e-9, 1e-4, "EKV, W = L, 300 K", "fits gm/I of PTM 65 nm to 10 % [D]"
    )
    threshold_voltage: float = quantity(0.42, "V", 0, 2, "of a long device, 300 K", "typical of 65 nm [R]")
    threshold_drift: float = quantity(
        -0.8e-3, "V/K", -5e-3, 0, "threshold's change with temperature", "typical of bulk CMOS [R]"
    )
    off_current: float = quantity(
        0.05, "A/m", 0, 10, "leakage per gate width, 300 K: 50 nA/um", "ngspice, PTM 65 nm bulk, 1.0 V [M]"
    )
    off_doubling: float = quantity(
        27.0, "K", 5, 100, "rise in temperature that doubles leakage", "25 to 30 K, bulk CMOS [R]"
    )
    gate_capacitance: float = quantity(
        11.75e-3, "F/m^2", 1e-4, 0.1, "of a mirror", "0.47 fF for 0.2x0.2 um, PTM [M]"
    )

    flicker: float = quantity(
        1e-24, "V^2*F", 0, 1e-20, "KF of n-channel devices: S_V = KF/(C_ox W L f)", "typical of 65 nm [R]"
    )
    output_conductance: float = quantity(
        0.19, "V^-1", 0, 10, "g_ds/I of 0.2 um at 10 nA; falls with the length", "ngspice, PTM 65 nm bulk [M]"
    )
    a_capacitor: float = quantity(
        6e-9, "m", 0, 1e-6, "Pelgrom, metal capacitors: 0.6 % um", "Tripathi and Murmann, TCAS-I 2014 [R]"
    )
    capacitor_density: float = quantity(
        2e-3, "F/m^2", 1e-4, 0.1, "of metal capacitors: 2 fF/um^2", "fringe, five metals, 65 nm [R]"
    )

    def __post_init__(self) -> None:
        check_quantities(self, f"process {self.name}")


GENERIC_65 = Process(name="generic-65")
"""A 65 nm bulk process from public figures; no foundry's process."""

PROCESSES = MappingProxyType({process.name: process for process in (GENERIC_65,)})
"""Processes by name."""
