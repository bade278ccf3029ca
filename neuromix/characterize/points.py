"""What is measured, where: conditions, the plan of a characterization, and its points."""

import itertools
from dataclasses import dataclass, replace
from typing import Literal, get_args

from analog_models.corner import CORNERS, Corner

__all__ = ["QUANTITIES", "Condition", "Plan", "Point", "Quantity"]

Quantity = Literal["device", "transfer", "activation", "settling", "noise", "energy", "energy_fast"]
QUANTITIES: tuple[Quantity, ...] = get_args(Quantity)

_ZERO_CELSIUS = 273.15


@dataclass(frozen=True, kw_only=True)
class Condition:
    """One of :data:`analog_models.corner.CORNERS`, by name, at a temperature [degC] of our choice."""

    corner_name: str
    celsius: float

    def __post_init__(self) -> None:
        if self.corner_name not in CORNERS:
            raise ValueError(
                f"characterize: corner must be one of {', '.join(CORNERS)}, got {self.corner_name!r}"
            )

    @property
    def name(self) -> str:
        """Short, fit for a file name."""
        return f"{self.corner_name}_{self.celsius:g}c"

    @property
    def corner(self) -> Corner:
        """The corner at this temperature."""
        return replace(CORNERS[self.corner_name], name=self.name, temperature=self.celsius + _ZERO_CELSIUS)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which points are measured in each condition, and how many cells are drawn.

    ``steps`` are input codes before and after, and a weight; before is None out of reset. Every other weight,
    noise code and step is for the fit.
    """

    codes: tuple[int, ...] = tuple(range(0, 256, 17))
    weights: tuple[int, ...] = (-127, -85, -37, -8, 1, 21, 64, 100, 127)
    noise_codes: tuple[int, ...] = (0, 16, 64, 128, 255)
    noise_weights: tuple[int, ...] = (40, 127)
    steps: tuple[tuple[int | None, int, int], ...] = (
        (None, 255, 127),
        (None, 64, 127),
        (None, 16, 127),
        (16, 255, 127),
        (255, 64, 127),
        (255, 16, 127),
        (64, 16, 40),
        (None, 64, 40),
    )
    cells: int = 100

    def __post_init__(self) -> None:
        gaps = {later - code for code, later in itertools.pairwise(self.codes)}
        if len(gaps) != 1:
            raise ValueError(f"plan: codes must be evenly spaced, got {self.codes}")
        if self.cells < 2:
            raise ValueError(f"plan: cells must be at least 2, got {self.cells}")


@dataclass(frozen=True, kw_only=True)
class Point:
    """One measured number, in SI units, and where it was measured.

    ``value`` is for quantity

    - device: gate voltage [V] of a unit transistor that carries ``current`` [A];
    - transfer: the node's voltage [V] at ``code`` and ``weight``;
    - activation: the pair's differential output current over its tail current;
    - settling: time [s] from ``before`` (None: reset) to within half an LSB of the end value;
    - noise: integrated noise power on the node [V^2];
    - energy, energy_fast: joules of an operation that takes ``time`` [s], what the slowest step of the
      condition needs or what this step needs.

    ``fitted`` tells whether the fit may see the point.
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
