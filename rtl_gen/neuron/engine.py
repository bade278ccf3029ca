"""What all compute engines have in common: their size, their software twin and the limits of both."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
from amaranth.lib import wiring
from numpy.typing import NDArray

from ..formats import EventFormat, MacFormat, bits_for_count
from ..signatures import EngineSignature
from .integer import simulate_core

__all__ = ["WEIGHT_WIDTH", "EngineParameters"]

WEIGHT_WIDTH = 8
"""Width of a stored weight, two's complement [bits]."""


@dataclass(frozen=True, kw_only=True)
class EngineParameters(ABC):
    """Size of a compute engine. ``n_axons`` counts the bias axons, which are the last ``n_bias_axons``.

    Bias axons are always on with the largest activation code. Events for them, and for axons that do not
    exist, are ignored.
    """

    event_format: EventFormat
    n_axons: int
    n_bias_axons: int
    n_neurons: int

    def __post_init__(self) -> None:
        if not 1 <= self.n_neurons <= 1 << 16:
            raise ValueError(f"n_neurons must be 1 to {1 << 16}, got {self.n_neurons}")
        if not 0 <= self.n_bias_axons < self.n_axons:
            raise ValueError(
                f"n_bias_axons must be 0 to n_axons - 1 = {self.n_axons - 1}, got {self.n_bias_axons}"
            )
        addressable = 1 << self.event_format.axon_width
        if self.n_event_axons > addressable:
            raise ValueError(
                f"n_axons - n_bias_axons must be at most {addressable}, which events can address, "
                f"got {self.n_event_axons}"
            )
        _ = self.mac

    @property
    def calibrated(self) -> bool:
        """Whether the engine finds its own trims, by :class:`~rtl_gen.signatures.CalibrationSignature`."""
        return False

    @property
    def n_event_axons(self) -> int:
        """Axons that events may address."""
        return self.n_axons - self.n_bias_axons

    @property
    def mac(self) -> MacFormat:
        """Number format of a neuron's sum."""
        return MacFormat(
            n_inputs=self.n_axons,
            weight_width=WEIGHT_WIDTH,
            activation_width=self.event_format.activation_width,
        )

    @property
    def neuron_width(self) -> int:
        """Width of a neuron's number [bits]."""
        return bits_for_count(self.n_neurons)

    @property
    def signature(self) -> EngineSignature:
        """Interface of the engine."""
        return EngineSignature(self.event_format, self.neuron_width)

    @property
    @abstractmethod
    def synapse_row_width(self) -> int:
        """Width of a row of weights on the load bus [bits]."""

    @abstractmethod
    def synapse_rows(self, weights: NDArray[np.integer]) -> list[int]:
        """Return what is loaded to ``SYNAPSES``, first row first, for ``weights[post, pre]``.

        ``weights`` has ``n_axons`` columns and at most ``n_neurons`` rows. Neurons beyond get zero weights.
        """

    @abstractmethod
    def rows_read(self, axons: NDArray[np.integer], n_neurons: int) -> NDArray[np.bool]:
        """Return which of these rows are ever read, ``[row]``, when events come on ``axons`` alone.

        ``axons`` include the bias axons; the first ``n_neurons`` neurons are in use.
        """

    @abstractmethod
    def create(self) -> wiring.Component:
        """Return the hardware, a component of interface :attr:`signature`."""

    def simulate(
        self, inputs: NDArray[np.integer], weights: NDArray[np.integer], gain: int, shift: int
    ) -> NDArray[np.int64]:
        """Return codes ``[step, post]`` for the codes that events bring, ``inputs[step, axon]``; 0 is none.

        ``inputs`` has ``n_event_axons`` columns, ``weights[post, pre]`` has ``n_axons``.
        """
        return simulate_core(
            inputs, weights, gain, shift, self.mac, self.event_format.payload_max, self.n_bias_axons
        )

    def _padded(self, weights: NDArray[np.integer]) -> NDArray[np.int64]:
        """Return ``weights`` with a row for each neuron of the engine, or raise ValueError."""
        n_used, n_columns = weights.shape
        if n_used > self.n_neurons or n_columns != self.n_axons:
            raise ValueError(
                f"weights must have at most {self.n_neurons} rows and {self.n_axons} columns, "
                f"got {n_used} and {n_columns}"
            )
        weight_max = self.mac.weight_max
        if weights.size and not (-weight_max <= weights.min() and weights.max() <= weight_max):
            raise ValueError(
                f"weights must be {-weight_max} to {weight_max}, got {weights.min()} to {weights.max()}"
            )
        padded = np.zeros((self.n_neurons, self.n_axons), dtype=np.int64)
        padded[:n_used] = weights
        return padded
