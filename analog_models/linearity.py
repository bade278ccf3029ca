"""INL and DNL of a converter, from its levels; the line through its ends is the ideal."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["differential_nonlinearity", "integral_nonlinearity"]


def differential_nonlinearity(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much each step of ``levels[..., code]`` is larger than the mean step [LSB].

    A converter is monotonic if and only if all of them are above -1.
    """
    steps = np.diff(levels)
    nonlinearity: NDArray[np.float64] = steps / steps.mean(axis=-1, keepdims=True) - 1
    return nonlinearity


def integral_nonlinearity(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how far each of ``levels[..., code]`` is above the line through the first and the last [LSB]."""
    first, last = levels[..., :1], levels[..., -1:]
    lsb = (last - first) / (levels.shape[-1] - 1)
    nonlinearity: NDArray[np.float64] = (levels - first) / lsb - np.arange(levels.shape[-1])
    return nonlinearity
