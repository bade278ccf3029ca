"""The mixed-signal neuron: codes in, currents summed on a wire, codes out.

Parameters describe a design, a draw one manufactured array, a bank that array with weights and trims in it::

    draw = parameters.draw(n_neurons, n_axons, rng)
    bank = parameters.bank(draw, weights=weights, gain=gain, shift=shift, code_max=255, noise_seed=seed)
    evaluation = bank.evaluate(input_codes)

One evaluation, for every neuron at once (in the spirit of Chatterjee et al., ICRC 2017, whose circuit is not
public):

1. The MDAC cells multiply and the wires add: ``acc = sum(x * w_eff)``, :mod:`analog_models.mdac`.
2. The summing node turns the current into ``gain / 2^shift`` LSB per unit of ``acc``, times each neuron's own
   gain error and trim. It carries sampled thermal noise, :mod:`analog_models.noise`.
3. The activation pair adds its offset and trim, and saturates, :mod:`analog_models.activation`.
4. The ADC rounds and clips, which also rectifies, :mod:`analog_models.adc`.

With ideal parameters the code is ``clamp((acc * gain + 2^(shift-1)) >> shift, 0, code_max)``, exactly. To
keep that exact the signal is held in LSB and turned into volts only for show. Whatever the batch, a step's
result has the same bits: sums are exact, noise is addressed by the step's number, all else is elementwise.
"""

import copy
import math
import operator
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import adc
from .activation import linear_range, saturate
from .charge import bias_energy, capacitor_energy, gate_swing
from .device import specific_current, transconductance_efficiency
from .mdac import (
    GRID_BITS,
    INPUT_LEVELS,
    MAGNITUDE_BITS,
    WEIGHT_MAX,
    bit_sigma,
    effective_weights,
    sum_products,
)
from .mismatch import current_sigma, draw_relative_error, pair_offset_sigma
from .noise import step_normals, thermal_variance
from .process import GENERIC_65, Process
from .quantity import check_quantities, quantity

__all__ = [
    "MixedSignalEvaluation",
    "MixedSignalNeuronBank",
    "MixedSignalNeuronDraw",
    "MixedSignalNeuronParameters",
]

_GAIN_MAX = (1 << 16) - 1
_SHIFT_MAX = 63
_TRIM_MIN, _TRIM_MAX = -128, 127
_STEP_MAX = (1 << 63) - 1
_EXACT = 2.0**53  # float64 holds every whole number up to here
_DRAW_ARRAYS = ("bit_error", "gain_error", "offset")


@dataclass(frozen=True, kw_only=True)
class MixedSignalNeuronParameters:
    """A design of the mixed-signal neuron; each field's unit, bounds and source are in its metadata.

    The defaults make a neuron whose flaws show but do not ruin a small classifier: 1 um^2 per unit transistor
    gives 9 % per unit and 1 LSB at the largest weight; 80 fF give 0.5 LSB of noise at a full scale of 0.2 V;
    a pair of 20 um^2 gives 1 LSB of offset; degeneration leaves 3 % compression at full scale.
    """

    process: Process = GENERIC_65
    temperature: float = quantity(300.0, "K", 200, 450, "junction temperature", "room temperature [A]")
    supply: float = quantity(1.0, "V", 0.2, 3.6, "analog supply", "65 nm core supply [A]")
    unit_width: float = quantity(
        1e-6, "m", 50e-9, 100e-6, "gate width of an MDAC unit", "1 um^2: 9 % mismatch [A]"
    )
    unit_length: float = quantity(
        1e-6, "m", 50e-9, 100e-6, "gate length of an MDAC unit", "1 um^2: 9 % mismatch [A]"
    )
    unit_current: float = quantity(
        8e-9, "A", 1e-12, 1e-4, "MDAC unit's current at full input", "1 uA per full cell [A]"
    )
    input_current: float = quantity(
        1e-6, "A", 1e-12, 1e-2, "input DAC's full-scale current", "as a full cell [A]"
    )
    node_capacitance: float = quantity(
        80e-15, "F", 1e-16, 1e-9, "summing node's capacitance", "0.5 LSB of noise [A]"
    )
    node_full_scale: float = quantity(
        0.2, "V", 1e-3, 3.6, "node swing of all output codes", "fits a degenerated pair [A]"
    )
    noise_factor: float = quantity(
        3.0, "", 0, 100, "noise power over kT/C; 0: none", "2 to 6, physics of mirrors [D]"
    )
    pair_width: float = quantity(
        10e-6, "m", 50e-9, 1e-3, "gate width in the activation pair", "1 LSB of offset [A]"
    )
    pair_length: float = quantity(
        2e-6, "m", 50e-9, 1e-3, "gate length in the activation pair", "1 LSB of offset [A]"
    )
    pair_current: float = quantity(
        1e-6, "A", 1e-12, 1e-2, "activation pair's tail current", "weak inversion [A]"
    )
    degeneration: float = quantity(
        8.0, "", 1, math.inf, "linear range over a plain pair's", "3 % compression [A]"
    )
    gain_sigma: float = quantity(
        0.01, "", 0, 0.5, "spread of current-to-voltage gain", "small capacitors [R]"
    )
    mismatch_factor: float = quantity(
        1.0, "", 0, 10, "scales cell and gain spread; 0: none", "as computed [D]"
    )
    offset_factor: float = quantity(1.0, "", 0, 10, "scales offset spread; 0: none", "as computed [D]")
    offset_trim_step: float = quantity(
        50e-6, "V", 0, 0.1, "offset shift per trim code", "127 codes: 8 sigma [A]"
    )
    gain_trim_step: float = quantity(
        2.0**-10, "", 0, 2.0**-7, "gain change per trim code", "127 codes: 12 % [A]"
    )
    trim_current: float = quantity(1e-9, "A", 0, 1e-5, "trim DAC's current per code", "0.1 % of the tail [A]")
    adc_energy: float = quantity(
        2.7e-12, "J", 0, 1e-9, "8-bit conversion", "SAR, 1.8-3.6 pJ, Jia JSSC 2020 [S]"
    )

    def __post_init__(self) -> None:
        check_quantities(self, "mixed-signal neuron")
        if self.node_full_scale > self.supply:
            raise ValueError(
                f"mixed-signal neuron: node_full_scale must be at most the supply, {self.supply:g} V, "
                f"got {self.node_full_scale:g} V"
            )

    @classmethod
    def ideal(cls, **overrides: Any) -> Self:
        """Return a design without mismatch, noise, offset or compression, but for ``overrides``."""
        return replace(
            cls(mismatch_factor=0, noise_factor=0, offset_factor=0, degeneration=math.inf), **overrides
        )

    @property
    def unit_ic(self) -> float:
        """Inversion coefficient of a unit transistor at full-scale input."""
        square = specific_current(self.process, self.unit_width, self.unit_length, self.temperature)
        return self.unit_current / square

    @property
    def unit_gm_over_id(self) -> float:
        """gm/I of a unit transistor at full-scale input [1/V]."""
        return transconductance_efficiency(self.process, self.unit_ic, self.temperature)

    @property
    def sigma_unit(self) -> float:
        """Relative deviation of a unit transistor's current."""
        area = self.unit_width * self.unit_length
        return self.mismatch_factor * current_sigma(self.process, area, self.unit_gm_over_id)

    @property
    def noise_variance(self) -> float:
        """Thermal noise power on the summing node [V^2]."""
        return thermal_variance(self.node_capacitance, self.noise_factor, self.temperature)

    @property
    def noise_sigma(self) -> float:
        """Thermal noise on the summing node [V rms]."""
        return math.sqrt(self.noise_variance)

    @property
    def offset_sigma(self) -> float:
        """Deviation of the activation pair's input offset [V]."""
        square = specific_current(self.process, self.pair_width, self.pair_length, self.temperature)
        gm_over_id = transconductance_efficiency(
            self.process, self.pair_current / 2 / square, self.temperature
        )
        return self.offset_factor * pair_offset_sigma(
            self.process, self.pair_width * self.pair_length, gm_over_id
        )

    @property
    def linear_range(self) -> float:
        """Voltage R of the activation ``R tanh(v/R)`` [V]; infinite when the pair never saturates."""
        return linear_range(self.process, self.degeneration, self.temperature)

    def lsb(self, code_max: int = 255) -> float:
        """Return the node voltage of one output code [V]: the full scale spans ``code_max + 1`` codes."""
        return self.node_full_scale / (code_max + 1)

    def derived(self, code_max: int = 255) -> dict[str, float]:
        """Return what a designer wants to see; the unit is the end of the name, voltages also come in LSB."""
        lsb = self.lsb(code_max)
        return {
            "full_scale_v": self.node_full_scale,
            "lsb_v": lsb,
            "noise_sigma_v": self.noise_sigma,
            "noise_variance_v2": self.noise_variance,
            "noise_sigma_lsb": self.noise_sigma / lsb,
            "offset_sigma_v": self.offset_sigma,
            "offset_sigma_lsb": self.offset_sigma / lsb,
            "sigma_unit": self.sigma_unit,
            "sigma_full_scale_weight_lsb": self.sigma_unit * math.sqrt(WEIGHT_MAX),
            "unit_inversion_coefficient": self.unit_ic,
            "unit_gm_over_id_per_v": self.unit_gm_over_id,
            "linear_range_v": self.linear_range,
        }

    def draw(self, n_neurons: int, n_axons: int, rng: np.random.Generator) -> "MixedSignalNeuronDraw":
        """Return one manufactured array. Advances ``rng`` by the same amount whatever the parameters."""
        for name, count in (("n_neurons", n_neurons), ("n_axons", n_axons)):
            if count < 1:
                raise ValueError(f"mixed-signal draw: {name} must be at least 1, got {count}")
        return MixedSignalNeuronDraw(
            offset=self.offset_sigma * rng.standard_normal(n_neurons),
            gain_error=draw_relative_error(self.mismatch_factor * self.gain_sigma, (n_neurons,), rng),
            bit_error=draw_relative_error(
                bit_sigma(self.sigma_unit), (n_neurons, n_axons, MAGNITUDE_BITS), rng
            ),
        )

    def bank(
        self,
        draw: "MixedSignalNeuronDraw",
        *,
        weights: ArrayLike,
        gain: int,
        shift: int,
        code_max: int,
        offset_trim: ArrayLike = 0,
        gain_trim: ArrayLike = 0,
        noise_seed: int,
    ) -> "MixedSignalNeuronBank":
        """Return the array ``draw`` with ``weights`` in it; the arguments are those of the bank."""
        return MixedSignalNeuronBank(
            self,
            draw,
            weights=weights,
            gain=gain,
            shift=shift,
            code_max=code_max,
            offset_trim=offset_trim,
            gain_trim=gain_trim,
            noise_seed=noise_seed,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class MixedSignalNeuronDraw:
    """What came out of the fab: one array's deviations from the design. The arrays are read-only copies.

    Parameters
    ----------
    bit_error :
        ``[post, pre, bit]``, relative error of each bit's current, 7 bits.
    gain_error :
        ``[post]``, relative error of each neuron's current-to-voltage gain.
    offset :
        ``[post]``, input offset of each activation pair [V].
    """

    bit_error: NDArray[np.float64]
    gain_error: NDArray[np.float64]
    offset: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in _DRAW_ARRAYS:
            array = np.array(getattr(self, name), dtype=np.float64)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        shape = self.bit_error.shape
        if len(shape) != 3 or shape[2] != MAGNITUDE_BITS:
            raise ValueError(
                f"mixed-signal draw: bit_error must be [post, pre, {MAGNITUDE_BITS}], got shape {shape}"
            )
        for name in ("gain_error", "offset"):
            if getattr(self, name).shape != shape[:1]:
                raise ValueError(
                    f"mixed-signal draw: {name} must have shape {shape[:1]}, got {getattr(self, name).shape}"
                )

    @property
    def n_neurons(self) -> int:
        """Number of neurons, the axis post."""
        return int(self.bit_error.shape[0])

    @property
    def n_axons(self) -> int:
        """Number of axons, the axis pre."""
        return int(self.bit_error.shape[1])

    def save(self, path: Path) -> None:
        """Write the arrays to an ``.npz`` file; the same draw always gives the same bytes."""
        with Path(path).open("wb") as file:
            np.savez(file, **{name: getattr(self, name) for name in _DRAW_ARRAYS})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote. Raises ValueError when ``path`` holds something else."""
        try:
            with Path(path).open("rb") as file, np.load(file) as arrays:
                return cls(**{name: arrays[name] for name in _DRAW_ARRAYS})
        except (KeyError, ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path}: must be a saved draw of a mixed-signal array, got {error}") from error


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
    """

    codes: NDArray[np.int64]
    node_voltage: NDArray[np.float64]


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

    Raises ValueError for codes out of range and shapes that do not fit ``draw``.
    """

    def __init__(
        self,
        parameters: MixedSignalNeuronParameters,
        draw: MixedSignalNeuronDraw,
        *,
        weights: ArrayLike,
        gain: int,
        shift: int,
        code_max: int,
        offset_trim: ArrayLike = 0,
        gain_trim: ArrayLike = 0,
        noise_seed: int,
    ) -> None:
        self.parameters = parameters
        self.n_neurons, self.n_axons = draw.n_neurons, draw.n_axons
        gain = _whole("gain", gain, 0, _GAIN_MAX)
        shift = _whole("shift", shift, 0, _SHIFT_MAX)
        self._code_max = _whole("code_max", code_max, 1, INPUT_LEVELS - 1)
        self._noise_seed = _whole("noise_seed", noise_seed, 0, (1 << 128) - 1)
        shape = (self.n_neurons, self.n_axons)
        self._weights = effective_weights(
            _codes("weights", weights, -WEIGHT_MAX, WEIGHT_MAX, shape), draw.bit_error
        )
        largest = (INPUT_LEVELS - 1) * np.abs(self._weights).sum(axis=1).max()
        if largest >= _EXACT:
            raise ValueError(
                f"mixed-signal bank: a neuron's sum of weight magnitudes must be below "
                f"{_EXACT / 2**GRID_BITS / (INPUT_LEVELS - 1):.0f} LSB, "
                f"got {largest / 2**GRID_BITS / (INPUT_LEVELS - 1):.0f} LSB"
            )
        self._lsb = parameters.lsb(self._code_max)
        self._scale = gain * 2.0 ** -(GRID_BITS + shift)
        self._draw = draw
        self._trim(offset_trim, gain_trim)

    def with_trims(self, *, offset_trim: ArrayLike, gain_trim: ArrayLike) -> "MixedSignalNeuronBank":
        """Return the same array with other trim codes; it shares all else with this one."""
        bank = copy.copy(self)
        bank._trim(offset_trim, gain_trim)
        return bank

    def _trim(self, offset_trim: ArrayLike, gain_trim: ArrayLike) -> None:
        parameters = self.parameters
        offset_codes = _trim_codes("offset_trim", offset_trim, self.n_neurons)
        gain_codes = _trim_codes("gain_trim", gain_trim, self.n_neurons)
        self._neuron_gain = (1 + self._draw.gain_error) * (1 + gain_codes * parameters.gain_trim_step)
        self._offset = (self._draw.offset + offset_codes * parameters.offset_trim_step) / self._lsb
        self._trim_codes = int(np.abs(offset_codes).sum() + np.abs(gain_codes).sum())

    def evaluate(self, input_codes: NDArray[np.integer], first_step: int = 0) -> MixedSignalEvaluation:
        """Evaluate the neurons in each time step; step t of the batch is time step ``first_step + t``.

        ``input_codes[step, pre]`` are 0 to 255. The result of a step does not depend on the batch it is in.
        """
        inputs = self._checked_inputs(input_codes)
        first_step = _whole("first_step", first_step, 0, _STEP_MAX)
        level = sum_products(inputs, self._weights) * self._scale * self._neuron_gain + self._offset
        noise = self.parameters.noise_sigma / self._lsb
        if noise:
            level += noise * step_normals(self._noise_seed, first_step, len(inputs), self.n_neurons)
        activated = saturate(level, self.parameters.linear_range / self._lsb)
        return MixedSignalEvaluation(
            codes=adc.convert(activated, self._code_max), node_voltage=level * self._lsb
        )

    def energy(
        self,
        input_codes: NDArray[np.integer],
        codes: NDArray[np.integer],
        *,
        evaluation_time: float,
    ) -> dict[str, float]:
        """Return the energy [J] of the given steps by item of :data:`analog_models.charge.ITEMS`.

        ``input_codes[step, pre]`` went in, ``codes[step, post]`` came out, and the currents flowed for
        ``evaluation_time`` [s] in each step. Whether the array settles in that time is not checked; leakage,
        weight memory and digital control are not in it.
        """
        inputs = self._checked_inputs(input_codes)
        if codes.shape != (len(inputs), self.n_neurons):
            raise ValueError(
                f"mixed-signal bank: codes must have shape {(len(inputs), self.n_neurons)}, got {codes.shape}"
            )
        if not 0 < evaluation_time < math.inf:
            raise ValueError(
                f"mixed-signal bank: evaluation_time must be above 0 s and finite, got {evaluation_time}"
            )
        p = self.parameters
        axon_drive = inputs.sum(axis=0, dtype=np.int64) / INPUT_LEVELS  # full-scale steps, [pre]
        axon_units = np.abs(self._weights).sum(axis=0) / 2.0**GRID_BITS  # switched-on units, [pre]
        line_capacitance = (
            self.n_neurons * WEIGHT_MAX * p.unit_width * p.unit_length * p.process.gate_capacitance
        )
        uses = np.bincount(inputs.ravel(), minlength=INPUT_LEVELS)  # how often each input code came, [code]
        line_swing = float(uses @ gate_swing(p.process, p.unit_ic, INPUT_LEVELS, p.temperature))

        def flowing(current: float) -> float:
            return bias_energy(p.supply, current, evaluation_time)

        return {
            "input_dac": flowing(p.input_current * float(axon_drive.sum())),
            "mdac_gate": capacitor_energy(p.supply, line_capacitance, line_swing),
            "mdac_bias": flowing(p.unit_current * float(axon_drive @ axon_units)),
            "activation_bias": flowing(p.pair_current * codes.size),
            "trim": flowing(p.trim_current * self._trim_codes * len(inputs)),
            "reset": capacitor_energy(p.supply, p.node_capacitance, p.supply) * codes.size,
            "adc": p.adc_energy * adc.decisions(self._code_max) / adc.REFERENCE_BITS * codes.size,
        }

    def _checked_inputs(self, input_codes: NDArray[np.integer]) -> NDArray[np.uint8]:
        n_steps = np.shape(input_codes)[0] if np.ndim(input_codes) else 1
        inputs = _codes("input_codes", input_codes, 0, INPUT_LEVELS - 1, (n_steps, self.n_axons))
        return inputs.astype(np.uint8, copy=False)


def _whole(name: str, value: int, low: int, high: int) -> int:
    """Return ``value`` as an int, if it is a whole number from ``low`` to ``high``."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or not low <= number <= high:
        raise ValueError(
            f"mixed-signal bank: {name} must be a whole number from {low} to {high}, got {value!r}"
        )
    return number


def _codes(name: str, values: ArrayLike, low: int, high: int, shape: tuple[int, ...]) -> NDArray[np.integer]:
    """Return ``values`` as an array, if it has ``shape`` and whole numbers from ``low`` to ``high``."""
    codes = np.asarray(values)
    if codes.shape != shape:
        raise ValueError(f"mixed-signal bank: {name} must have shape {shape}, got {codes.shape}")
    if codes.dtype.kind not in "iu":
        raise ValueError(f"mixed-signal bank: {name} must be integers, got {codes.dtype}")
    if codes.size and not (low <= codes.min() and codes.max() <= high):
        raise ValueError(
            f"mixed-signal bank: {name} must be {low} to {high}, got {codes.min()} to {codes.max()}"
        )
    return codes


def _trim_codes(name: str, values: ArrayLike, n_neurons: int) -> NDArray[np.int64]:
    """Return trim codes ``[post]``; one number stands for all neurons."""
    codes = np.full(n_neurons, values) if np.ndim(values) == 0 else values
    return _codes(name, codes, _TRIM_MIN, _TRIM_MAX, (n_neurons,)).astype(np.int64)
