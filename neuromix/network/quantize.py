"""From float weights to the integer codes of the chip, and the integer network they make."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rtl_gen.formats import GAIN_WIDTH, SHIFT_WIDTH
from rtl_gen.neuron.requantizer import requantize

from .convolution import Convolution
from .network import Network, Population, Projection

__all__ = ["QuantizedNetwork", "QuantizedProjection", "gain_and_shift", "quantize"]

_SHIFT_MAX = (1 << SHIFT_WIDTH) - 1
_INT32_MAX = (1 << 31) - 1
_SCALE_CANDIDATES = np.linspace(1, 0.1, 46)
"""Share of the largest weight that the largest code may stand for; no saturation is first, to win ties."""


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedProjection:
    """Integer synapses between two populations, and the cost of rounding; arrays are read-only copies."""

    source: str
    target: str
    weight_codes: NDArray[np.int8]
    """[post, pre], or the kernels [out_map, fan_in] of a convolution [LSB]"""
    bias_codes: NDArray[np.int32]
    """Weight [post], or [out_map], of an axon that always carries the largest activation code; may exceed it
    [LSB]."""
    gain: int
    """Requantisation multiplier, 2^15 to 2^16 - 1."""
    shift: int
    """Requantisation right shift, 0 to 63; ``gain / 2**shift`` is ``scale`` to 16 bits."""
    scale: float
    """What one weight LSB stands for."""
    n_saturated: int
    """Weights beyond the largest code."""
    max_error: float
    """Largest distance of a weight or bias from what its code stands for."""
    convolution: Convolution | None = None

    def __post_init__(self) -> None:
        for name, dtype in (("weight_codes", np.int8), ("bias_codes", np.int32)):
            array = np.array(getattr(self, name), dtype)
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def geometry(self) -> Convolution:
        """Which inputs each neuron sees, and with which weight."""
        return self.convolution or Convolution.full(*self.weight_codes.shape)

    def sums(self, codes: NDArray[np.integer], activation_max: int) -> NDArray[np.int64]:
        """Return the sums [n, post] of ``codes`` [n, pre], biases included.

        By way of float64, and yet exact: 2^53 holds 2^38 products of 127 * 255.
        """
        geometry = self.geometry
        products = geometry.sums(codes.astype(np.float64), self.weight_codes.astype(np.float64))
        bias = np.repeat(self.bias_codes.astype(np.int64), geometry.n_positions)
        return products.astype(np.int64) + activation_max * bias

    @property
    def label(self) -> str:
        """Name of the projection in messages and reports."""
        return f"{self.source} -> {self.target}"


@dataclass(frozen=True, kw_only=True, eq=False)
class QuantizedNetwork:
    """A network in integers: the exact twin of what every digital back end computes."""

    name: str
    populations: tuple[Population, ...]
    projections: tuple[QuantizedProjection, ...]
    weight_max: int
    activation_max: int

    def forward(self, codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the output codes [n, out] of input ``codes`` [n, in], bit for bit as the hardware does."""
        n_inputs = self.populations[0].size
        if codes.ndim != 2 or codes.shape[1] != n_inputs:
            raise ValueError(f"network {self.name}: codes must be [n, {n_inputs}], got {list(codes.shape)}")
        if not np.issubdtype(codes.dtype, np.integer) or np.any((codes < 0) | (codes > self.activation_max)):
            raise ValueError(f"network {self.name}: codes must be integers 0 to {self.activation_max}")
        activations = codes.astype(np.int64)
        for projection in self.projections:
            sums = projection.sums(activations, self.activation_max)
            activations = requantize(sums, projection.gain, projection.shift, self.activation_max)
        return activations.astype(np.uint8)

    def classify(self, codes: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Return the class [n] of each sample; the lowest index wins ties."""
        return np.asarray(self.forward(codes).argmax(axis=1), np.int64)


def quantize(network: Network, *, weight_max: int = 127, activation_max: int = 255) -> QuantizedNetwork:
    """Return ``network`` in integer codes: symmetric weights, one scale per projection.

    The scale is that of least squared error, so that a few large weights may saturate.

    Args:
        network: what to quantise.
        weight_max: largest weight code; ``2**(width - 1) - 1`` for weights of ``width`` bits, 2 to 8.
        activation_max: largest activation code; stands for an activation of 1.
    """
    if not 1 <= weight_max <= 127:
        raise ValueError(f"weight_max must be 1 to 127, got {weight_max}")
    if not 1 <= activation_max <= 255:
        raise ValueError(f"activation_max must be 1 to 255, got {activation_max}")
    return QuantizedNetwork(
        name=network.name,
        populations=network.populations,
        projections=tuple(_quantize_projection(projection, weight_max) for projection in network.projections),
        weight_max=weight_max,
        activation_max=activation_max,
    )


def gain_and_shift(scale: float) -> tuple[int, int]:
    """Return a gain of 16 bits, top bit set, and a right shift, ``gain / 2**shift`` nearest to ``scale``."""
    mantissa, exponent = math.frexp(scale)
    gain = round(math.ldexp(mantissa, GAIN_WIDTH))
    if gain == 1 << GAIN_WIDTH:
        gain, exponent = gain >> 1, exponent + 1
    shift = GAIN_WIDTH - exponent
    if not (scale > 0 and 0 <= shift <= _SHIFT_MAX):
        low, high = math.ldexp(1, GAIN_WIDTH - 1 - _SHIFT_MAX), (1 << GAIN_WIDTH) - 1
        raise ValueError(f"scale must be {low:.3g} to {high}, got {scale}")
    return gain, shift


def _quantize_projection(projection: Projection, weight_max: int) -> QuantizedProjection:
    weights, bias = projection.weights, projection.bias
    scale = _scale(weights, weight_max)
    try:
        gain, shift = gain_and_shift(scale)
    except ValueError as error:
        raise ValueError(f"projection {projection.label}: weight {error}") from error
    unlimited = np.rint(weights / scale)
    weight_codes = np.clip(unlimited, -weight_max, weight_max)
    bias_codes = np.rint(bias / scale)
    if np.abs(bias_codes).max() > _INT32_MAX:
        raise ValueError(
            f"projection {projection.label}: bias must be at most {_INT32_MAX * scale:.3g}, "
            f"got {np.abs(bias).max():.3g}"
        )
    return QuantizedProjection(
        source=projection.source,
        target=projection.target,
        weight_codes=weight_codes.astype(np.int8),
        bias_codes=bias_codes.astype(np.int32),
        gain=gain,
        shift=shift,
        scale=scale,
        n_saturated=int(np.count_nonzero(unlimited != weight_codes)),
        max_error=float(
            max(np.abs(weights - weight_codes * scale).max(), np.abs(bias - bias_codes * scale).max())
        ),
        convolution=projection.convolution,
    )


def _scale(weights: NDArray[np.float64], weight_max: int) -> float:
    """Return the step with the least squared error: narrow codes gain much by saturating a few weights."""
    largest = float(np.abs(weights).max())
    if largest == 0:
        return 1 / weight_max
    steps = largest / weight_max * _SCALE_CANDIDATES
    errors = [
        np.square(weights - np.clip(np.rint(weights / step), -weight_max, weight_max) * step).sum()
        for step in steps
    ]
    return float(steps[np.argmin(errors)])
