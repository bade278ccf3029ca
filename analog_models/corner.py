"""PVT corners: what all devices of a chip have in common, and what a chip is run at.

A current mirror copies whatever the corner: input and output shift together, so a corner hardly changes the
codes. It shows where a mirror is left to itself: in the gate voltage, hence the energy of the gate lines, the
headroom and the speed at which a line settles; in the linear range of the activation pair, which follows the
temperature; in thermal noise; in leakage, hence the droop of the summing node.

The models know n-channel devices, so the second letter of a corner, the p-channel devices, changes nothing
but its name: ``fs`` is fast, ``sf`` is slow, both at the nominal supply and temperature.
"""

import dataclasses
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np

from .device import thermal_voltage
from .process import Process
from .quantity import check_quantities, quantity

__all__ = ["CORNERS", "GLOBAL_MOBILITY", "GLOBAL_THRESHOLD", "Corner", "draw_corner"]

Design = TypeVar("Design")

GLOBAL_THRESHOLD = 0.04
"""Three deviations of the threshold from chip to chip [V]: typical of 65 nm [R]."""

GLOBAL_MOBILITY = 0.1
"""Three deviations of the mobility from chip to chip, relative: typical of 65 nm [R]."""


@dataclass(frozen=True, kw_only=True)
class Corner:
    """A corner of process, voltage and temperature."""

    name: str
    threshold_shift: float = quantity(0.0, "V", -0.3, 0.3, "shift of the threshold", "no shift [A]")
    mobility_factor: float = quantity(1.0, "", 0.5, 2, "mobility over nominal", "nominal [A]")
    supply_factor: float = quantity(1.0, "", 0.5, 1.5, "supply over nominal", "nominal [A]")
    temperature: float = quantity(300.0, "K", 200, 450, "junction temperature", "room temperature [A]")

    def __post_init__(self) -> None:
        check_quantities(self, f"corner {self.name}")

    def process(self, nominal: Process) -> Process:
        """Return ``nominal`` at this corner. A lower threshold leaks more: a factor e per n U_T at 300 K."""
        leakage = np.exp(-self.threshold_shift / (nominal.slope_factor * thermal_voltage(300)))
        return dataclasses.replace(
            nominal,
            name=f"{nominal.name}-{self.name}",
            threshold_voltage=nominal.threshold_voltage + self.threshold_shift,
            specific_current=nominal.specific_current * self.mobility_factor,
            off_current=nominal.off_current * self.mobility_factor * float(leakage),
        )

    def design(self, nominal: Design) -> Design:
        """Return ``nominal``, parameters with a process, a supply and a temperature, at this corner."""
        parts: Any = nominal
        at_corner: Design = dataclasses.replace(
            parts,
            process=self.process(parts.process),
            supply=parts.supply * self.supply_factor,
            temperature=self.temperature,
        )
        return at_corner


def _corner(name: str, speed: int, supply_factor: float, temperature: float) -> Corner:
    return Corner(
        name=name,
        threshold_shift=-speed * GLOBAL_THRESHOLD,
        mobility_factor=1 + speed * GLOBAL_MOBILITY,
        supply_factor=supply_factor,
        temperature=temperature,
    )


CORNERS = MappingProxyType(
    {
        corner.name: corner
        for corner in (
            _corner("tt", 0, 1.0, 300),
            _corner("ff", 1, 1.1, 233),
            _corner("ss", -1, 0.9, 398),
            _corner("fs", 1, 1.0, 300),
            _corner("sf", -1, 1.0, 300),
            _corner("ff_hot", 1, 1.1, 398),
        )
    }
)
"""Corners by name: three deviations, 10 % of the supply, -40 to 125 degC; ``ff_hot`` leaks most."""


def draw_corner(rng: np.random.Generator, temperature: float = 300.0) -> Corner:
    """Return what one chip has in common: threshold and mobility, Gaussian and cut at three deviations.

    Always draws two deviates.
    """
    threshold, mobility = np.clip(rng.standard_normal(2), -3, 3) / 3
    return Corner(
        name="drawn",
        threshold_shift=float(threshold) * GLOBAL_THRESHOLD,
        mobility_factor=1 + float(mobility) * GLOBAL_MOBILITY,
        temperature=temperature,
    )
