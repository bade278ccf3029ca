"""A network in one design: what all chips have in common, and what is drawn for each."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from analog_models.mdac import GRID_BITS, INPUT_LEVELS, Topology, effective_weights
from analog_models.mismatch import LOGNORMAL_SIGMA, draw_relative_error
from analog_models.neuron import MixedSignalNeuronParameters
from rtl_gen.neuron.requantizer import requantize

from ..mapping import bias_axons_needed, bias_weights
from ..network.quantize import QuantizedNetwork, QuantizedProjection

__all__ = ["DrawnLayer", "Floats", "Layer", "Plan", "draw_layer", "draw_noise", "make_plan"]

_BLOCK_IMAGES = 1000
_BLOCK_VALUES = 1 << 22  # of the largest array for a block of images: 16 MiB of float32
_TYPICAL_IMAGES = 1000  # tell the mean flicker
_FETCH = 64  # multiplications in a large matrix product that take as long as fetching a value
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
    shape: tuple[int, int, int]
    """Positions, groups, maps of a group."""
    tiles: "Tiles | None"
    """Which rows the neurons see; None for all rows in order."""
    classes: NDArray[np.int64]
    """Number of each neuron in its population, ``[post]``."""
    scale: float
    """What a unit of ``sum(x w)`` moves the node by [LSB]."""
    noise: float
    """Noise on the summing node [LSB rms]."""
    load: Floats | None
    """By what a node's level is divided, laid out as drawn weights: 1, and the load of its cells; None: by
    nothing."""

    @cached_property
    def n_post(self) -> int:
        """Neurons."""
        return math.prod(self.shape)

    @property
    def n_seen(self) -> int:
        """Values of one image that its neurons see."""
        return self.n_rows if self.tiles is None else self.tiles.rows.size

    @property
    def n_rows(self) -> int:
        """Rows that each neuron sees, the ones included."""
        return self.fan_in + 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Tiles:
    """Neighbouring neurons of a convolution, multiplied together with all the rows that any of them sees.

    Most weights of such a product are 0, yet it takes less time: what windows share is fetched once, and a
    processor core multiplies large matrices at many times the speed of small ones.
    """

    rows: NDArray[np.int64]
    """``[tile, row]``; the row of ones is in each."""
    places: NDArray[np.int64]
    """Where in them the neurons of a position and a group see theirs, ``[position x group, fan_in + 1]``."""

    @classmethod
    def choose(cls, seen: NDArray[np.int64], maps: int) -> Self:
        """Return the cheapest tiles; all ``maps`` neurons of a position and a group see the same rows.

        ``seen`` are these rows, ``[position x group, fan_in + 1]``, the last that of ones.
        """
        n_seeing = len(seen)
        sizes = [size for size in range(1, n_seeing + 1) if n_seeing % size == 0]
        return min((cls._of_size(seen, size) for size in sizes), key=lambda tiles: tiles._cost(maps))

    @classmethod
    def _of_size(cls, seen: NDArray[np.int64], size: int) -> Self:
        found = [np.unique(tile, return_inverse=True) for tile in seen.reshape(-1, size * seen.shape[1])]
        rows = np.full((len(found), max(len(rows) for rows, _ in found)), seen.max())  # of ones
        for tile, (own, _) in zip(rows, found, strict=True):
            tile[: len(own)] = own
        return cls(
            rows=rows, places=np.concatenate([places.ravel() for _, places in found]).reshape(seen.shape)
        )

    def _cost(self, maps: int) -> int:
        """Return the time that it takes to fetch and to multiply, in multiplications."""
        return self.rows.size * (len(self.places) // len(self.rows) * maps + _FETCH)

    def spread(self, weights: Floats) -> Floats:
        """Return ``weights`` [post, row] as those of the tiles, ``[tile, neuron of it, row of it]``."""
        n_tiles, n_rows = self.rows.shape
        wide = np.zeros((len(self.places), weights.size // self.places.size, n_rows), weights.dtype)
        own = weights.reshape(*wide.shape[:2], -1)
        np.put_along_axis(wide, self.places[:, np.newaxis], own, axis=-1)
        return wide.reshape(n_tiles, -1, n_rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A network in one design, ready to have chips drawn."""

    layers: tuple[Layer, ...]
    structure: Topology
    sigma_units: NDArray[np.float64]
    """Relative deviation of a unit of each device of a cell, ``[device]``."""
    sigma_gain: float
    """Relative deviation of a neuron's gain."""
    sigma_offset: float
    """Deviation of the offset of a neuron's activation [LSB]."""
    sigma_leak: float
    """Deviation of the threshold that makes a node's switches leak, in exponents."""
    droop: float
    """What the leak of one switch takes from a node [LSB]."""
    sigma_converter: float
    """Deviation of the offset of a neuron's converter [LSB]."""
    converter_noise: float
    """Noise of a converter [LSB rms]."""
    inputs: Floats | None
    """What an input code ``[code]`` brings; None: itself."""
    linear_range: float
    """R of the activation [LSB]."""
    code_max: int
    seed: int

    @property
    def chips_differ(self) -> bool:
        """Whether chips are not all made alike."""
        return any((self.sigma_gain, self.sigma_offset, self.sigma_converter, self.droop, *self.sigma_units))

    @property
    def is_random(self) -> bool:
        """Whether chips differ, or images are seen through noise."""
        return self.chips_differ or any((self.converter_noise, *(layer.noise for layer in self.layers)))

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
    def margin(self) -> float:
        """How far from its code the converters see a level at most [LSB]."""
        return 6 * math.hypot(self.sigma_converter, self.converter_noise)

    @cached_property
    def top(self) -> float:
        """Level above which the code is the largest."""
        span, last = self.linear_range, self.code_max + self.margin
        if math.isinf(span):
            return last
        return span * (math.atanh(last / span) if span > last else _SATURATED)

    @cached_property
    def compression(self) -> tuple[float, float, float] | None:
        """Constants a, b, c of ``u + b / (u + c/u)``, ``u = a v``, which is ``R tanh(v/R)`` up to ``top``.

        As ``v (a + b' / (v^2 + c'))`` it interpolates at Chebyshev nodes. None where that is not good enough,
        or is not wanted.
        """
        span = self.linear_range
        if not (self.is_random and self.code_max + self.margin < span < math.inf):
            return None
        nodes = self.top * np.sqrt((1 + np.cos(np.pi * np.array([1, 3, 5]) / 6)) / 2)
        ratio = np.tanh(nodes / span) / (nodes / span)
        c, a, rest = np.linalg.solve(
            np.stack([-ratio, nodes**2, np.ones(3)], axis=1), ratio * nodes**2
        ).tolist()
        b = rest - a * c
        level = np.linspace(0, self.top, 1000)
        error = np.abs(level * (a + b / (level**2 + c)) - span * np.tanh(level / span)).max()
        return (a, a * b, a**2 * c) if error < _FIT_TOLERANCE else None

    @cached_property
    def node_lsb(self) -> float:
        """What an LSB is on a node: such that the compression has one factor less to multiply by."""
        if self.compression:
            return self.compression[0]
        return 1.0 if math.isinf(self.linear_range) else 1 / self.linear_range

    @property
    def always_on(self) -> float:
        """What a bias axon brings."""
        return self.code_max if self.inputs is None else float(self.inputs[self.code_max])

    def stream(self, *key: int) -> np.random.Generator:
        """Return the random stream of this name."""
        return np.random.Generator(np.random.SFC64(np.random.SeedSequence(self.seed, spawn_key=key)))


def make_plan(
    network: QuantizedNetwork, neuron: MixedSignalNeuronParameters, codes: NDArray[np.uint8], seed: int
) -> Plan:
    """Return ``network`` in the design ``neuron``, for the images that give ``codes`` [image, input]."""
    lsb = neuron.lsb(network.activation_max)
    inputs = np.arange(INPUT_LEVELS) * neuron.mirror_gain
    typical = codes[: _TYPICAL_IMAGES if neuron.cell_flicker else 0].astype(np.int64)
    layers: list[Layer] = []
    for projection in network.projections:
        flicker = _flicker(projection, neuron, typical)
        before = layers[-1].shape[0] if layers else 1
        layers.append(_make_layer(network, projection, neuron, before, flicker))
        if neuron.cell_flicker:
            sums = projection.sums(typical, network.activation_max)
            typical = requantize(sums, projection.gain, projection.shift, network.activation_max)
    return Plan(
        layers=tuple(layers),
        structure=neuron.cell,
        sigma_units=neuron.sigma_units,
        sigma_gain=neuron.mismatch_factor * neuron.gain_sigma,
        sigma_offset=neuron.offset_sigma / lsb,
        sigma_leak=neuron.hold_sigma,
        droop=neuron.droop / lsb,
        sigma_converter=neuron.adc_factor * neuron.adc_offset_sigma / lsb,
        converter_noise=neuron.adc_factor * neuron.adc_noise / lsb,
        inputs=inputs.astype(np.float32) if neuron.output_conductance else None,
        linear_range=neuron.linear_range / lsb,
        code_max=network.activation_max,
        seed=seed,
    )


def _make_layer(
    network: QuantizedNetwork,
    projection: QuantizedProjection,
    neuron: MixedSignalNeuronParameters,
    before: int,
    flicker: float,
) -> Layer:
    """Return a layer behind one of ``before`` positions."""
    geometry, scale = projection.geometry, projection.gain * 2.0**-projection.shift
    lsb = neuron.lsb(network.activation_max)
    bias = bias_weights(projection.bias_codes, bias_axons_needed(network, projection), network.weight_max)
    cells = np.concatenate([projection.weight_codes, bias], axis=1)
    deviations = np.sqrt(neuron.cell.weight_variance(neuron.sigma_units))[np.abs(cells)]
    tiles = None
    if not geometry.n_positions == geometry.groups == before == 1:
        seen = geometry.inputs % before * (geometry.n_pre // before) + geometry.inputs // before
        seen = np.pad(seen.reshape(-1, geometry.fan_in), ((0, 0), (0, 1)), constant_values=geometry.n_pre)
        tiles = Tiles.choose(seen, geometry.out_maps // geometry.groups)
    ladder_noise = neuron.ladder_noise_variance(cells.shape[1]) * scale**2
    load = None
    if neuron.output_conductance:
        load = np.abs(cells[:, [*range(geometry.fan_in), -1]]) * neuron.output_conductance * scale * lsb
        always_on = network.activation_max * np.abs(cells[:, geometry.fan_in :]).sum(axis=1)
        load[:, -1] = 1 + always_on * neuron.output_conductance * scale * lsb
        load = np.tile(load, (geometry.n_positions, 1)).astype(np.float32)
        load = tiles.spread(load) if tiles else load
    return Layer(
        cells=cells.astype(np.float32),
        deviations=deviations.astype(np.float32),
        fan_in=geometry.fan_in,
        shape=(geometry.n_positions, geometry.groups, geometry.out_maps // geometry.groups),
        tiles=tiles,
        classes=np.arange(geometry.n_post).reshape(geometry.out_maps, -1).T.ravel(),
        scale=scale,
        noise=math.sqrt(neuron.noise_variance / lsb**2 + ladder_noise + flicker / lsb**2),
        load=load,
    )


def _flicker(
    projection: QuantizedProjection, neuron: MixedSignalNeuronParameters, codes: NDArray[np.int64]
) -> float:
    """Return the mean flicker power on the nodes of a layer [V^2] that sees ``codes`` [image, pre]."""
    power = neuron.pair_flicker
    if neuron.cell_flicker:
        unit_variance = neuron.weight_flicker[np.abs(projection.weight_codes.astype(np.int64))]
        squares = projection.geometry.sums(np.square(codes, dtype=np.float64), unit_variance)
        volts = projection.gain * 2.0**-projection.shift * neuron.lsb()
        power += neuron.cell_flicker * volts**2 * float(squares.mean())
    return power * sum(neuron.flicker_bands)


@dataclass(frozen=True, kw_only=True, eq=False)
class DrawnLayer:
    """A layer of one chip. ``[node]`` is the unit of which ``Plan.node_lsb`` are an LSB."""

    weights: Floats
    """What the rows move the nodes by [node], ``[post, row]`` or ``[tile, neuron of it, row of it]``; without
    load the ones bring the offset."""
    offset: Floats | None
    """What is added to the nodes behind their load, ``[post, 1]`` [node]."""
    converter_offset: Floats | None
    """What is added before a converter rounds to whole codes, ``[post, 1]`` [LSB]."""
    places: tuple[int, int]
    """From where on the nodes and the converters read their noise."""


def draw_layer(plan: Plan, index: int, chip: int) -> DrawnLayer:
    """Draw a layer of ``chip``: always the same."""
    layer = plan.layers[index]
    rng = plan.stream(_CHIP, chip, index)
    offset, converter, *leaks = rng.standard_normal((4, layer.n_post))
    leak = np.subtract(*np.exp(plan.sigma_leak * np.array(leaks)))
    gain = layer.scale * (1 + draw_relative_error(plan.sigma_gain, (layer.n_post,), rng))
    places = rng.integers(layer.n_post * plan.n_images, size=2)
    cells = _draw_cells(plan, layer, rng).reshape(layer.n_post, -1)
    weights: Floats = np.empty((layer.n_post, layer.n_rows), plan.dtype)
    weights[:, :-1] = cells[:, : layer.fan_in]
    weights[:, -1] = plan.always_on * cells[:, layer.fan_in :].sum(axis=1, dtype=np.float64)
    weights *= (plan.node_lsb * gain).astype(plan.dtype)[:, np.newaxis]
    shift = (plan.node_lsb * (plan.sigma_offset * offset - plan.droop * leak)).astype(plan.dtype)
    if layer.load is None:
        weights[:, -1] += shift  # in the product it costs nothing
    converter_offset = (plan.sigma_converter * converter).astype(plan.dtype)[:, np.newaxis]
    return DrawnLayer(
        weights=layer.tiles.spread(weights) if layer.tiles else weights,
        offset=None if layer.load is None else shift[:, np.newaxis],
        converter_offset=converter_offset if plan.sigma_converter else None,
        places=(int(places[0]), int(places[1])),
    )


def _draw_cells(plan: Plan, layer: Layer, rng: np.random.Generator) -> Floats:
    """Return the weights that a chip has instead of ``layer.cells``, ``[position, map, cell]`` [LSB]."""
    shape = (layer.shape[0], *layer.cells.shape)
    if not plan.sigma_units.any():
        return np.broadcast_to(layer.cells, shape)
    if plan.sigma_units.max() > LOGNORMAL_SIGMA:
        codes = np.broadcast_to(layer.cells.astype(np.int64), shape)
        bit_error = plan.structure.draw_bit_error(plan.sigma_units, shape, rng)
        return effective_weights(codes, bit_error) / 2.0**GRID_BITS
    cells = rng.standard_normal(shape, dtype=np.float32)
    cells *= layer.deviations
    cells += layer.cells
    return cells


def draw_noise(plan: Plan, index: int, block: int, kind: int, sigma: float, out: Floats) -> None:
    """Draw noise of a layer for a block of images into ``out``, twice in a row, if there is any."""
    if sigma:
        once, again = np.split(out, 2)
        plan.stream(_NOISE, index, block, kind).standard_normal(dtype=np.float32, out=once)
        once *= np.float32(sigma)
        again[:] = once
