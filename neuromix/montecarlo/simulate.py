"""The fast way: many chips and images at once, in float32."""

import math
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from analog_models.neuron import MixedSignalNeuronParameters

from ..network.quantize import QuantizedNetwork
from .plan import Floats, Plan, draw_layer, draw_noise, make_plan

__all__ = ["CHIPS_AT_ONCE", "simulate_chips"]

CHIPS_AT_ONCE = 20
"""Chips whose weights are in memory together; they share the noise fields. Results do not depend on it."""

_SIDE_BY_SIDE = 5  # chips in one matrix product
_CHUNK = 1 << 15  # values that stay in the cache from the product's sum to the code


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


def _count_correct(
    plan: Plan, chips: range, codes: NDArray[np.uint8], labels: NDArray[np.integer]
) -> NDArray[np.int64]:
    """Return how many images each of ``chips`` classifies correctly, ``[chip]``."""
    drawn = {chip: [draw_layer(plan, index, chip) for index in range(len(plan.layers))] for chip in chips}
    groups = [list(group) for _, group in groupby(chips, lambda chip: chip // _SIDE_BY_SIDE)]
    wide = [_side_by_side(plan, drawn, group) for group in groups]
    correct = dict.fromkeys(chips, 0)
    fields = [np.empty(2 * layer.n_post * plan.n_images, plan.dtype) for layer in plan.layers]
    space = _Space(plan, min(plan.n_images, len(codes)))
    for block, first in enumerate(range(0, len(codes), plan.n_images)):
        images = slice(first, first + plan.n_images)
        if len(labels[images]) != space.n_images:
            space = _Space(plan, len(labels[images]))
        for index, field in enumerate(fields):
            draw_noise(plan, index, block, field)
        seen = space.enter(codes[images])
        for group, weights in zip(groups, wide, strict=True):
            if weights is not None:
                np.matmul(weights, seen, out=space.side_by_side)
            for chip in group:
                answers = _classify(plan, drawn[chip], fields, seen, space, chip % _SIDE_BY_SIDE)
                correct[chip] += int(np.count_nonzero(answers == labels[images]))
    return np.array([correct[chip] for chip in chips], np.int64)


def _side_by_side(plan: Plan, drawn: dict[int, list[tuple[Floats, int]]], group: list[int]) -> Floats | None:
    """Return the first layers of a group of chips as one matrix, with a row for each chip's row of ones.

    None if the first layer is a convolution, whose neurons do not all see the same.
    """
    layer = plan.layers[0]
    if layer.rows is not None:
        return None
    wide = np.zeros((_SIDE_BY_SIDE, layer.n_post + 1, layer.n_rows), plan.dtype)
    for chip in group:
        wide[chip % _SIDE_BY_SIDE, :-1] = drawn[chip][0][0]
    return wide.reshape(-1, layer.n_rows)


class _Space:
    """Arrays for a block of images, used over and over."""

    def __init__(self, plan: Plan, n_images: int) -> None:
        first, *_ = self.layers = plan.layers
        n_inputs = len(first.kept) if first.rows is None else int(first.rows.max())
        self.n_images = n_images
        self._input = np.ones((n_inputs + 1, n_images), plan.dtype)
        self.side_by_side = np.empty((_SIDE_BY_SIDE * (first.n_post + 1), n_images), plan.dtype)
        self.levels = [np.empty((layer.n_post + 1, n_images), plan.dtype) for layer in self.layers]
        self._patches = [
            None if layer.rows is None else np.empty((*layer.rows.shape, n_images), plan.dtype)
            for layer in self.layers
        ]
        self.scratch = np.empty(_CHUNK, plan.dtype)

    def enter(self, codes: NDArray[np.uint8]) -> Floats:
        """Return what the first layer sees of ``codes`` [image, input]."""
        first = self.layers[0]
        self._input[:-1] = (codes[:, first.kept] if first.rows is None else codes).T
        return self.seen(0, self._input)

    def seen(self, index: int, rows: Floats) -> Floats:
        """Return what a layer sees of ``rows`` [row, image]: itself, or ``[position, group, row, image]``."""
        layer, patches = self.layers[index], self._patches[index]
        if layer.rows is None or patches is None:
            return rows
        return np.take(rows, layer.rows, axis=0, out=patches, mode="clip")


def _classify(
    plan: Plan,
    drawn: list[tuple[Floats, int]],
    fields: list[Floats],
    seen: Floats,
    space: _Space,
    slot: int,
) -> NDArray[np.int64]:
    """Return the class [image] that a chip gives to what its first layer has ``seen``.

    The first layer's sums may be in ``space.side_by_side`` already, at ``slot``.
    """
    level = seen
    for index, (layer, (weights, place), field) in enumerate(zip(plan.layers, drawn, fields, strict=True)):
        if index:
            seen = space.seen(index, level)
        if index == 0 and layer.rows is None:
            level = space.side_by_side.reshape(_SIDE_BY_SIDE, layer.n_post + 1, -1)[slot]
        else:
            level = space.levels[index]
            shape = layer.shape[:2] if layer.rows is not None else ()
            np.matmul(
                weights.reshape(*shape, -1, layer.n_rows),
                seen,
                out=level[:-1].reshape(*shape, -1, space.n_images),
            )
        _to_codes(plan, level[:-1].reshape(-1), field[place:] if layer.noise else None, space.scratch)
        level[-1] = 1
    classes, codes = plan.layers[-1].classes, level[:-1]
    last = len(classes) - 1
    codes *= len(classes)  # the largest code wins, and of equal ones the lowest class
    codes += (last - classes).astype(plan.dtype)[:, np.newaxis]
    answers: NDArray[np.int64] = last - codes.max(axis=0).astype(np.int64) % len(classes)
    return answers


def _to_codes(plan: Plan, level: Floats, noise: Floats | None, scratch: Floats) -> None:
    """Add ``noise`` to ``level`` [LSB], clip, compress and round it, in place, in chunks that fit a cache."""
    span = plan.linear_range
    for first in range(0, len(level), _CHUNK):
        part = level[first : first + _CHUNK]
        if noise is not None:
            part += noise[first : first + len(part)]
        np.clip(part, 0, plan.top, out=part)
        if plan.compression:
            a, b, c = plan.compression
            ratio = np.multiply(part, part, out=scratch[: len(part)])
            ratio += c
            np.divide(b, ratio, out=ratio)
            ratio += a
            part *= ratio
        elif math.isfinite(span):
            part /= span
            np.tanh(part, out=part)
            part *= span
        part += 0.5
        np.floor(part, out=part)
