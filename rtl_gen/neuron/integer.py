"""The integer neuron: what every back end computes, bit for bit, when its circuits are ideal."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..formats import MacFormat
from .requantizer import requantize

__all__ = ["MacParameters", "simulate_core", "simulate_neurons"]


@dataclass(frozen=True, kw_only=True)
class MacParameters:
    """Widths of a digital neuron of ``n_inputs`` inputs [bits]."""

    n_inputs: int
    weight_width: int = 8
    activation_width: int = 8
    code_width: int = 8

    def __post_init__(self) -> None:
        if not 1 <= self.code_width <= 8:
            raise ValueError(f"code_width must be 1 to 8, got {self.code_width}")
        _ = self.mac

    @property
    def mac(self) -> MacFormat:
        """Number format of the sum."""
        return self.partial(self.n_inputs)

    def partial(self, n_inputs: int) -> MacFormat:
        """Return the number format of a sum of ``n_inputs`` of the products."""
        return MacFormat(
            n_inputs=n_inputs, weight_width=self.weight_width, activation_width=self.activation_width
        )

    def simulate(
        self, weights: NDArray[np.integer], activations: NDArray[np.integer], gain: int, shift: int
    ) -> NDArray[np.int64]:
        """Return codes ``[..., post]`` for ``weights[post, pre]`` and ``activations[..., pre]``."""
        return simulate_neurons(
            activations, weights, gain, shift, self.mac, code_max=(1 << self.code_width) - 1
        )


def simulate_neurons(
    activations: NDArray[np.integer],
    weights: NDArray[np.integer],
    gain: int,
    shift: int,
    mac: MacFormat,
    code_max: int,
) -> NDArray[np.int64]:
    """Return codes ``[..., post]`` of neurons with ``weights[post, pre]`` that see ``activations[..., pre]``.

    ``gain`` and ``shift`` requantise the sums, see :func:`.requantizer.requantize`. Raises ValueError when a
    shape or a code does not fit ``mac``.
    """
    if weights.ndim != 2 or weights.shape[1] != mac.n_inputs or activations.shape[-1] != mac.n_inputs:
        raise ValueError(
            f"weights and activations must have {mac.n_inputs} inputs, "
            f"got shapes {weights.shape} and {activations.shape}"
        )
    _check_range("weights", weights, -mac.weight_max, mac.weight_max)
    _check_range("activations", activations, 0, mac.activation_max)
    # BLAS multiplies floats only, and exactly here: no partial sum exceeds accumulator_max, at most 2**31.
    sums = activations.astype(np.float64) @ weights.T.astype(np.float64)
    return requantize(sums.astype(np.int64), gain, shift, code_max)


def simulate_core(
    inputs: NDArray[np.integer],
    weights: NDArray[np.integer],
    gain: int,
    shift: int,
    mac: MacFormat,
    code_max: int,
    n_bias_axons: int,
) -> NDArray[np.int64]:
    """Return codes ``[step, post]`` of a core that receives ``inputs[step, axon]``; 0 is no event.

    ``weights[post, pre]`` has ``n_bias_axons`` columns more than ``inputs``, the last ones: those of the
    axons that are always on with the largest activation code.
    """
    bias = np.full((len(inputs), n_bias_axons), mac.activation_max)
    return simulate_neurons(np.concatenate([inputs, bias], axis=1), weights, gain, shift, mac, code_max)


def _check_range(name: str, codes: NDArray[np.integer], low: int, high: int) -> None:
    if codes.size and not (low <= codes.min() and codes.max() <= high):
        raise ValueError(f"{name} must be {low} to {high}, got {codes.min()} to {codes.max()}")
