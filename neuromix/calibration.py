"""Foreground calibration of a chip's analog neurons: what the host asks of the chip, and what the chip finds.

The hardware searches (:mod:`rtl_gen.boundary.calibration`); the host gives it a stimulus by the weights that
it loads, and thresholds that it computes from the design, never from what was manufactured:

1. Offset: all weights are zero, so a node shows its offset, trim and noise. Codes below zero do not exist, so
   the search goes to the edge of code 1, half an LSB up, and comes down again by half an LSB in trim steps.
2. Gain: every axon has the same weight and is driven with the largest code; gain and shift are such that a
   neuron without any error stands at the edge of the threshold. The errors of the cells average out over the
   row; what all neurons have in common, such as the loading of the node, is taken out as well.

Trims stay when the network's weights are loaded. The golden model runs the same searches on the same arrays,
with noise drawn per evaluation, so it must find the same trims.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from analog_models.array import ArrayBank
from analog_models.neuron import MixedSignalNeuronParameters
from cosim.arrays import calibration_noise
from cosim.job import AnalogArrays
from rtl_gen.boundary.calibration import Trim, TrimSearch
from rtl_gen.chip import ChipParameters
from rtl_gen.host.loader import Access, MemoryImage, load_writes, search_accesses, trim_reads, writes
from rtl_gen.signatures import TRIM_WIDTH, LoadTarget, SettingsRow

from .mapping import MappedNetwork, Position
from .network.quantize import gain_and_shift

__all__ = ["CalibrationPlan", "Trims", "find_trims", "plan_calibration", "read_trims", "trim_words"]

Trims = Mapping[Position, NDArray[np.int64]]
"""Trim codes of each core, ``[neuron, 2]``: offset, gain."""

REFERENCE_WEIGHT = 127
"""Weight of every cell in a gain search: the largest averages the most unit devices."""

REFERENCE_SHARE = 0.75
"""Share of the output range, or of what the pair can give, at which gains are compared."""

REPEATS_LOG2 = 5
"""32 evaluations per bit leave about a fifth of the noise in a decision."""


@dataclass(frozen=True, kw_only=True)
class CalibrationPlan:
    """The two searches, and the scale ``gain / 2^shift`` at which the second is made."""

    offset: TrimSearch
    gain: TrimSearch
    reference_gain: int
    reference_shift: int

    @property
    def n_evaluations(self) -> int:
        """How often every array evaluates."""
        return self.offset.n_evaluations + self.gain.n_evaluations

    def accesses(self, mapped: MappedNetwork, chip: ChipParameters) -> Iterator[Access]:
        """Yield what the host does after reset: load, search, load, search, read the trims of every core."""
        settings = {
            SettingsRow.GAIN: self.reference_gain,
            SettingsRow.SHIFT: self.reference_shift,
            SettingsRow.NEURONS_IN_USE: mapped.n_neurons,
        }
        engine = chip.tile.core.engine
        for search, weight in ((self.offset, 0), (self.gain, REFERENCE_WEIGHT)):
            rows = engine.synapse_rows(np.full((mapped.n_neurons, mapped.n_axons), weight))
            for core in mapped.cores:
                contents = (
                    (LoadTarget.SYNAPSES, engine.synapse_row_width, rows),
                    (LoadTarget.SETTINGS, 32, [settings[row] for row in sorted(settings)]),
                )
                images = [
                    MemoryImage(x=core.x, y=core.y, target=target, row_width=width, rows=values)
                    for target, width, values in contents
                ]
                yield from writes(load_writes(images))
            yield from search_accesses(chip.register_map, search)
        for core in mapped.cores:
            yield from trim_reads(core.x, core.y, mapped.n_neurons)


def plan_calibration(
    mapped: MappedNetwork, parameters: MixedSignalNeuronParameters, *, repeats_log2: int = REPEATS_LOG2
) -> CalibrationPlan:
    """Return the plan for chips of this design.

    A search ends up to one trim step below the edge. Both are moved by half a step, so that what remains is
    centred. Raises ValueError for a design whose trims have no effect or are too fine.
    """
    code_max = mapped.event_format.payload_max
    lsb, offset_step, gain_step = (
        parameters.lsb(code_max),
        parameters.offset_trim_step,
        parameters.gain_trim_step,
    )
    finest = lsb / (1 << TRIM_WIDTH)
    if not offset_step >= finest:
        raise ValueError(
            f"calibration: offset_trim_step must be at least {finest:.3g} V, 1/256 LSB, got {offset_step:g} V"
        )
    if not gain_step > 0:
        raise ValueError(f"calibration: gain_trim_step must be above 0, got {gain_step:g}")
    linear_range = parameters.linear_range / lsb
    threshold = max(1, round(REFERENCE_SHARE * min(code_max, linear_range)))
    edge = threshold - 0.5
    level = edge if math.isinf(linear_range) else linear_range * math.atanh(edge / linear_range)
    driven = mapped.n_axons * REFERENCE_WEIGHT * code_max
    gain, shift = gain_and_shift(level / (driven * (1 + gain_step / 2)))
    return CalibrationPlan(
        offset=TrimSearch(
            trim=Trim.OFFSET,
            threshold=1,
            repeats_log2=repeats_log2,
            lowered_by=max(0, round(0.5 * lsb / offset_step - 0.5)),
        ),
        gain=TrimSearch(trim=Trim.GAIN, threshold=threshold, repeats_log2=repeats_log2),
        reference_gain=gain,
        reference_shift=shift,
    )


def find_trims(
    mapped: MappedNetwork, arrays: AnalogArrays, plan: CalibrationPlan
) -> dict[Position, NDArray[np.int64]]:
    """Return the trims that the chip with these arrays finds, of all neurons of its cores, used or not."""
    return {core.position: _find_array(mapped, arrays, core.position, plan) for core in mapped.cores}


def _find_array(
    mapped: MappedNetwork, arrays: AnalogArrays, position: Position, plan: CalibrationPlan
) -> NDArray[np.int64]:
    """Return the trims ``[neuron, 2]`` of one array; its evaluations are numbered through both searches."""
    draw, code_max = arrays.draws[position], mapped.event_format.payload_max
    trims = np.zeros((draw.n_neurons, 2), dtype=np.int64)
    first = 0
    for search, weight in ((plan.offset, 0), (plan.gain, REFERENCE_WEIGHT)):
        bank = arrays.parameters.bank(
            draw,
            weights=np.full((draw.n_neurons, draw.n_axons), weight),
            gain=plan.reference_gain,
            shift=plan.reference_shift,
            code_max=code_max,
            noise_seed=calibration_noise(arrays.noise_seeds[position]),
            evaluation_time=arrays.evaluation_time,
        )
        inputs = np.full((search.repeats, draw.n_axons), code_max)
        if search.trim == Trim.OFFSET:
            inputs[:, : mapped.n_axons - mapped.n_bias_axons] = 0  # as after reset; bias axons never rest
        evaluate = partial(_evaluate, bank, inputs, trims.copy(), search.trim, first)
        trims[:, search.trim] = search.find(evaluate, draw.n_neurons)
        first += search.n_evaluations
    return trims


def _evaluate(
    bank: ArrayBank,
    inputs: NDArray[np.int64],
    trims: NDArray[np.int64],
    searched: Trim,
    first: int,
    tried: NDArray[np.int64],
    begin: int,
) -> NDArray[np.int64]:
    """Return the codes with ``trims``, but those ``tried`` of the kind that is searched."""
    trims[:, searched] = tried
    trimmed = bank.with_trims(offset_trim=trims[:, 0], gain_trim=trims[:, 1])
    return trimmed.evaluate(inputs, first_step=first + begin).codes


def read_trims(mapped: MappedNetwork, reads: NDArray[np.int64]) -> dict[Position, NDArray[np.int64]]:
    """Return the trims that the host has read at the end of :meth:`CalibrationPlan.accesses`."""
    words = reads.reshape(len(mapped.cores), mapped.n_neurons)
    codes = (words[..., np.newaxis] >> [0, TRIM_WIDTH]).astype(np.uint8).astype(np.int8).astype(np.int64)
    return {core.position: trims for core, trims in zip(mapped.cores, codes, strict=True)}


def trim_words(trims: Trims) -> dict[Position, NDArray[np.int64]]:
    """Return the words by which the host loads ``trims``."""
    mask = (1 << TRIM_WIDTH) - 1
    return {place: codes[:, 0] & mask | (codes[:, 1] & mask) << TRIM_WIDTH for place, codes in trims.items()}
