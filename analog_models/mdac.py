"""Current-mode multiplying DAC: binary-weighted mirrors whose currents meet on a wire.

A cell multiplies the current of its axon's input DAC by the magnitude of its weight: bit k switches ``2^k``
unit transistors. One set of mirrors serves both signs; a switch steers its current to the positive or the
negative wire, so a cell's error is the same for either sign. Input DACs are taken to be linear.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "GRID_BITS",
    "INPUT_LEVELS",
    "MAGNITUDE_BITS",
    "WEIGHT_MAX",
    "bit_sigma",
    "effective_weights",
    "sum_products",
]

MAGNITUDE_BITS = 7
"""Bits of a weight's magnitude; the eighth bit is the sign."""

WEIGHT_MAX = (1 << MAGNITUDE_BITS) - 1
"""Largest magnitude of a weight code [LSB]."""

INPUT_LEVELS = 256
"""Input codes are 0 to ``INPUT_LEVELS - 1``."""

GRID_BITS = 24
"""Effective weights are whole multiples of ``2^-GRID_BITS`` LSB, far below any mismatch."""

_STEPS_PER_PRODUCT = 2048  # bounds the memory of the converted inputs; the sums do not depend on it


def bit_sigma(sigma_unit: float) -> NDArray[np.float64]:
    """Return the relative deviation of each bit's current ``[bit]``: ``2^k`` units average their errors."""
    units = np.left_shift(1, np.arange(MAGNITUDE_BITS)).astype(np.float64)
    return sigma_unit / np.sqrt(units)


def effective_weights(weights: NDArray[np.integer], bit_error: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what ``weights[post, pre]`` multiply by, in grid units: ``sign * sum_k b_k 2^k (1 + e_k)``.

    ``bit_error[post, pre, bit]`` is relative. The result is whole numbers in float64, ``[post, pre]``.
    """
    magnitude = np.abs(weights.astype(np.int64))
    current: NDArray[np.float64] = np.zeros(weights.shape)
    for bit in range(MAGNITUDE_BITS):
        current += (magnitude >> bit & 1) * 2.0**bit * (1 + bit_error[..., bit])
    signed: NDArray[np.float64] = np.sign(weights) * current
    return np.rint(signed * 2.0**GRID_BITS)


def sum_products(input_codes: NDArray[np.integer], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the summed currents ``[step, post]`` of ``input_codes[step, pre]``, in units of the grid.

    ``weights`` are whole numbers whose largest possible sum of products is below 2^53. Every partial sum then
    is exact in float64, so neither the order in which BLAS adds nor the batch can change a bit of the result.
    """
    sums = np.empty((len(input_codes), len(weights)))
    for start in range(0, len(input_codes), _STEPS_PER_PRODUCT):
        steps = slice(start, start + _STEPS_PER_PRODUCT)
        np.matmul(input_codes[steps].astype(np.float64), weights.T, out=sums[steps])
    return sums
