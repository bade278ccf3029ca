"""Thermal noise of a sampled node, drawn so that every time step can be asked for by its number."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.constants import Boltzmann
from scipy.special import ndtri

__all__ = ["WORDS_PER_BLOCK", "DrawnAhead", "mirror_noise_factor", "step_normals", "thermal_variance"]

WORDS_PER_BLOCK = 4
"""64-bit words that Philox makes from one value of its counter."""

_AHEAD = 64
"""Steps that are drawn at a time, for who asks for them one by one."""


def thermal_variance(capacitance: float, noise_factor: float, temperature: float) -> float:
    """Return the noise power ``F kT/C`` [V^2] of a one-pole node; F = 1 is a plain resistor."""
    return float(noise_factor * Boltzmann * temperature / capacitance)


def mirror_noise_factor(
    diode_transconductance: float,
    mirror_transconductance: float,
    excess: float,
    load_resistance: float,
    diode_pole: float,
    node_pole: float,
) -> float:
    """Return F of a differential node that a current mirror feeds through one of its two load resistors.

    The resistors alone give 1. Diode and mirror, of the given gm [S], each add a current noise of
    ``4 k T excess gm``, where ``excess`` is gamma times the slope factor; gamma is 1/2 in weak and 2/3 in
    strong inversion (Enz, Krummenacher and Vittoz, 1995). The mirror's passes the pole of the node,
    ``1/(2 R C)`` [rad/s], with C between the wires; the diode's, multiplied by the ratio of the mirror, that
    of the axon line too.
    """
    if mirror_transconductance == 0:
        return 1.0
    ratio = mirror_transconductance / diode_transconductance
    passed = diode_pole / (diode_pole + node_pole)
    return 1 + excess * load_resistance / 2 * mirror_transconductance * (1 + ratio * passed)


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


class DrawnAhead:
    """Deviates ``[step, post]`` that ``draw(first_step, n_steps)`` gives, the same for a step in any batch.

    Who asks for one step after the other, as a simulation does, gets them from a batch that is drawn when
    the first of them is asked for: a draw takes as long for one step as for many. Not to be written to.
    """

    def __init__(self, draw: Callable[[int, int], NDArray[np.float64]]) -> None:
        self._draw = draw
        self._drawn = (-1, np.zeros((0, 0)))  # first step, deviates
        self._next_step = -1

    def __call__(self, first_step: int, n_steps: int) -> NDArray[np.float64]:
        """Return the deviates of ``n_steps`` time steps from ``first_step`` on."""
        end = first_step + n_steps
        follows, self._next_step = first_step == self._next_step, end
        start, drawn = self._drawn  # read once: threads that share an array may replace it meanwhile
        if not start <= first_step <= end <= start + len(drawn):
            start, drawn = first_step, self._draw(first_step, max(n_steps, _AHEAD if follows else 0))
            if follows:
                self._drawn = start, drawn
        return drawn[first_step - start : first_step - start + n_steps]
