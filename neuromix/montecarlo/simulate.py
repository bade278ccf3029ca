"""The fast way: many chips and images at once, in float32."""

import math
from collections.abc import Iterator
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from analog_models.neuron import MixedSignalNeuronParameters

from ..network.quantize import QuantizedNetwork
from .plan import DrawnLayer, Floats, Plan, draw_layer, draw_noise, make_plan

__all__ = ["CHIPS_AT_ONCE", "simulate_chips"]

CHIPS_AT_ONCE = 20
"""Chips whose weights are in memory together; they share the noise fields. Results do not depend on it."""

_SIDE_BY_SIDE = 10  # chips in one matrix product
_SELDOM = 0.005  # of a block's images; an input that is lit in no more is not worth a row of the product
_CHUNK = 1 << 16  # values that stay in the cache from the product's sum to the code


def simulate_chips(
    network: QuantizedNetwork,
    neuron: MixedSignalNeuronParameters,
    codes: NDArray[np.uint8],
    labels: NDArray[np.integer],
    *,
    chips: range,
    seed: int,
) -> NDArray[np.int64]:
    """Return how many images each of ``chips`` classifies as ``labels`` [image] say, ``[chip]``.

    ``codes`` [image, input] are activation codes. Ladders of capacitors are taken to be as long as their
    layer needs. Raises ValueError for codes that are not the network's, or as many labels.
    """
    _check(network, codes, labels, chips)
    plan = make_plan(network, neuron, codes, seed)
    if not plan.is_random and len(chips):
        return np.repeat(_count_correct(plan, chips[:1], codes, labels), len(chips))
    batches = [chips[first : first + CHIPS_AT_ONCE] for first in range(0, len(chips), CHIPS_AT_ONCE)]
    counts = [_count_correct(plan, batch, codes, labels) for batch in batches]
    return np.concatenate([np.zeros(0, np.int64), *counts])


def _check(
    network: QuantizedNetwork, codes: NDArray[np.uint8], labels: NDArray[np.integer], chips: range
) -> None:
    n_inputs = network.populations[0].size
    if codes.ndim != 2 or codes.shape[1] != n_inputs:
        raise ValueError(f"monte carlo: codes must be [image, {n_inputs}], got {list(codes.shape)}")
    if codes.size and codes.max() > network.activation_max:
        raise ValueError(f"monte carlo: codes must be 0 to {network.activation_max}, got {codes.max()}")
    if labels.shape != codes.shape[:1]:
        raise ValueError(f"monte carlo: labels must be [{len(codes)}], got {list(labels.shape)}")
    if len(chips) and chips[0] < 0:
        raise ValueError(f"monte carlo: chips must be numbered from 0, got {chips[0]}")


@np.errstate(divide="ignore", over="ignore")  # in _compress, by levels of zero
def _count_correct(
    plan: Plan, chips: range, codes: NDArray[np.uint8], labels: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Return how many images each of ``chips`` classifies correctly, ``[chip]``."""
    drawn = {chip: [draw_layer(plan, index, chip) for index in range(len(plan.layers))] for chip in chips}
    groups = [list(group) for _, group in groupby(chips, lambda chip: chip // _SIDE_BY_SIDE)]
    wide = [(group, _side_by_side(plan, drawn, group)) for group in groups]
    noises = [_Noise(plan, index) for index in range(len(plan.layers))]
    correct = dict.fromkeys(chips, 0)
    space = _Space(plan, codes[: plan.n_images].shape)
    for block, first in enumerate(range(0, len(codes), plan.n_images)):
        images = slice(first, first + plan.n_images)
        if len(labels[images]) != space.n_images:
            space = _Space(plan, codes[images].shape)
        for noise in noises:
            noise.draw(block)
        seen = space.enter(codes[images])
        for chip, sums in _first_sums(plan, drawn, wide, seen, space):
            answers = _classify(plan, drawn[chip], noises, sums, space)
            correct[chip] += int(np.count_nonzero(answers == labels[images]))
    return np.array([correct[chip] for chip in chips], np.int64)


def _side_by_side(plan: Plan, drawn: dict[int, list[DrawnLayer]], group: list[int]) -> Floats:
    """Return the first layers of a group of chips as one matrix ``[row, post]``.

    Empty if the first layer is a convolution, whose neurons do not all see the same, or if chips do not
    differ.
    """
    layer = plan.layers[0]
    if layer.tiles or not plan.chips_differ:
        return np.empty(0, plan.dtype)
    wide = np.zeros((layer.n_rows, _SIDE_BY_SIDE, layer.n_post), plan.dtype)
    for chip in group:
        wide[:, chip % _SIDE_BY_SIDE] = drawn[chip][0].weights.T
    return wide.reshape(layer.n_rows, -1)


class _Noise:
    """The noise fields of a layer, of its nodes and of its converters, for one block of images at a time."""

    def __init__(self, plan: Plan, index: int) -> None:
        self._plan, self._index = plan, index
        self._sigmas = plan.layers[index].noise * plan.node_lsb, plan.converter_noise
        n_values = plan.layers[index].n_post * plan.n_images
        self._fields = [np.empty(2 * n_values if sigma else 0, plan.dtype) for sigma in self._sigmas]

    def draw(self, block: int) -> None:
        """Draw what a block of images sees."""
        for kind, (sigma, field) in enumerate(zip(self._sigmas, self._fields, strict=True)):
            draw_noise(self._plan, self._index, block, kind, sigma, field)

    def at(self, places: tuple[int, int], shape: tuple[int, ...]) -> list[Floats | None]:
        """Return the noise ``[post, image]`` of nodes and converters that begins at ``places``."""
        size = math.prod(shape)
        return [
            field[place : place + size].reshape(shape) if field.size else None
            for place, field in zip(places, self._fields, strict=True)
        ]


class _Inputs:
    """What a first layer whose neurons see all inputs sees of a block of images.

    Inputs that few images light are kept apart with these images; those that none lights are left out.
    """

    def __init__(self, plan: Plan, codes: NDArray[np.uint8]) -> None:
        """Take ``codes`` [image, input]."""
        lit = codes != 0
        n_lit = lit.sum(axis=0, dtype=np.int32)
        seldom = n_lit <= _SELDOM * len(codes)
        self._often = np.append(np.flatnonzero(~seldom), codes.shape[1])  # and the row of ones
        self._seldom = np.flatnonzero(seldom & (n_lit > 0))
        self._few = np.flatnonzero(lit[:, self._seldom].any(axis=1))
        by_many, by_few = codes[:, self._often[:-1]], codes[self._few][:, self._seldom]
        self._many_see = np.ones((len(self._often), len(codes)), plan.dtype)
        self._many_see[:-1] = (by_many if plan.inputs is None else plan.inputs[by_many]).T
        self._few_see = (by_few if plan.inputs is None else plan.inputs[by_few]).T.astype(plan.dtype)

    def multiply(self, weights: Floats, out: Floats) -> None:
        """Put ``weights`` [row, post] times these inputs into ``out`` [post, image]."""
        np.matmul(weights[self._often].T, self._many_see, out=out)
        out[:, self._few] += weights[self._seldom].T @ self._few_see


class _Space:
    """Arrays for a block of images, used over and over."""

    def __init__(self, plan: Plan, shape: tuple[int, ...]) -> None:
        """Make space for codes of ``shape``: images, inputs."""
        first, *_ = self.layers = plan.layers
        n_images, n_inputs = shape
        self.n_images = n_images
        self._plan = plan
        self._input = np.empty((n_inputs + 1, n_images), plan.dtype)
        self.side_by_side = np.empty((_SIDE_BY_SIDE * first.n_post + 1, n_images), plan.dtype)
        self.levels = [np.empty((layer.n_post + 1, n_images), plan.dtype) for layer in self.layers]
        self.divisors = [
            None if layer.load is None else np.empty((layer.n_post, n_images), plan.dtype)
            for layer in self.layers
        ]
        self._patches = [
            np.empty((*layer.tiles.rows.shape, n_images), plan.dtype) if layer.tiles else None
            for layer in self.layers
        ]
        self.scratch = np.empty(_CHUNK + n_images, plan.dtype)

    def enter(self, codes: NDArray[np.uint8]) -> _Inputs | Floats:
        """Return what the first layer sees of ``codes`` [image, input]."""
        first, divisor = self.layers[0], self.divisors[0]
        if first.tiles:
            self._input[:-1] = codes.T
            return self.seen(0, self._input)
        inputs = _Inputs(self._plan, codes)
        if first.load is not None and divisor is not None:
            inputs.multiply(first.load.T, divisor)
        return inputs

    def seen(self, index: int, rows: Floats) -> Floats:
        """Return what a layer sees of activation codes [row, image], the last row of which is to be ones."""
        layer, patches, divisor = self.layers[index], self._patches[index], self.divisors[index]
        table = self._plan.inputs
        if table is not None:
            np.take(table, rows[:-1].astype(np.uint8), axis=0, out=rows[:-1], mode="clip")
        rows[-1] = 1
        if layer.tiles and patches is not None:
            rows = np.take(rows, layer.tiles.rows, axis=0, out=patches, mode="clip")
        if layer.load is not None and divisor is not None:
            _multiply(layer.load, rows, divisor)
        return rows


def _multiply(weights: Floats, seen: Floats, out: Floats) -> None:
    """Multiply ``weights`` [..., post, row] by ``seen`` [..., row, image] into ``out`` [post, image]."""
    np.matmul(weights, seen, out=out.reshape(*weights.shape[:-1], -1))


def _first_sums(
    plan: Plan,
    drawn: dict[int, list[DrawnLayer]],
    wide: list[tuple[list[int], Floats]],
    seen: _Inputs | Floats,
    space: _Space,
) -> Iterator[tuple[int, Floats]]:
    """Yield each chip and its first layer's sums ``[post + 1, image]``, whose last row is free, to change."""
    layer, level = plan.layers[0], space.levels[0]

    def multiply(weights: Floats) -> None:
        if isinstance(seen, _Inputs):
            seen.multiply(weights.T, level[:-1])
        else:
            _multiply(weights, seen, level[:-1])

    if not plan.chips_differ:
        multiply(next(iter(drawn.values()))[0].weights)
        sums = level[:-1].copy()
        for chip in drawn:
            level[:-1] = sums
            yield chip, level
    elif isinstance(seen, _Inputs):
        for group, weights in wide:
            seen.multiply(weights, space.side_by_side[:-1])
            for chip in reversed(group):  # its row of ones takes the first row of the chip behind it
                first = chip % _SIDE_BY_SIDE * layer.n_post
                yield chip, space.side_by_side[first : first + layer.n_post + 1]
    else:
        for chip, layers in drawn.items():
            multiply(layers[0].weights)
            yield chip, level


def _classify(
    plan: Plan,
    drawn: list[DrawnLayer],
    noises: list[_Noise],
    level: Floats,
    space: _Space,
) -> NDArray[np.int64]:
    """Return the class [image] that a chip gives, whose first layer's sums are ``level``."""
    for index, (layer, chip, noise) in enumerate(zip(plan.layers, drawn, noises, strict=True)):
        if index:
            seen = space.seen(index, level)
            level = space.levels[index]
            _multiply(chip.weights, seen, level[:-1])
        node_noise, converter_noise = noise.at(chip.places, level[:-1].shape)
        divisor = space.divisors[index]
        n_rows = -(-_CHUNK // space.n_images)
        for first in range(0, layer.n_post, n_rows):
            rows = slice(first, min(first + n_rows, layer.n_post))
            part = level[rows]
            if divisor is not None:
                part /= divisor[rows]
            if chip.offset is not None:
                part += chip.offset[rows]
            if node_noise is not None:
                part += node_noise[rows]
            _compress(plan, part, space.scratch)
            if converter_noise is not None:
                part += converter_noise[rows]
            if chip.converter_offset is not None:
                part += chip.converter_offset[rows]
            if plan.is_random:
                np.rint(part, out=part)
            else:  # ties happen, and go up as in the integer network
                part += 0.5
                np.floor(part, out=part)
            if plan.margin:
                np.clip(part, 0, plan.code_max, out=part)
    classes, codes = plan.layers[-1].classes, level[:-1]
    last = len(classes) - 1
    codes *= len(classes)  # the largest code wins, and of equal ones the lowest class
    codes += (last - classes).astype(plan.dtype)[:, np.newaxis]
    answers: NDArray[np.int64] = last - codes.max(axis=0).astype(np.int64) % len(classes)
    return answers


def _compress(plan: Plan, level: Floats, scratch: Floats) -> None:
    """Turn ``level`` [node] into what the pair makes of it [LSB], in place, as far as it gives codes."""
    np.clip(level, -plan.margin * plan.node_lsb, plan.top * plan.node_lsb, out=level)
    if plan.compression:
        _, b, c = plan.compression
        term = scratch[: level.size].reshape(level.shape)
        np.divide(c, level, out=term)
        term += level
        np.divide(b, term, out=term)
        level += term
    elif math.isfinite(plan.linear_range):
        np.tanh(level, out=level)
        level *= plan.linear_range
