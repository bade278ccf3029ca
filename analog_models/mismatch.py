"""Local mismatch after Pelgrom (JSSC 1989): what differs between devices drawn alike."""

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .process import Process

__all__ = [
    "LOGNORMAL_SIGMA",
    "capacitor_sigma",
    "current_sigma",
    "draw_relative_error",
    "pair_offset_sigma",
]

LOGNORMAL_SIGMA = 0.2
"""Relative current deviation above which the exponential in the threshold voltage no longer is a line."""


def current_sigma(process: Process, area: float, gm_over_id: float) -> float:
    """Return the relative deviation of a transistor's current at fixed gate voltage.

    ``sqrt((gm/I)^2 A_VT^2 + A_beta^2) / sqrt(W L)``, with ``area`` in m^2 and ``gm_over_id`` in 1/V.
    """
    return float(np.hypot(gm_over_id * process.a_vt, process.a_beta) / np.sqrt(area))


def pair_offset_sigma(process: Process, area: float, gm_over_id: float) -> float:
    """Return the deviation of a differential pair's input offset [V]; ``area`` [m^2] is one device's."""
    return current_sigma(process, area, gm_over_id) / gm_over_id


def capacitor_sigma(process: Process, capacitance: float) -> float:
    """Return the relative deviation of a metal capacitor of ``capacitance`` [F], by its area."""
    return process.a_capacitor / math.sqrt(capacitance / process.capacitor_density)


def draw_relative_error(
    sigma: ArrayLike, shape: tuple[int, ...], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw relative current errors of deviation ``sigma``, which broadcasts against ``shape``.

    Gaussian up to :data:`LOGNORMAL_SIGMA`; above it the current itself is lognormal, with median 1, because
    it is exponential in a Gaussian threshold voltage. Never below -1: no current flows backwards. Draws the
    same deviates whatever ``sigma``, so a sweep of ``sigma`` uses common random numbers.
    """
    deviation = np.asarray(sigma) * rng.standard_normal(shape)
    error = np.where(np.asarray(sigma) > LOGNORMAL_SIGMA, np.expm1(deviation), deviation)
    return np.maximum(error, -1.0)
