"""A network in one design: what all chips have in common, and what is drawn for each."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analog_models.mdac import GRID_BITS, Topology, effective_weights
from analog_models.mismatch import LOGNORMAL_SIGMA, draw_relative_error
from analog_models.neuron import MixedSignalNeuronParameters

from ..mapping import bias_axons_needed, bias_weights
from ..network.quantize import QuantizedNetwork

__all__ = ["Floats", "Layer", "Plan", "draw_layer", "draw_noise", "make_plan"]

_BLOCK_IMAGES = 1000
_BLOCK_VALUES = 1 << 22  # of the largest array for a block of images: 16 MiB of float32
_SATURATED = 20.0  # tanh of it is 1 to the last bit
_FIT_TOLERANCE = 1e-4  # of the compression [LSB]

_CHIP, _NOISE = 0, 1  # kinds of random streams

Floats = NDArray[Any]
"""Array of float32, or of float64 for a design without randomness."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """A projection as designed: what all chips have in common.

    Its neurons are in the order position, group, map. What it reads has one row per neuron before it, and a
    last row of ones, which brings bias and offset.
    """

    cells: Floats
    """Weight codes ``[map, cell]`` [LSB]: the fan-in, then the bias axons."""
    deviations: Floats
    """Of each cell's weight, ``[map, cell]`` [LSB]."""
    fan_in: int
    kept: NDArray[np.int64]
    """Cells of the fan-in that are computed; the others only see zeros."""
    shape: tuple[int, int, int]
    """Positions, groups, maps of a group."""
    rows: NDArray[np.int64] | None
    """Rows ``[position, group, fan_in + 1]`` that the neurons see; None for all rows in order."""
    classes: NDArray[np.int64]
    """Number of each neuron in its population, ``[post]``."""
    scale: float
    """What a unit of ``sum(x w)`` moves the node by [LSB]."""
    noise: float
    """Noise on the summing node [LSB rms]."""

    @cached_property
    def n_post(self) -> int:
        """Neurons."""
        return math.prod(self.shape)

    @property
    def n_seen(self) -> int:
        """Values of one image that its neurons see."""
        return self.n_rows if self.rows is None else self.rows.size

    @property
    def n_rows(self) -> int:
        """Rows that each neuron sees, the ones included."""
        return len(self.kept) + 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A network in one design, ready to have chips drawn."""

    layers: tuple[Layer, ...]
    structure: Topology
    sigma_unit: float
    """Relative deviation of a unit of a cell."""
    sigma_gain: float
    """Relative deviation of a neuron's gain."""
    sigma_offset: float
    """Deviation of a neuron's offset [LSB]."""
    linear_range: float
    """R of the activation [LSB]."""
    code_max: int
    seed: int

    @property
    def is_random(self) -> bool:
        """Whether chips differ, or images are seen through noise."""
        return any((self.sigma_unit, self.sigma_gain, self.sigma_offset, *(x.noise for x in self.layers)))

    @property
    def dtype(self) -> type[np.float32 | np.float64]:
        """Of all signals and weights."""
        return np.float32 if self.is_random else np.float64

    @cached_property
    def n_images(self) -> int:
        """Images of a block."""
        largest = max(max(layer.n_post, layer.n_seen) for layer in self.layers)
        return max(1, min(_BLOCK_IMAGES, _BLOCK_VALUES // largest))

    @cached_property
    def top(self) -> float:
        """Level above which the code is the largest."""
        span = self.linear_range
        if math.isinf(span):
            return self.code_max
        return span * (math.atanh(self.code_max / span) if span > self.code_max else _SATURATED)

    @cached_property
    def compression(self) -> tuple[float, float, float] | None:
        """Constants a, b, c of ``v (a + b / (v^2 + c))``, which is ``R tanh(v/R)`` for 0 to ``top``.

        It interpolates at Chebyshev nodes. None where that is not good enough, or is not wanted.
        """
        span = self.linear_range
        if not (self.is_random and self.code_max < span < math.inf):
            return None
        nodes = self.top * np.sqrt((1 + np.cos(np.pi * np.array([1, 3, 5]) / 6)) / 2)
        ratio = np.tanh(nodes / span) / (nodes / span)
        c, a, rest = np.linalg.solve(
            np.stack([-ratio, nodes**2, np.ones(3)], axis=1), ratio * nodes**2
        ).tolist()
        b = rest - a * c
        level = np.linspace(0, self.top, 1000)
        error = np.abs(level * (a + b / (level**2 + c)) - span * np.tanh(level / span)).max()
        return (a, b, c) if error < _FIT_TOLERANCE else None

    def stream(self, *key: int) -> np.random.Generator:
        """Return the random stream of this name."""
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(self.seed, spawn_key=key)))


def make_plan(
    network: QuantizedNetwork, neuron: MixedSignalNeuronParameters, codes: NDArray[np.uint8], seed: int
) -> Plan:
    """Return ``network`` in the design ``neuron``, for the images that give ``codes`` [image, input]."""
    lsb = neuron.lsb(network.activation_max)
    deviations = np.sqrt(neuron.cell.weight_variance(neuron.sigma_unit))
    layers: list[Layer] = []
    for projection in network.projections:
        geometry, scale = projection.geometry, projection.gain * 2.0**-projection.shift
        bias = bias_weights(projection.bias_codes, bias_axons_needed(network, projection), network.weight_max)
        cells = np.concatenate([projection.weight_codes, bias], axis=1)
        before = layers[-1].shape[0] if layers else 1
        kept, rows = np.arange(geometry.fan_in), None
        if not geometry.n_positions == geometry.groups == before == 1:
            rows = geometry.inputs % before * (geometry.n_pre // before) + geometry.inputs // before
            rows = np.pad(rows, ((0, 0), (0, 0), (0, 1)), constant_values=geometry.n_pre)
        elif not layers:
            kept = np.flatnonzero(codes.any(axis=0))
        ladder_noise = math.sqrt(neuron.ladder_noise_variance(cells.shape[1])) * scale
        layers.append(
            Layer(
                cells=cells.astype(np.float32),
                deviations=deviations[np.abs(cells)].astype(np.float32),
                fan_in=geometry.fan_in,
                kept=kept,
                shape=(geometry.n_positions, geometry.groups, geometry.out_maps // geometry.groups),
                rows=rows,
                classes=np.arange(geometry.n_post).reshape(geometry.out_maps, -1).T.ravel(),
                scale=scale,
                noise=math.hypot(neuron.noise_sigma / lsb, ladder_noise),
            )
        )
    return Plan(
        layers=tuple(layers),
        structure=neuron.cell,
        sigma_unit=neuron.sigma_unit,
        sigma_gain=neuron.mismatch_factor * neuron.gain_sigma,
        sigma_offset=neuron.offset_sigma / lsb,
        linear_range=neuron.linear_range / lsb,
        code_max=network.activation_max,
        seed=seed,
    )


def draw_layer(plan: Plan, index: int, chip: int) -> tuple[Floats, int]:
    """Draw a layer: what its rows move its nodes by, ``[post, row]`` [LSB], and where it reads the noise."""
    layer = plan.layers[index]
    rng = plan.stream(_CHIP, chip, index)
    offset = plan.sigma_offset * rng.standard_normal(layer.n_post)
    gain = layer.scale * (1 + draw_relative_error(plan.sigma_gain, (layer.n_post,), rng))
    place = int(rng.integers(layer.n_post * plan.n_images))
    cells = _draw_cells(plan, layer, rng).reshape(layer.n_post, -1)
    weights: Floats = np.empty((layer.n_post, layer.n_rows), plan.dtype)
    weights[:, :-1] = cells[:, layer.kept]
    weights[:, :-1] *= gain.astype(plan.dtype)[:, np.newaxis]
    weights[:, -1] = plan.code_max * cells[:, layer.fan_in :].sum(axis=1, dtype=np.float64) * gain + offset
    return weights, place


def _draw_cells(plan: Plan, layer: Layer, rng: np.random.Generator) -> Floats:
    """Return the weights that a chip has instead of ``layer.cells``, ``[position, map, cell]`` [LSB]."""
    shape = (layer.shape[0], *layer.cells.shape)
    if not plan.sigma_unit:
        return np.broadcast_to(layer.cells, shape)
    if plan.sigma_unit > LOGNORMAL_SIGMA:
        codes = np.broadcast_to(layer.cells.astype(np.int64), shape)
        bit_error = plan.structure.draw_bit_error(plan.sigma_unit, shape, rng)
        return effective_weights(codes, bit_error) / 2.0**GRID_BITS
    cells = rng.standard_normal(shape, dtype=np.float32)
    cells *= layer.deviations
    cells += layer.cells
    return cells


def draw_noise(plan: Plan, index: int, block: int, out: Floats) -> None:
    """Draw a layer's noise for a block of images [LSB] into ``out``, twice in a row, if there is any."""
    layer = plan.layers[index]
    if layer.noise:
        once, again = np.split(out, 2)
        plan.stream(_NOISE, index, block).standard_normal(dtype=np.float32, out=once)
        once *= np.float32(layer.noise)
        again[:] = once
