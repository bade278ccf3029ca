"""What a Monte Carlo run found about a set of chips."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

__all__ = ["CONFIDENCE", "MonteCarlo"]

CONFIDENCE = 0.95
"""Coverage of the interval of a yield."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MonteCarlo:
    """How many of ``n_images`` images each chip classified correctly, ``correct[chip]``."""

    correct: NDArray[np.int64]
    n_images: int

    def __post_init__(self) -> None:
        if not len(self.correct):
            raise ValueError("monte carlo: chips must be at least 1, got 0")

    @property
    def accuracies(self) -> NDArray[np.float64]:
        """Share of images that each chip classifies correctly, ``[chip]``."""
        return self.correct / self.n_images

    @property
    def mean(self) -> float:
        """Mean accuracy of the chips."""
        return float(self.accuracies.mean())

    @property
    def deviation(self) -> float:
        """Deviation of the accuracy from chip to chip; 0 for a single chip."""
        return float(self.accuracies.std(ddof=1)) if len(self.correct) > 1 else 0.0

    @property
    def worst(self) -> float:
        """Accuracy of the worst chip."""
        return float(self.accuracies.min())

    def yield_at(self, limit: float) -> tuple[float, float, float]:
        """Return the share of chips with an accuracy of at least ``limit``, and its 95 % interval.

        The interval is Wilson's for a binomial share (Wilson, JASA 22, 1927).
        """
        good = int(np.count_nonzero(self.accuracies >= limit))
        interval = binomtest(good, len(self.correct)).proportion_ci(CONFIDENCE, method="wilson")
        return good / len(self.correct), float(interval.low), float(interval.high)
