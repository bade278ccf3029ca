"""Ideal analog-to-digital converter: rounds to the nearest code, clips, and has a price."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["REFERENCE_BITS", "convert", "decisions"]

REFERENCE_BITS = 8
"""Resolution for which the energy of a conversion is quoted [bits]."""


def convert(level: NDArray[np.float64], code_max: int) -> NDArray[np.int64]:
    """Return ``clamp(floor(level + 1/2), 0, code_max)`` of ``level`` [LSB]."""
    return np.clip(np.floor(level + 0.5), 0, code_max).astype(np.int64)


def decisions(code_max: int) -> int:
    """Return how many comparisons a successive-approximation conversion to 0..``code_max`` takes."""
    return code_max.bit_length()
