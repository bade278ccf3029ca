"""An array of mixed-signal neurons with weights in it: what it gives for time steps, and at what price."""

import copy
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import adc
from .activation import saturate
from .charge import bias_energy, capacitor_energy
from .codes import GAIN_MAX, STEP_MAX, checked_codes, checked_steps, checked_whole
from .draw import MixedSignalNeuronDraw
from .flicker import drift_normals, n_decades
from .mdac import (
    GRID_BITS,
    INPUT_GRID_BITS,
    INPUT_LEVELS,
    WEIGHT_MAX,
    effective_inputs,
    effective_weights,
    sum_products,
)
from .noise import DrawnAhead, step_normals

if TYPE_CHECKING:
    from .neuron import MixedSignalNeuronParameters

__all__ = ["MixedSignalEvaluation", "MixedSignalNeuronBank"]

_WHERE = "mixed-signal bank"
_SHIFT_MAX = 63
_TRIM_MIN, _TRIM_MAX = -128, 127
_EXACT = 2.0**53  # float64 holds every whole number up to here
_SQUARES = np.square(np.arange(INPUT_LEVELS, dtype=np.float64))
_FLICKER_GRID = 2.0**6  # keeps sums of squares exact, as those of products are


@dataclass(frozen=True, kw_only=True, eq=False)
class MixedSignalEvaluation:
    """What an array gave for a batch of time steps.

    Parameters
    ----------
    codes :
        ``[step, post]``, output codes, int64 [LSB].
    node_voltage :
        ``[step, post]``, what the activation pair sees when the ADC samples [V]: signal, thermal noise,
        offset and trim.
    adc_voltage :
        ``[step, post]``, what the activation pair hands to the ADC [V]: ``node_voltage``, saturated.
    """

    codes: NDArray[np.int64]
    node_voltage: NDArray[np.float64]
    adc_voltage: NDArray[np.float64]


class MixedSignalNeuronBank:
    """One manufactured array with weights, gain and trims in it.

    Parameters
    ----------
    weights :
        ``[post, pre]``, signed weight codes, -127 to 127.
    gain, shift :
        The node moves by ``gain / 2^shift`` LSB per unit of ``sum(x * w)``; 0 to 65535 and 0 to 63.
    code_max :
        Largest output code, 1 to 255.
    offset_trim, gain_trim :
        Signed trim codes, -128 to 127, one for all neurons or ``[post]``; 0 changes nothing.
    noise_seed :
        Seed of the thermal noise, 0 to 2^128 - 1; arrays of one chip need different seeds.
    evaluation_time :
        How long the lines settle before the converter looks [s]; infinite: until they have.

    Raises ValueError for codes out of range and shapes that do not fit ``draw``.
    """

    def __init__(
        self,
        parameters: "MixedSignalNeuronParameters",
        draw: MixedSignalNeuronDraw,
        *,
        weights: ArrayLike,
        gain: int,
        shift: int,
        code_max: int,
        offset_trim: ArrayLike = 0,
        gain_trim: ArrayLike = 0,
        noise_seed: int,
        evaluation_time: float = math.inf,
    ) -> None:
        self.parameters = parameters
        self.n_neurons, self.n_axons = draw.n_neurons, draw.n_axons
        gain = checked_whole(_WHERE, "gain", gain, 0, GAIN_MAX)
        shift = checked_whole(_WHERE, "shift", shift, 0, _SHIFT_MAX)
        self._code_max = checked_whole(_WHERE, "code_max", code_max, 1, INPUT_LEVELS - 1)
        self._noise_seed = checked_whole(_WHERE, "noise_seed", noise_seed, 0, (1 << 128) - 1)
        shape = (self.n_neurons, self.n_axons)
        codes = checked_codes(_WHERE, "weights", weights, -WEIGHT_MAX, WEIGHT_MAX, shape)
        self._magnitudes = np.abs(codes.astype(np.int64))
        self._loads = self._magnitudes.astype(np.float64)
        self._weights = effective_weights(codes, draw.bit_error)
        unit_variance = np.rint(parameters.weight_flicker * _FLICKER_GRID)
        self._flicker_units = unit_variance[self._magnitudes]
        self._inputs = effective_inputs(
            parameters.settled_fraction(self.n_neurons, evaluation_time) * parameters.mirror_gain
        )
        largest = self._inputs.max() * np.abs(self._weights).sum(axis=1).max()
        if largest >= _EXACT:
            grid = self._inputs.max() * 2.0**GRID_BITS
            raise ValueError(
                f"mixed-signal bank: a neuron's sum of weight magnitudes must be below "
                f"{_EXACT / grid:.0f} LSB, got {largest / grid:.0f} LSB"
            )
        self._lsb = parameters.lsb(self._code_max)
        self._scale = gain * 2.0 ** -(GRID_BITS + INPUT_GRID_BITS + shift)
        self._step_gain = gain * 2.0**-shift  # LSB of level per unit of sum(x * w)
        self._loading = parameters.output_conductance * self._step_gain * self._lsb
        self._draw = draw
        self._trim(offset_trim, gain_trim)
        seed, n_neurons = self._noise_seed, self.n_neurons
        decades = n_decades(parameters.step_rate, parameters.flicker_floor)
        self._fast = DrawnAhead(lambda first, count: step_normals(seed, first, count, n_neurons))
        self._slow = DrawnAhead(lambda first, count: drift_normals(seed, first, count, n_neurons, decades))
        self._converter = DrawnAhead(
            lambda first, count: step_normals(seed, first, count, n_neurons, stream=1)
        )

    @property
    def offset(self) -> NDArray[np.float64]:
        """Offset of each neuron: of pair, droop, trim and converter, ``[post]`` [LSB]."""
        offset: NDArray[np.float64] = self._offset + self._draw.adc_offset / self._lsb
        return offset

    @property
    def gain_error(self) -> NDArray[np.float64]:
        """Relative error of each neuron's current-to-voltage gain, trim included, ``[post]``."""
        error: NDArray[np.float64] = self._neuron_gain - 1
        return error

    def with_trims(self, *, offset_trim: ArrayLike, gain_trim: ArrayLike) -> "MixedSignalNeuronBank":
        """Return the same array with other trim codes; it shares all else with this one."""
        bank = copy.copy(self)
        bank._trim(offset_trim, gain_trim)
        return bank

    def _trim(self, offset_trim: ArrayLike, gain_trim: ArrayLike) -> None:
        p, draw = self.parameters, self._draw
        offset_codes = _trim_codes("offset_trim", offset_trim, self.n_neurons)
        gain_codes = _trim_codes("gain_trim", gain_trim, self.n_neurons)
        self._neuron_gain = (1 + draw.gain_error) * (1 + gain_codes * p.gain_trim_step)
        self._offset = (draw.offset + offset_codes * p.offset_trim_step - p.droop * draw.leak) / self._lsb
        self._trim_codes = int(np.abs(offset_codes).sum() + np.abs(gain_codes).sum())

    def evaluate(self, input_codes: NDArray[np.integer], first_step: int = 0) -> MixedSignalEvaluation:
        """Evaluate the neurons in each time step; step t of the batch is time step ``first_step + t``.

        ``input_codes[step, pre]`` are 0 to 255. The result of a step does not depend on the batch it is in.
        """
        inputs = self._checked_inputs(input_codes)
        first_step = checked_whole(_WHERE, "first_step", first_step, 0, STEP_MAX)
        level = self._signal(inputs)
        level += self._offset
        self._add_noise(level, inputs, first_step)
        activated = saturate(level, self.parameters.linear_range / self._lsb)
        return MixedSignalEvaluation(
            codes=self._convert(activated, first_step),
            node_voltage=level * self._lsb,
            adc_voltage=activated * self._lsb,
        )

    def _signal(self, inputs: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return what the cells' currents move each node by, ``[step, post]`` [LSB]."""
        level: NDArray[np.float64] = sum_products(inputs, self._weights, self._inputs) * self._scale
        level *= self._neuron_gain
        if self._loading:
            level /= 1 + self._loading * sum_products(inputs, self._loads)
        return level

    def _add_noise(self, level: NDArray[np.float64], inputs: NDArray[np.uint8], first_step: int) -> None:
        """Add thermal and flicker noise to ``level`` [LSB]."""
        p = self.parameters
        fast_band, slow_band = p.flicker_bands
        cells: NDArray[np.float64] | float = 0.0
        if p.cell_flicker:
            squares = sum_products(inputs, self._flicker_units, _SQUARES) / _FLICKER_GRID
            cells = p.cell_flicker * self._step_gain**2 * squares
        pair = p.pair_flicker / self._lsb**2
        white = p.noise_variance / self._lsb**2 + p.ladder_noise_variance(self.n_axons) * self._step_gain**2
        fast = np.sqrt(white + fast_band * (pair + cells))
        if np.any(fast):
            level += fast * self._fast(first_step, len(level))
        slow = np.sqrt(slow_band * (pair + cells))
        if np.any(slow):
            level += slow * self._slow(first_step, len(level))

    def _convert(self, level: NDArray[np.float64], first_step: int) -> NDArray[np.int64]:
        p, draw = self.parameters, self._draw
        level = level + draw.adc_offset / self._lsb
        noise = p.adc_factor * p.adc_noise / self._lsb
        if noise:
            level += noise * self._converter(first_step, len(level))
        if not p.adc_factor:
            return adc.convert(level, self._code_max)
        if p.adc_kind == "ramp":
            return adc.convert_ramp(level, draw.adc_step_error, self._code_max)
        return adc.convert_sar(level, draw.adc_bit_error, self._code_max)

    def energy(self, input_codes: NDArray[np.integer], *, evaluation_time: float) -> dict[str, float]:
        """Return the energy [J] of the given steps by item of :data:`analog_models.charge.ITEMS`.

        ``input_codes[step, pre]`` went in, and the currents flowed for ``evaluation_time`` [s] in each step.
        Leakage, weight memory and digital control are not in it.
        """
        inputs = self._checked_inputs(input_codes)
        if not 0 < evaluation_time < math.inf:
            raise ValueError(
                f"mixed-signal bank: evaluation_time must be above 0 s and finite, got {evaluation_time}"
            )
        p = self.parameters
        n_conversions = len(inputs) * self.n_neurons
        axon_drive = inputs.sum(axis=0, dtype=np.int64) / INPUT_LEVELS  # full-scale steps, [pre]
        copied = np.arange(INPUT_LEVELS) * p.conducted_fraction(self.n_neurons, evaluation_time)  # [code]
        cell_drive = copied[inputs].sum(axis=0) / INPUT_LEVELS  # what of them the cells copy, [pre]
        drained = p.cell.drawn[self._magnitudes] - self._magnitudes  # at full input [LSB], [post, pre]
        axon_units = np.abs(self._weights).sum(axis=0) / 2.0**GRID_BITS + drained.sum(axis=0)
        axon_bits = np.bitwise_count(self._magnitudes).sum(axis=0)  # set bits, [pre]
        uses = np.bincount(inputs.ravel(), minlength=INPUT_LEVELS)  # how often each input code came, [code]
        # Without drivers the inputs' own currents charge the lines.
        driven_swing = float(uses @ p.line_swing) if p.line_time_constant else 0.0
        node_swing = np.minimum(np.abs(self._signal(inputs)) * self._lsb, p.supply)

        def flowing(current: float) -> float:
            return bias_energy(p.supply, current, evaluation_time)

        return {
            "input_dac": flowing(p.input_current * float(axon_drive.sum())),
            "mdac_gate": capacitor_energy(p.supply, p.line_capacitance(self.n_neurons), driven_swing),
            "line_driver": flowing(p.line_driver_current(self.n_neurons) * int(np.count_nonzero(inputs))),
            "mdac_bias": flowing(p.cell_current * float(cell_drive @ axon_units)),
            "mdac_charge": capacitor_energy(
                p.supply, 2 / 3 * p.leg_capacitance, p.supply * float(axon_drive @ axon_bits)
            ),
            "activation_bias": flowing(p.pair_current * n_conversions),
            "trim": flowing(p.trim_current * self._trim_codes * len(inputs)),
            "reset": capacitor_energy(p.supply, p.node_capacitance, float(node_swing.sum())),
            "adc": p.conversion_energy(self._code_max, self.n_neurons) * n_conversions,
        }

    def _checked_inputs(self, input_codes: NDArray[np.integer]) -> NDArray[np.uint8]:
        inputs = checked_steps(_WHERE, "input_codes", input_codes, INPUT_LEVELS - 1, self.n_axons)
        return inputs.astype(np.uint8, copy=False)


def _trim_codes(name: str, values: ArrayLike, n_neurons: int) -> NDArray[np.int64]:
    """Return trim codes ``[post]``; one number stands for all neurons."""
    codes = np.full(n_neurons, values) if np.ndim(values) == 0 else values
    return checked_codes(_WHERE, name, codes, _TRIM_MIN, _TRIM_MAX, (n_neurons,)).astype(np.int64)
