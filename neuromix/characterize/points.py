"""What is measured, where: conditions, the plan of a characterization, and its points."""

import itertools
from dataclasses import dataclass
from typing import Literal

from analog_models.views.spice import DeviceShift

__all__ = ["CORNERS", "Condition", "Plan", "Point", "Quantity"]

Quantity = Literal["device", "transfer", "activation", "noise", "settling", "energy"]

CORNERS = {
    "tt": DeviceShift(),
    "ff": DeviceShift(threshold=-0.03, mobility=1.05),
    "ss": DeviceShift(threshold=0.03, mobility=0.95),
}
"""Global corners [A]: 30 mV and 5 %, three sigma of a threshold spread of 10 mV."""

ZERO_CELSIUS = 273.15


@dataclass(frozen=True, kw_only=True)
class Condition:
    """Corner by name, and temperature [degC]."""

    corner: str
    celsius: float

    @property
    def name(self) -> str:
        """Short, fit for a file name."""
        return f"{self.corner}_{self.celsius:g}c"

    @property
    def temperature(self) -> float:
        """Temperature [K]."""
        return self.celsius + ZERO_CELSIUS


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which points are measured in each condition, and how many cells are drawn.

    ``steps`` are input codes before and after; before is None where the cell comes out of reset.
    """

    codes: tuple[int, ...] = tuple(range(0, 256, 17))
    weights: tuple[int, ...] = (-127, -85, -37, -8, 1, 21, 64, 100, 127)
    noise_codes: tuple[int, ...] = (0, 16, 64, 128, 192, 255)
    noise_weights: tuple[int, ...] = (40, 127)
    steps: tuple[tuple[int | None, int], ...] = (
        (None, 255),
        (None, 128),
        (None, 64),
        (None, 16),
        (16, 255),
        (64, 128),
        (255, 128),
        (255, 64),
        (255, 16),
        (64, 16),
    )
    step_weights: tuple[int, ...] = (127, 40)
    cells: int = 100

    def __post_init__(self) -> None:
        gaps = {later - code for code, later in itertools.pairwise(self.codes)}
        if len(gaps) != 1:
            raise ValueError(f"plan: codes must be evenly spaced, got {self.codes}")


@dataclass(frozen=True, kw_only=True)
class Point:
    """One measured number, in SI units, and where it was measured.

    ``value`` is a gate voltage for quantity device (``current`` [A] through a unit transistor), the node's
    voltage for transfer, the pair's output current over its tail current for activation, a power [V^2] for
    noise, a time [s] for settling to half an LSB, the joules [J] of an operation of ``time`` for energy.
    """

    quantity: Quantity
    condition: Condition
    value: float
    code: int = 0
    weight: int = 0
    before: int | None = None
    time: float = 0.0
    current: float = 0.0
    fitted: bool = False
