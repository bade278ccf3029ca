"""Analog-to-digital converters: what code they give, and what a conversion takes.

``sar``
    Successive approximation: decides bit by bit against a DAC of binary-weighted capacitors, one per neuron.
    Its bit errors can make codes that never come.
``ramp``
    Single slope: one staircase for the whole array, made of equal steps; each neuron has a comparator and
    latches the shared counter when the staircase passes its level. It is monotonic whatever its errors.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BITS",
    "KINDS",
    "REFERENCE_BITS",
    "convert",
    "convert_ramp",
    "convert_sar",
    "decisions",
    "ramp_energy",
]

KINDS = ("sar", "ramp")
"""Kinds of converters."""

BITS = 8
"""Bits of the converter as it is built; it can be asked for fewer."""

REFERENCE_BITS = 8
"""Resolution for which the energy of a SAR conversion is quoted [bits]."""


def convert(level: NDArray[np.float64], code_max: int) -> NDArray[np.int64]:
    """Return ``clamp(floor(level + 1/2), 0, code_max)`` of ``level`` [LSB]: the ideal converter."""
    return np.clip(np.floor(level + 0.5), 0, code_max).astype(np.int64)


def convert_sar(
    level: NDArray[np.float64], bit_error: NDArray[np.float64], code_max: int
) -> NDArray[np.int64]:
    """Return the codes of ``level[step, post]`` [LSB]; bit k weighs ``2^k (1 + bit_error[post, k])``."""
    n_bits = decisions(code_max)
    steps = np.exp2(np.arange(n_bits)) * (1 + bit_error[:, :n_bits])
    kept = np.zeros((n_bits, *level.shape), dtype=bool)
    reached = np.full(level.shape, -0.5)
    for bit in reversed(range(n_bits)):
        trial = reached + steps[:, bit]
        np.greater_equal(level, trial, out=kept[bit])
        np.copyto(reached, trial, where=kept[bit])
    codes: NDArray[np.int64] = np.packbits(kept, axis=0, bitorder="little")[0].astype(np.int64)
    return np.minimum(codes, code_max, out=codes)


def convert_ramp(
    level: NDArray[np.float64], step_error: NDArray[np.float64], code_max: int
) -> NDArray[np.int64]:
    """Return the codes of ``level[step, post]`` [LSB]; step k of the staircase is ``1 + step_error[k]``."""
    staircase = np.cumsum(1 + step_error[:code_max]) - 0.5
    return np.searchsorted(staircase, level, side="right").astype(np.int64)


def decisions(code_max: int) -> int:
    """Return how many comparisons a successive-approximation conversion to 0..``code_max`` takes."""
    return code_max.bit_length()


def ramp_energy(
    code_max: int,
    n_neurons: int,
    *,
    supply: float,
    comparator_current: float,
    clock: float,
    flip_flop_energy: float,
) -> float:
    """Return the energy [J] of one neuron's conversion by a ramp that steps with ``clock`` [Hz].

    The comparator draws its current until the last step; the neuron's latches take one flip-flop energy per
    bit; so does the counter in each cycle, shared by the neurons. The staircase itself is not in it.
    """
    cycles = code_max + 1
    bits = decisions(code_max)
    comparator = supply * comparator_current * cycles / clock
    return comparator + bits * flip_flop_energy * (1 + cycles / n_neurons)
