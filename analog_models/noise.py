"""Thermal noise of a sampled node, drawn so that every time step can be asked for by its number."""

import numpy as np
from numpy.typing import NDArray
from scipy.constants import Boltzmann
from scipy.special import ndtri

__all__ = ["WORDS_PER_BLOCK", "step_normals", "thermal_variance"]

WORDS_PER_BLOCK = 4
"""64-bit words that Philox makes from one value of its counter."""


def thermal_variance(capacitance: float, noise_factor: float, temperature: float) -> float:
    """Return the noise power ``F kT/C`` [V^2] of a one-pole node; F = 1 is a plain resistor."""
    return float(noise_factor * Boltzmann * temperature / capacitance)


def step_normals(
    seed: int, first_step: int, n_steps: int, n_neurons: int, *, stream: int = 0
) -> NDArray[np.float64]:
    """Return standard normal deviates ``[step, post]`` for ``n_steps`` time steps from ``first_step`` on.

    A step's deviates depend on ``seed`` (0 to 2^128 - 1), its own number and ``n_neurons``, not on the batch:
    each step owns a fixed range of the counter of Philox4x64 (Salmon et al., SC 2011), and each word becomes
    one deviate through the inverse of the normal distribution, so the number of words is fixed. Streams, 0 to
    2^64 - 1, are independent of each other.
    """
    blocks = -(-n_neurons // WORDS_PER_BLOCK)
    philox = np.random.Philox(key=seed, counter=(stream << 192) + first_step * blocks)
    words = philox.random_raw((n_steps, blocks * WORDS_PER_BLOCK))[:, :n_neurons]
    uniform = ((words >> np.uint64(12)) + 0.5) * 2.0**-52  # 52 bits and a half: exact, never 0 or 1
    normals: NDArray[np.float64] = ndtri(uniform)
    return normals
