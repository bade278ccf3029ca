"""The mixed-signal neuron: codes in, currents summed on a wire, codes out.

Parameters describe a design, a draw one manufactured array, a bank that array with weights and trims in it::

    draw = parameters.draw(n_neurons, n_axons, rng)
    bank = parameters.bank(draw, weights=weights, gain=gain, shift=shift, code_max=255, noise_seed=seed)
    evaluation = bank.evaluate(input_codes)

One evaluation, for every neuron at once (in the spirit of Chatterjee et al., ICRC 2017, whose circuit is not
public):

1. Each axon's line settles to the current of its input, :mod:`analog_models.settling`.
2. The MDAC cells multiply and the wires add: ``acc = sum(x * w_eff)``, :mod:`analog_models.mdac`. The cells'
   flicker noise is in the sum, :mod:`analog_models.flicker`.
3. The summing node turns the current into ``gain / 2^shift`` LSB per unit of ``acc``, times each neuron's own
   gain error and trim, less what the cells' output conductance takes. It carries sampled thermal noise,
   :mod:`analog_models.noise`, and droops while it is held.
4. The activation pair adds its offset, trim and flicker noise and saturates, :mod:`analog_models.activation`.
5. The ADC rounds and clips, which also rectifies, with its own errors, :mod:`analog_models.adc`.

With ideal parameters the code is ``clamp((acc * gain + 2^(shift-1)) >> shift, 0, code_max)``, exactly. To
keep that exact the signal is held in LSB and turned into volts only for show. Whatever the batch, a step's
result has the same bits: sums are exact, noise is addressed by the step's number, all else is elementwise.
"""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import adc
from .activation import linear_range
from .bank import MixedSignalEvaluation, MixedSignalNeuronBank
from .charge import gate_swing
from .device import off_current, specific_current, thermal_voltage, transconductance_efficiency
from .draw import MixedSignalNeuronDraw
from .flicker import gate_power
from .mdac import INPUT_LEVELS, TOPOLOGIES, WEIGHT_MAX, Topology
from .mismatch import capacitor_sigma, current_sigma, draw_relative_error, pair_offset_sigma
from .noise import thermal_variance
from .process import GENERIC_65, Process
from .quantity import check_quantities, choice, quantity
from .settling import DiodeLine, driver_current, driver_fractions

__all__ = [
    "MixedSignalEvaluation",
    "MixedSignalNeuronBank",
    "MixedSignalNeuronDraw",
    "MixedSignalNeuronParameters",
]


_DRIVER_IC = 1.0
"""Inversion coefficient of a line's driver: the middle of moderate inversion, fast for its current [A]."""

_CONDUCTANCE_LENGTH = 0.2e-6
"""Gate length for which a process states its output conductance [m]."""

_HOLD_LENGTH = 0.06e-6
"""Gate length of the switches that hold a node [m]: the shortest of a 65 nm process."""


@dataclass(frozen=True, kw_only=True)
class MixedSignalNeuronParameters:
    """A design of the mixed-signal neuron; each field's unit, bounds and source are in its metadata.

    A field named ``..._factor`` scales one flaw; 0 switches it off. The defaults make a neuron whose flaws
    show but do not ruin a small classifier: 1 um^2 per unit transistor gives 9 % per unit and 1 LSB at the
    largest weight; 80 fF give 0.5 LSB of noise at a full scale of 0.2 V; a pair of 20 um^2 gives 1 LSB of
    offset; degeneration leaves 3 % compression at full scale.
    """

    process: Process = GENERIC_65
    topology: str = choice("full_binary", TOPOLOGIES, "structure of a cell")
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
    ladder_capacitance: float = quantity(
        2e-15, "F", 1e-17, 1e-12, "unit capacitor of a C-2C ladder", "1 um^2: 0.6 % mismatch [A]"
    )
    mismatch_factor: float = quantity(
        1.0, "", 0, 10, "scales cell and gain spread; 0: none", "as computed [D]"
    )
    conductance_factor: float = quantity(
        1.0, "", 0, 10, "scales output conductance; 0: none", "no cascode: as computed [D]"
    )

    input_current: float = quantity(
        1e-6, "A", 1e-12, 1e-2, "input DAC's full-scale current", "as a full cell [A]"
    )
    line_time_constant: float = quantity(
        5e-9,
        "s",
        0,
        1e-3,
        "of the lines' drivers; 0: none, diodes drive",
        "half an LSB in 40 ns [D]",
    )
    settling_factor: float = quantity(
        1.0, "", 0, 10, "scales the lines' time constants; 0: settled at once", "as computed [D]"
    )

    node_capacitance: float = quantity(
        80e-15, "F", 1e-16, 1e-9, "summing node's capacitance", "0.5 LSB of noise [A]"
    )
    node_full_scale: float = quantity(
        0.2, "V", 1e-3, 3.6, "node swing of all output codes", "fits a degenerated pair [A]"
    )
    gain_sigma: float = quantity(
        0.01, "", 0, 0.5, "spread of current-to-voltage gain", "small capacitors [R]"
    )
    gain_trim_step: float = quantity(
        2.0**-10, "", 0, 2.0**-7, "gain change per trim code", "127 codes: 12 % [A]"
    )
    noise_factor: float = quantity(
        3.0, "", 0, 100, "noise power over kT/C; 0: none", "2 to 6, physics of mirrors [D]"
    )
    node_bandwidth: float = quantity(
        50e6, "Hz", 1e3, 1e11, "bandwidth in which flicker noise is seen", "settles in a few ns [A]"
    )
    step_rate: float = quantity(
        1e6, "Hz", 1e-3, 1e10, "time steps per second: slower flicker drifts", "70 cycles at 100 MHz [A]"
    )
    flicker_floor: float = quantity(
        1.0, "Hz", 1e-6, 1e9, "slower flicker is calibrated away", "calibrated once a second [A]"
    )
    flicker_factor: float = quantity(1.0, "", 0, 1e4, "scales flicker power; 0: none", "as computed [D]")

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
    offset_factor: float = quantity(1.0, "", 0, 10, "scales offset spread; 0: none", "as computed [D]")
    offset_trim_step: float = quantity(
        50e-6, "V", 0, 0.1, "offset shift per trim code", "127 codes: 8 sigma [A]"
    )
    trim_current: float = quantity(1e-9, "A", 0, 1e-5, "trim DAC's current per code", "0.1 % of the tail [A]")

    hold_width: float = quantity(
        0.2e-6, "m", 50e-9, 1e-4, "width of a switch that holds a node", "a narrow one [A]"
    )
    hold_threshold: float = quantity(
        500.0, "", 1, 1e6, "how much less the switch leaks than a fast device", "LP 0.1, GP 50 nA/um [D]"
    )
    hold_time: float = quantity(
        80e-9, "s", 0, 1, "how long a node is held for the converter", "8 cycles at 100 MHz [A]"
    )
    droop_factor: float = quantity(1.0, "", 0, 1e4, "scales droop of a held node; 0: none", "as computed [D]")

    adc_kind: str = choice("sar", adc.KINDS, "kind of converter")
    adc_energy: float = quantity(
        2.7e-12, "J", 0, 1e-9, "SAR's 8-bit conversion", "SAR, 1.8-3.6 pJ, Jia JSSC 2020 [S]"
    )
    adc_noise: float = quantity(0.1e-3, "V", 0, 0.1, "converter's own noise", "an eighth of an LSB [A]")
    adc_offset_sigma: float = quantity(
        0.2e-3, "V", 0, 0.1, "spread of the converters' offsets", "a quarter LSB: auto-zeroed [A]"
    )
    adc_unit_capacitance: float = quantity(
        1e-15, "F", 1e-17, 1e-12, "unit of the SAR's DAC, or of the ramp's staircase", "0.85 % mismatch [A]"
    )
    adc_factor: float = quantity(
        1.0, "", 0, 10, "scales converters' noise, offset and INL; 0: none", "as computed [D]"
    )
    ramp_clock: float = quantity(
        1e9, "Hz", 1e3, 1e11, "steps of the staircase per second", "256 ns for 8 bits [A]"
    )
    ramp_comparator_current: float = quantity(
        1e-6, "A", 1e-12, 1e-2, "bias of a ramp converter's comparator", "as the activation pair [A]"
    )
    ramp_flip_flop_energy: float = quantity(
        5.4e-15, "J", 0, 1e-12, "a flip-flop's clock energy in the counter", "ngspice, PTM 65 nm, 1.0 V [M]"
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
        """Return a design without any flaw: every factor 0 and a linear pair, but for ``overrides``."""
        flaws = ("mismatch", "noise", "offset", "settling", "flicker", "conductance", "droop", "adc")
        off: dict[str, Any] = {f"{flaw}_factor": 0.0 for flaw in flaws}
        return cls(**({"degeneration": math.inf} | off | overrides))

    @property
    def cell(self) -> Topology:
        """Structure of a cell."""
        return TOPOLOGIES[self.topology]

    @property
    def unit_ic(self) -> float:
        """Inversion coefficient of a unit transistor of one LSB at full-scale input."""
        square = specific_current(self.process, self.unit_width, self.unit_length, self.temperature)
        return self.unit_current / square

    @property
    def unit_gm_over_id(self) -> float:
        """gm/I of a unit transistor at full-scale input [1/V]."""
        return transconductance_efficiency(self.process, self.unit_ic, self.temperature)

    @property
    def sigma_units(self) -> NDArray[np.float64]:
        """Relative deviation of a unit of each of a cell's devices, ``[device]``.

        Of a transistor's current, at what it carries at full-scale input; or of a C-2C ladder's capacitance.
        """
        if self.cell.is_charge:
            sigma = capacitor_sigma(self.process, self.ladder_capacitance)
            return np.full(len(self.cell.devices), self.mismatch_factor * sigma)
        area = self.unit_width * self.unit_length
        sigmas = self.cell.current_sigmas(self.process, area, self.unit_ic, self.temperature)
        return self.mismatch_factor * sigmas

    @property
    def sigma_unit(self) -> float:
        """Relative deviation of a unit of 1 LSB, the worst of a cell."""
        return float(self.sigma_units.max())

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

    @property
    def cell_current(self) -> float:
        """Static current of a cell per LSB of weight at full-scale input [A]; none for capacitors."""
        return 0.0 if self.cell.is_charge else self.unit_current

    @property
    def leg_capacitance(self) -> float:
        """Capacitance of a C-2C ladder's leg [F]; none for transistors."""
        return self.ladder_capacitance if self.cell.is_charge else 0.0

    @property
    def line_swing(self) -> NDArray[np.float64]:
        """Gate voltage of an axon's line for each input code, ``[code]`` [V]; none for capacitors."""
        if self.cell.is_charge:
            return np.zeros(INPUT_LEVELS)
        full_scale_ic = self.cell.gate_lsbs * self.unit_ic
        return gate_swing(self.process, full_scale_ic, INPUT_LEVELS, self.temperature)

    def line_capacitance(self, n_neurons: int) -> float:
        """Return the capacitance of the gates on an axon's line [F]: those of all its cells."""
        gate = self.unit_width * self.unit_length * self.process.gate_capacitance
        return n_neurons * self.cell.gate_units * gate

    def diode_line(self, n_neurons: int) -> DiodeLine:
        """Return an axon's line without a driver; the diode's gates are taken to be as many as a cell's."""
        return DiodeLine.create(
            self.line_swing,
            slope_factor=self.process.slope_factor,
            thermal_voltage=thermal_voltage(self.temperature),
            full_scale=self.input_current,
            capacitance=self.line_capacitance(n_neurons + 1),
        )

    def line_driver_current(self, n_neurons: int) -> float:
        """Return the bias current of the driver of an axon's line [A]; it is in moderate inversion."""
        if not self.line_time_constant:
            return 0.0
        gm_over_id = transconductance_efficiency(self.process, _DRIVER_IC, self.temperature)
        return driver_current(self.line_capacitance(n_neurons), self.line_time_constant, gm_over_id)

    def settled_fraction(self, n_neurons: int, time: float) -> NDArray[np.float64]:
        """Return which part of each input code arrives in ``time`` [s], ``[code]``; all of it for ever."""
        if not time > 0:
            raise ValueError(f"mixed-signal bank: evaluation_time must be above 0 s, got {time}")
        if self.cell.is_charge or not self.settling_factor or math.isinf(time):
            return np.ones(INPUT_LEVELS)
        time /= self.settling_factor
        if self.line_time_constant:
            slope = self.process.slope_factor * thermal_voltage(self.temperature)
            return driver_fractions(self.line_swing, self.line_time_constant, slope, time)
        return self.diode_line(n_neurons).settled(time)

    def conducted_fraction(self, n_neurons: int, time: float) -> NDArray[np.float64]:
        """Return which part of each input's charge of ``time`` [s] the cells copy, ``[code]``.

        Without a driver the line keeps some of it. A driver brings the line's charge itself, and the cells'
        current while it settles counts in full.
        """
        if self.cell.is_charge or self.line_time_constant or not self.settling_factor:
            return np.ones(INPUT_LEVELS)
        return self.diode_line(n_neurons).conducted(time / self.settling_factor)

    def ladder_noise_variance(self, n_axons: int) -> float:
        """Return the sampled noise power of a wire of C-2C ladders, each 2C, in units of ``sum(x * w)``.

        The wire moves by ``V_dd / (256 * 128 * n_axons)`` per unit. 0 for cells of transistors.
        """
        if not self.cell.is_charge:
            return 0.0
        wire = thermal_variance(2 * self.ladder_capacitance * n_axons, self.noise_factor, self.temperature)
        return wire * (INPUT_LEVELS * (WEIGHT_MAX + 1) * n_axons / self.supply) ** 2

    @property
    def _weak_gm_over_id(self) -> float:
        return transconductance_efficiency(self.process, 0.0, self.temperature)

    @property
    def output_conductance(self) -> float:
        """Output conductance of a mirror over its current [1/V]; none for capacitors."""
        if self.cell.is_charge:
            return 0.0
        length = _CONDUCTANCE_LENGTH / self.unit_length
        return self.conductance_factor * self.process.output_conductance * length

    @property
    def mirror_gain(self) -> NDArray[np.float64]:
        """Gain of a mirror over that at full scale, ``[code]``: its diode's drain follows its gate."""
        swing = self.line_swing
        gain: NDArray[np.float64] = 1 + self.output_conductance * (swing[-1] - swing)
        return gain

    @property
    def cell_flicker(self) -> float:
        """Flicker power of the current of a unit of 1 LSB, relative, per e-fold of frequency."""
        if self.cell.is_charge:
            return 0.0
        power = gate_power(self.process, self.unit_width * self.unit_length)
        return self.flicker_factor * power * self.unit_gm_over_id**2

    @property
    def weight_flicker(self) -> NDArray[np.float64]:
        """Flicker power of a weight over that of a unit's current, ``[magnitude]`` [LSB^2]."""
        efficiencies = self.cell.gm_over_ids(self.process, self.unit_ic, self.temperature)
        return self.cell.weight_variance(efficiencies / self.unit_gm_over_id)

    @property
    def pair_flicker(self) -> float:
        """Flicker power of the activation pair's two inputs per e-fold of frequency [V^2]."""
        return self.flicker_factor * 2 * gate_power(self.process, self.pair_width * self.pair_length)

    @property
    def flicker_bands(self) -> tuple[float, float]:
        """E-folds of frequency that are new in each step, and that drift."""
        fast = math.log(self.node_bandwidth / self.step_rate)
        slow = math.log(self.step_rate / self.flicker_floor)
        return max(0.0, fast), max(0.0, slow)

    @property
    def droop(self) -> float:
        """How far a held node falls by the leakage of one nominal switch [V]."""
        leakage = off_current(self.process, self.hold_width, self.temperature) / self.hold_threshold
        return self.droop_factor * leakage * self.hold_time / self.node_capacitance

    @property
    def hold_sigma(self) -> float:
        """Deviation of the exponent of a holding switch's leakage."""
        area = self.hold_width * _HOLD_LENGTH
        return self.droop_factor and current_sigma(self.process, area, self._weak_gm_over_id)

    def conversion_energy(self, code_max: int, n_neurons: int) -> float:
        """Return the energy of one neuron's conversion to 0..``code_max`` [J]."""
        if self.adc_kind == "sar":
            return self.adc_energy * adc.decisions(code_max) / adc.REFERENCE_BITS
        return adc.ramp_energy(
            code_max,
            n_neurons,
            supply=self.supply,
            comparator_current=self.ramp_comparator_current,
            clock=self.ramp_clock,
            flip_flop_energy=self.ramp_flip_flop_energy,
        )

    def lsb(self, code_max: int = 255) -> float:
        """Return the node voltage of one output code [V]: the full scale spans ``code_max + 1`` codes."""
        return self.node_full_scale / (code_max + 1)

    @property
    def voltages(self) -> tuple[str, ...]:
        """Names of the voltages of an evaluation."""
        return ("node_voltage", "adc_voltage")

    def derived(self, code_max: int = 255) -> dict[str, float]:
        """Return what a designer wants to see; the unit is the end of the name, voltages also come in LSB."""
        lsb = self.lsb(code_max)

        def both(name: str, voltage: float) -> dict[str, float]:
            return {f"{name}_v": voltage, f"{name}_lsb": voltage / lsb}

        return {
            "full_scale_v": self.node_full_scale,
            "lsb_v": lsb,
            "noise_variance_v2": self.noise_variance,
            **both("noise_sigma", self.noise_sigma),
            **both("offset_sigma", self.offset_sigma),
            **both("flicker_sigma", math.sqrt(self.pair_flicker * sum(self.flicker_bands))),
            **both("converter_noise_sigma", self.adc_factor * self.adc_noise),
            **both("converter_offset_sigma", self.adc_factor * self.adc_offset_sigma),
            **both("droop", self.droop),
            "sigma_unit": self.sigma_unit,
            "sigma_full_scale_weight_lsb": math.sqrt(self.cell.weight_variance(self.sigma_units)[-1]),
            "unit_inversion_coefficient": self.unit_ic,
            "unit_gm_over_id_per_v": self.unit_gm_over_id,
            "linear_range_v": self.linear_range,
        }

    def draw(self, n_neurons: int, n_axons: int, rng: np.random.Generator) -> MixedSignalNeuronDraw:
        """Return one manufactured array. Advances ``rng`` by the same amount whatever the parameters."""
        for name, count in (("n_neurons", n_neurons), ("n_axons", n_axons)):
            if count < 1:
                raise ValueError(f"mixed-signal draw: {name} must be at least 1, got {count}")
        later = rng.spawn(1)[0]  # so that what is drawn below leaves what was always drawn as it was
        adc_sigma = self.adc_factor * capacitor_sigma(self.process, self.adc_unit_capacitance)
        bit_units = np.left_shift(1, np.arange(adc.BITS))
        return MixedSignalNeuronDraw(
            leak=np.subtract(*np.exp(self.hold_sigma * later.standard_normal((2, n_neurons)))),
            adc_offset=self.adc_factor * self.adc_offset_sigma * later.standard_normal(n_neurons),
            adc_bit_error=adc_sigma / np.sqrt(bit_units) * later.standard_normal((n_neurons, adc.BITS)),
            adc_step_error=adc_sigma * later.standard_normal((1 << adc.BITS) - 1),
            offset=self.offset_sigma * rng.standard_normal(n_neurons),
            gain_error=draw_relative_error(self.mismatch_factor * self.gain_sigma, (n_neurons,), rng),
            bit_error=self.cell.draw_bit_error(self.sigma_units, (n_neurons, n_axons), rng),
        )

    def bank(
        self,
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
    ) -> MixedSignalNeuronBank:
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
            evaluation_time=evaluation_time,
        )
