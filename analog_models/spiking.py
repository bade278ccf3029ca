"""The spiking mixed-signal neuron: current sums on a membrane until a comparator fires and resets it.

Parameters describe a design, a draw one manufactured array, a bank that array with weights in it::

    draw = parameters.draw(n_neurons, n_axons, rng)
    bank = parameters.bank(draw, weights=weights, threshold=1000, step_time=10e-6, noise_seed=seed)
    run = bank.run(event_counts)
    more = bank.run(later_counts, run.state)

What a time step does to every neuron:

1. Each event opens its axon's MDAC cells for one pulse, :mod:`analog_models.mdac`; the wires add. A weight of
   one moves the membrane by one LSB: the swing from reset to threshold is ``threshold`` LSB. The charge of a
   step's events is spread evenly over the step.
2. The membrane integrates it, leaks to the reset voltage and droops, :mod:`analog_models.membrane`, in closed
   form. It cannot fall below ground.
3. Where it meets the threshold, plus the comparator's offset and noise, the comparator starts to move and
   fires after its delay, :mod:`analog_models.comparator`: a spike. The time of the crossing is solved for, so
   a step may hold any number of spikes. A clocked comparator looks at the end of each step only.
4. The switch then holds the membrane at reset for the refractory time, which may span steps, and leaves
   kT/C noise and its injected charge there as it opens.

Noise is drawn once per cycle from reset to spike and addressed by the number of that cycle: a comparator
that sees a steady ramp turns its noise into jitter of ``sigma / slope``. So how time is cut into steps or
batches does not change it. A clocked comparator draws once per decision, addressed by the number of the step.

With ideal parameters, no leak and no refractory time the neuron is an integrate-and-fire neuron in integers:
reset by subtraction when continuous, reset to zero when clocked, exactly. To keep that exact the membrane is
held in LSB, on a grid far finer than any noise.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .activation import linear_range
from .charge import bias_energy, capacitor_energy
from .codes import checked_codes, checked_whole
from .comparator import decision_delay, ramp_delay
from .device import gate_voltage, specific_current, transconductance_efficiency
from .mdac import (
    GRID_BITS,
    INPUT_LEVELS,
    MAGNITUDE_BITS,
    WEIGHT_MAX,
    bit_sigma,
    effective_weights,
    sum_products,
)
from .membrane import crossing_time, decay, effective_time, injection_step, time_constant
from .mismatch import current_sigma, draw_relative_error, pair_offset_sigma
from .noise import step_normals, thermal_variance
from .process import GENERIC_65, Process
from .quantity import check_quantities, quantity

__all__ = [
    "SPIKING_ITEMS",
    "SpikingNeuronBank",
    "SpikingNeuronDraw",
    "SpikingNeuronParameters",
    "SpikingNeuronState",
    "SpikingRun",
]

SPIKING_ITEMS = MappingProxyType(
    {
        "mdac_gate": "gate lines of the axons, once per event: V_dd C V_GS",
        "mdac_bias": "currents of the mirrors that an event opens, this chip's: V_dd I_unit |w_eff| t_pulse",
        "membrane": "what the summing mirror puts on the membrane: V_dd q_LSB times the drive above 0",
        "leak": "tail currents of the leak transconductors: V_dd g R t",
        "comparator": "tail currents of the comparators: V_dd I_tail t; clocked: C_load V_dd^2 per step",
        "spike": "outputs of the comparators, up and down once per spike: C_load V_dd^2",
        "reset": "gates of the reset switches, once per spike: C_gate V_dd^2",
    }
)
"""Every item of the energy of a step, and its equation. Without leak and droop, and when no current is lost
while the membrane is held, ``membrane`` is ``C V_dd (V_threshold - V_reset)`` per spike."""

_THRESHOLD_MAX = (1 << 31) - 1
_EXACT = 2.0**53  # float64 holds every whole number up to here
_GRID = 2.0**GRID_BITS  # membranes are whole multiples of 1/_GRID LSB, so that whole LSB stay whole
_NORMAL_MAX = 8.3  # no normal deviate made from 53 bits is larger
_ROWS = 64  # rows of noise made at once; the noise does not depend on it
_RESET, _COMPARE = 0, 1  # which deviate of a row
_DRAW_ARRAYS = ("bit_error", "capacitance_error", "leak_error", "offset")


@dataclass(frozen=True, kw_only=True)
class SpikingNeuronParameters:
    """A design of the spiking neuron; each field's unit, bounds and source are in its metadata.

    The defaults fire at some 20 kHz from a few nA: 100 fF hold 0.2 mV of reset noise and swing by 0.4 V; the
    leak's time constant is 100 us. The leak is a conductance, because its exponential is what textbooks and
    digital rivals (a shift per step) mean by leaky; what makes a leak a constant current, the reset switch's
    off-current, is ``droop_current``.
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
        1e-9, "A", 1e-12, 1e-4, "MDAC unit's current in a pulse", "pulses of 40 ns at 1000 LSB [A]"
    )
    membrane_capacitance: float = quantity(
        100e-15, "F", 1e-16, 1e-9, "membrane's capacitance", "0.2 mV of reset noise [A]"
    )
    reset_voltage: float = quantity(0.2, "V", 0, 3.6, "where reset and leak end", "saturates a mirror [A]")
    threshold_voltage: float = quantity(0.6, "V", 0, 3.6, "comparator's reference", "swing of 0.4 V [A]")
    leak_conductance: float = quantity(
        1e-9, "S", 0, 1e-3, "to the reset voltage; 0: none", "time constant of 100 us [A]"
    )
    leak_degeneration: float = quantity(
        16.0, "", 1, math.inf, "leak's linear range over a plain pair's", "3 % bent at threshold [A]"
    )
    droop_current: float = quantity(
        20e-12, "A", 0, 1e-6, "reset switch's off-current", "0.2 um at LP's 0.1 nA/um, NeuroSim [S]"
    )
    refractory_time: float = quantity(1e-6, "s", 0, 1.0, "how long reset holds the membrane", "a pulse [A]")
    reset_noise_factor: float = quantity(
        1.0, "", 0, 100, "noise power of reset over kT/C; 0: none", "a plain switch [D]"
    )
    switch_width: float = quantity(0.2e-6, "m", 50e-9, 1e-4, "reset switch's width", "near minimum [A]")
    switch_length: float = quantity(60e-9, "m", 30e-9, 1e-5, "reset switch's length", "65 nm [A]")
    switch_overlap: float = quantity(
        0.3e-9, "F/m", 0, 1e-8, "gate overlap per width, one side", "typical of 65 nm [R]"
    )
    injection_factor: float = quantity(1.0, "", 0, 10, "scales charge injection; 0: none", "as computed [D]")
    pair_width: float = quantity(4e-6, "m", 50e-9, 1e-3, "gate width in the comparator", "2 mV of offset [A]")
    pair_length: float = quantity(
        1e-6, "m", 50e-9, 1e-3, "gate length in the comparator", "2 mV of offset [A]"
    )
    comparator_current: float = quantity(
        20e-9, "A", 1e-12, 1e-3, "comparator's tail current", "0.9 us of delay at 10 mV/us [A]"
    )
    comparator_load: float = quantity(
        2e-15, "F", 0, 1e-12, "comparator's output; 0: no delay", "a gate and its wire [A]"
    )
    comparator_noise: float = quantity(
        0.35e-3, "V", 0, 0.1, "input-referred rms", "shot noise over the delay at 10 mV/us [D]"
    )
    clocked: bool = False
    """Whether the comparator decides only at the end of each step."""
    capacitance_sigma: float = quantity(0.01, "", 0, 0.5, "spread of capacitance", "small capacitors [R]")
    leak_sigma: float = quantity(0.1, "", 0, 0.5, "spread of the leak", "mirrors of 1 um^2 [D]")
    mismatch_factor: float = quantity(
        1.0, "", 0, 10, "scales spread of cells, C and leak; 0: none", "as computed [D]"
    )
    offset_factor: float = quantity(1.0, "", 0, 10, "scales offset spread; 0: none", "as computed [D]")

    def __post_init__(self) -> None:
        check_quantities(self, "spiking neuron")
        if not self.reset_voltage < self.threshold_voltage <= self.supply:
            raise ValueError(
                f"spiking neuron: threshold_voltage must be above reset_voltage, {self.reset_voltage:g} V, "
                f"and at most the supply, {self.supply:g} V, got {self.threshold_voltage:g} V"
            )

    @classmethod
    def ideal(cls, **overrides: Any) -> Self:
        """Return a design without flaws, but for ``overrides``; leak and refractory time are no flaws."""
        flawless = cls(
            droop_current=0,
            reset_noise_factor=0,
            injection_factor=0,
            comparator_load=0,
            comparator_noise=0,
            mismatch_factor=0,
            offset_factor=0,
        )
        return replace(flawless, **overrides)

    @property
    def swing(self) -> float:
        """From reset to threshold [V]."""
        return self.threshold_voltage - self.reset_voltage

    @property
    def leak_time_constant(self) -> float:
        """Time constant of the membrane [s]; infinite without leak."""
        return time_constant(self.membrane_capacitance, self.leak_conductance)

    @property
    def rheobase(self) -> float:
        """Smallest constant current that can make the neuron fire [A]."""
        return self.leak_conductance * self.swing + self.droop_current

    @property
    def leak_current(self) -> float:
        """Tail current of the leak transconductor [A]: its conductance times its linear range."""
        range_ = linear_range(self.process, self.leak_degeneration, self.temperature)
        return self.leak_conductance * range_ if self.leak_conductance else 0.0

    @property
    def reset_sigma(self) -> float:
        """Noise that reset leaves on the membrane [V rms]."""
        return math.sqrt(
            thermal_variance(self.membrane_capacitance, self.reset_noise_factor, self.temperature)
        )

    @property
    def injection(self) -> float:
        """By how much charge injection lowers the membrane after reset [V]."""
        return self.injection_factor * injection_step(
            self.process,
            width=self.switch_width,
            length=self.switch_length,
            overlap=self.switch_overlap,
            supply=self.supply,
            reset_voltage=self.reset_voltage,
            capacitance=self.membrane_capacitance,
        )

    @property
    def unit_ic(self) -> float:
        """Inversion coefficient of an MDAC unit in a pulse."""
        square = specific_current(self.process, self.unit_width, self.unit_length, self.temperature)
        return self.unit_current / square

    @property
    def sigma_unit(self) -> float:
        """Relative deviation of an MDAC unit's current."""
        gm_over_id = transconductance_efficiency(self.process, self.unit_ic, self.temperature)
        area = self.unit_width * self.unit_length
        return self.mismatch_factor * current_sigma(self.process, area, gm_over_id)

    @cached_property
    def comparator_transconductance(self) -> float:
        """Transconductance of the comparator's pair [S]."""
        return self._pair_gm_over_id * self.comparator_current / 2

    @property
    def offset_sigma(self) -> float:
        """Deviation of the comparator's input offset [V]."""
        area = self.pair_width * self.pair_length
        return self.offset_factor * pair_offset_sigma(self.process, area, self._pair_gm_over_id)

    @property
    def _pair_gm_over_id(self) -> float:
        square = specific_current(self.process, self.pair_width, self.pair_length, self.temperature)
        return transconductance_efficiency(
            self.process, self.comparator_current / 2 / square, self.temperature
        )

    def comparator_delay(self, slope: float) -> float:
        """Return how long after a crossing at ``slope`` [V/s] the continuous comparator fires [s]."""
        return ramp_delay(
            slope,
            transconductance=self.comparator_transconductance,
            tail_current=self.comparator_current,
            output_charge=self.comparator_load * self.supply / 2,
        )

    def latch_delay(self, overdrive: float) -> float:
        """Return how long the clocked comparator takes to decide by ``overdrive`` [V]."""
        tau = self.comparator_load / self.comparator_transconductance
        return decision_delay(overdrive, time_constant=tau, swing=self.supply / 2)

    def rate(self, current: float) -> float:
        """Return how often the nominal neuron fires at a constant ``current`` [A], without noise [Hz].

        ``1 / (crossing + comparator delay + refractory time)``; 0 below the rheobase. Continuous comparator.
        """
        slope = (current - self.droop_current) / self.membrane_capacitance
        tau = self.leak_time_constant
        rise = crossing_time(-self.injection, self.swing, slope, tau)
        if math.isinf(rise):
            return 0.0
        delay = self.comparator_delay(slope - self.swing / tau)
        period = rise + delay + self.refractory_time
        return 1 / period

    def derived(self) -> dict[str, float]:
        """Return what a designer wants to see; the unit is the end of the name."""
        return {
            "swing_v": self.swing,
            "leak_time_constant_s": self.leak_time_constant,
            "rheobase_a": self.rheobase,
            "reset_sigma_v": self.reset_sigma,
            "reset_variance_v2": self.reset_sigma**2,
            "injection_v": self.injection,
            "offset_sigma_v": self.offset_sigma,
            "comparator_noise_v": self.comparator_noise,
            "sigma_unit": self.sigma_unit,
        }

    def draw(self, n_neurons: int, n_axons: int, rng: np.random.Generator) -> "SpikingNeuronDraw":
        """Return one manufactured array. Advances ``rng`` by the same amount whatever the parameters."""
        for name, count in (("n_neurons", n_neurons), ("n_axons", n_axons)):
            if count < 1:
                raise ValueError(f"spiking draw: {name} must be at least 1, got {count}")
        return SpikingNeuronDraw(
            offset=self.offset_sigma * rng.standard_normal(n_neurons),
            capacitance_error=draw_relative_error(
                self.mismatch_factor * self.capacitance_sigma, (n_neurons,), rng
            ),
            leak_error=draw_relative_error(self.mismatch_factor * self.leak_sigma, (n_neurons,), rng),
            bit_error=draw_relative_error(
                bit_sigma(self.sigma_unit), (n_neurons, n_axons, MAGNITUDE_BITS), rng
            ),
        )

    def bank(
        self,
        draw: "SpikingNeuronDraw",
        *,
        weights: ArrayLike,
        threshold: int,
        step_time: float,
        noise_seed: int,
    ) -> "SpikingNeuronBank":
        """Return the array ``draw`` with ``weights`` in it; the arguments are those of the bank."""
        return SpikingNeuronBank(
            self, draw, weights=weights, threshold=threshold, step_time=step_time, noise_seed=noise_seed
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class SpikingNeuronDraw:
    """What came out of the fab: one array's deviations from the design. The arrays are read-only copies.

    Parameters
    ----------
    bit_error :
        ``[post, pre, bit]``, relative error of each bit's current, 7 bits.
    capacitance_error, leak_error :
        ``[post]``, relative error of each membrane's capacitance and leak conductance, above -1.
    offset :
        ``[post]``, input offset of each comparator [V].
    """

    bit_error: NDArray[np.float64]
    capacitance_error: NDArray[np.float64]
    leak_error: NDArray[np.float64]
    offset: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in _DRAW_ARRAYS:
            array = np.array(getattr(self, name), dtype=np.float64)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        shape = self.bit_error.shape
        if len(shape) != 3 or shape[2] != MAGNITUDE_BITS:
            raise ValueError(
                f"spiking draw: bit_error must be [post, pre, {MAGNITUDE_BITS}], got shape {shape}"
            )
        for name in _DRAW_ARRAYS[1:]:
            if getattr(self, name).shape != shape[:1]:
                raise ValueError(
                    f"spiking draw: {name} must have shape {shape[:1]}, got {getattr(self, name).shape}"
                )
        if self.capacitance_error.min() <= -1:
            raise ValueError(
                f"spiking draw: capacitance_error must be above -1, got {self.capacitance_error.min():g}"
            )

    @property
    def n_neurons(self) -> int:
        """Number of neurons, the axis post."""
        return int(self.bit_error.shape[0])

    @property
    def n_axons(self) -> int:
        """Number of axons, the axis pre."""
        return int(self.bit_error.shape[1])


@dataclass(frozen=True, kw_only=True, eq=False)
class SpikingNeuronState:
    """A bank between two steps; every array is ``[post]``.

    Parameters
    ----------
    n_steps :
        Number of steps taken.
    membrane :
        Voltage above reset [LSB].
    threshold :
        Where the continuous comparator trips in this cycle, offset and noise included [LSB].
    firing :
        Whether the comparator has started to move and not fired yet.
    wait :
        Time until it fires, or until reset lets go [s].
    n_spikes :
        Spikes so far: the number of the cycle.
    """

    n_steps: int
    membrane: NDArray[np.float64]
    threshold: NDArray[np.float64]
    firing: NDArray[np.bool_]
    wait: NDArray[np.float64]
    n_spikes: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class SpikingRun:
    """What a bank did in a batch of time steps.

    Parameters
    ----------
    spikes :
        ``[step, post]``, spikes in each step, int64.
    membrane_voltage :
        ``[step, post]``, at the end of each step, above ground [V].
    drive :
        ``[step, post]``, what the synapses gave: charge in units of one LSB's.
    state :
        After the last step.
    """

    spikes: NDArray[np.int64]
    membrane_voltage: NDArray[np.float64]
    drive: NDArray[np.float64]
    state: SpikingNeuronState


class SpikingNeuronBank:
    """One manufactured array with weights in it. Holds no state: runs hand it on.

    Parameters
    ----------
    weights :
        ``[post, pre]``, signed weight codes, -127 to 127.
    threshold :
        Swing from reset to threshold, in units of what an event on a weight of 1 adds; 1 to 2^31 - 1 [LSB].
    step_time :
        Duration of a time step [s].
    noise_seed :
        Seed of the noise, 0 to 2^128 - 1; arrays of one chip need different seeds.

    Raises ValueError for values out of range, shapes that do not fit ``draw``, and an array in which offset
    and noise could leave a membrane at its threshold after reset.
    """

    def __init__(
        self,
        parameters: SpikingNeuronParameters,
        draw: SpikingNeuronDraw,
        *,
        weights: ArrayLike,
        threshold: int,
        step_time: float,
        noise_seed: int,
    ) -> None:
        self.parameters = p = parameters
        self.n_neurons, self.n_axons = draw.n_neurons, draw.n_axons
        where = "spiking bank"
        threshold = checked_whole(where, "threshold", threshold, 1, _THRESHOLD_MAX)
        seed = checked_whole(where, "noise_seed", noise_seed, 0, (1 << 128) - 1)
        if not 0 < step_time < math.inf:
            raise ValueError(f"{where}: step_time must be above 0 s and finite, got {step_time}")
        self._step_time = step_time
        shape = (self.n_neurons, self.n_axons)
        codes = checked_codes(where, "weights", weights, -WEIGHT_MAX, WEIGHT_MAX, shape)
        self._weights = effective_weights(codes, draw.bit_error)
        largest = (INPUT_LEVELS - 1) * np.abs(self._weights).sum(axis=1).max()
        if largest >= _EXACT:
            raise ValueError(
                f"{where}: a neuron's sum of weight magnitudes must be below "
                f"{_EXACT / _GRID / (INPUT_LEVELS - 1):.0f} LSB, "
                f"got {largest / _GRID / (INPUT_LEVELS - 1):.0f} LSB"
            )

        self._lsb = p.swing / threshold
        self._lsb_charge = p.membrane_capacitance * self._lsb
        self._pulse_time = self._lsb_charge / p.unit_current
        capacitance = 1 + draw.capacitance_error
        leak = p.leak_conductance * (1 + draw.leak_error)
        self._tau = [
            time_constant(p.membrane_capacitance * c, g)
            for c, g in zip(capacitance.tolist(), leak.tolist(), strict=True)
        ]
        self._decay = np.array([decay(step_time, tau) for tau in self._tau])
        self._effective_time = np.array([effective_time(step_time, tau) for tau in self._tau])
        self._slope = 1 / (step_time * capacitance)  # [LSB/s] for a drive of 1 LSB
        self._droop = p.droop_current * step_time / self._lsb_charge
        self._floor = round(-p.reset_voltage / self._lsb * _GRID) / _GRID
        self._ceiling = (p.supply - p.reset_voltage) / self._lsb
        self._trip = threshold + draw.offset / self._lsb
        self._trip_sigma = p.comparator_noise / self._lsb
        self._reset = -p.injection / self._lsb / capacitance
        self._reset_sigma = p.reset_sigma / self._lsb / np.sqrt(capacitance)
        margin = self._trip - self._reset - _NORMAL_MAX * (self._trip_sigma + self._reset_sigma)
        if margin.min() <= 0:
            raise ValueError(
                f"{where}: the swing must be larger than offset and {_NORMAL_MAX} deviations of noise, "
                f"got {p.swing:g} V, which is {-margin.min() * self._lsb:g} V too little"
            )
        self._rows = lru_cache(maxsize=64)(
            lambda block: step_normals(seed, block * _ROWS, _ROWS, 2 * self.n_neurons).reshape(
                _ROWS, 2, self.n_neurons
            )
        )

    @property
    def pulse_time(self) -> float:
        """How long an event opens its cells [s]: the charge of one LSB over the unit current."""
        return self._pulse_time

    def rest(self) -> SpikingNeuronState:
        """Return the state after a first reset."""
        first_row = self._rows(0)[0]
        return SpikingNeuronState(
            n_steps=0,
            membrane=self._reset + self._reset_sigma * first_row[_RESET],
            threshold=self._trip + self._trip_sigma * first_row[_COMPARE],
            firing=np.zeros(self.n_neurons, dtype=np.bool_),
            wait=np.zeros(self.n_neurons),
            n_spikes=np.zeros(self.n_neurons, dtype=np.int64),
        )

    def run(self, event_counts: NDArray[np.integer], state: SpikingNeuronState | None = None) -> SpikingRun:
        """Take a step for each row of ``event_counts[step, pre]``, 0 to 255, from ``state`` or from rest.

        Raises ValueError when the pulses of so many events do not fit into a step.
        """
        counts = self._checked_counts(event_counts)
        return self._run(sum_products(counts, self._weights) / _GRID, state)

    def run_currents(
        self, currents: NDArray[np.floating], state: SpikingNeuronState | None = None
    ) -> SpikingRun:
        """Take a step for each row of synaptic ``currents[step, post]`` [A], constant during the step."""
        drive = np.asarray(currents, dtype=np.float64) * (self._step_time / self._lsb_charge)
        if drive.ndim != 2 or drive.shape[1] != self.n_neurons or not np.isfinite(drive).all():
            raise ValueError(
                f"spiking bank: currents must be finite, [step, {self.n_neurons}], got shape {drive.shape}"
            )
        return self._run(drive, state)

    def _run(self, drive: NDArray[np.float64], state: SpikingNeuronState | None) -> SpikingRun:
        state = state or self.rest()
        spikes = np.empty(drive.shape, dtype=np.int64)
        membrane = np.empty(drive.shape)
        for step, row in enumerate(drive):
            spikes[step], state = self.step(row, state)
            membrane[step] = state.membrane
        voltage = self.parameters.reset_voltage + membrane * self._lsb
        return SpikingRun(spikes=spikes, membrane_voltage=voltage, drive=drive, state=state)

    def step(
        self, drive: NDArray[np.float64], state: SpikingNeuronState
    ) -> tuple[NDArray[np.int64], SpikingNeuronState]:
        """Take one step with ``drive[post]`` [LSB]; returns its spikes ``[post]`` and the state after it.

        Neurons that only integrate are stepped together, the others one by one: what a neuron does cannot
        depend on the company it is in, down to the last bit.
        """
        slope = (drive - self._droop) * self._slope
        threshold = state.threshold
        if self.parameters.clocked:
            block, row = divmod(state.n_steps, _ROWS)
            threshold = self._trip + self._trip_sigma * self._rows(block)[row, _COMPARE]
        level = np.rint((state.membrane * self._decay + slope * self._effective_time) * _GRID) / _GRID
        quiet = ~state.firing & (state.wait == 0) & (level < threshold)
        lowest = np.minimum(state.membrane, self._floor)  # reset may leave it below ground, no current can
        membrane = np.where(quiet, np.maximum(level, lowest), state.membrane)
        after = replace(
            state,
            n_steps=state.n_steps + 1,
            membrane=membrane,
            threshold=threshold.copy(),
            firing=state.firing.copy(),
            wait=state.wait.copy(),
            n_spikes=state.n_spikes.copy(),
        )
        for neuron in np.flatnonzero(~quiet).tolist():
            self._play(neuron, float(slope[neuron]), after)
        return after.n_spikes - state.n_spikes, after

    def _play(self, neuron: int, slope: float, state: SpikingNeuronState) -> None:
        """Play one neuron's events in a step, in order of time, and put its new values into ``state``."""
        p = self.parameters
        tau = self._tau[neuron]
        left = self._step_time
        membrane, threshold = float(state.membrane[neuron]), float(state.threshold[neuron])
        firing, wait = bool(state.firing[neuron]), float(state.wait[neuron])
        cycle = int(state.n_spikes[neuron])

        def integrated(time: float) -> float:
            level = membrane * decay(time, tau) + slope * effective_time(time, tau)
            level = round(level * _GRID) / _GRID
            return min(max(level, min(membrane, self._floor)), self._ceiling)

        while True:
            used = min(wait, left)
            wait, left = wait - used, left - used
            if wait:
                membrane = integrated(used) if firing else membrane
                break
            if firing:
                cycle += 1
                membrane = float(self._reset[neuron]) + self._deviation(_RESET, cycle, neuron)
                if not p.clocked:
                    threshold = float(self._trip[neuron]) + self._deviation(_COMPARE, cycle, neuron)
                firing, wait = False, p.refractory_time
                continue
            level = integrated(left)
            if level < threshold:
                membrane = level
                break
            if p.clocked:
                membrane, left = level, 0.0
            else:
                left -= min(crossing_time(membrane, threshold, slope, tau), left)
                membrane = threshold
            firing, wait = True, self._delay(membrane - threshold, slope - membrane / tau)

        state.membrane[neuron], state.threshold[neuron] = membrane, threshold
        state.firing[neuron], state.wait[neuron] = firing, wait
        state.n_spikes[neuron] = cycle

    def energy(self, run: SpikingRun, event_counts: NDArray[np.integer] | None = None) -> dict[str, float]:
        """Return the energy [J] of ``run`` by item of :data:`SPIKING_ITEMS`.

        ``event_counts[step, pre]`` are those of the run; without them the drive was a current from elsewhere,
        whose MDAC is not priced. Leakage, weight memory, bias generators and the fabric are not in it.
        """
        p = self.parameters
        if run.spikes.ndim != 2 or run.spikes.shape[1] != self.n_neurons:
            raise ValueError(
                f"spiking bank: a run must be [step, {self.n_neurons}], got shape {run.spikes.shape}"
            )
        n_steps = len(run.spikes)
        events = np.zeros(self.n_axons)
        if event_counts is not None:
            events = self._checked_counts(event_counts, n_steps).sum(axis=0, dtype=np.float64)
        units = np.abs(self._weights).sum(axis=0) / _GRID  # switched on by an event, [pre]
        line = self.n_neurons * WEIGHT_MAX * p.unit_width * p.unit_length * p.process.gate_capacitance
        line_swing = float(gate_voltage(p.process, p.unit_ic, p.temperature) * events.sum())
        lsb_energy = capacitor_energy(p.supply, p.membrane_capacitance, self._lsb)
        neuron_time = run.spikes.size * self._step_time
        spikes = int(run.spikes.sum())
        output_energy = capacitor_energy(p.supply, p.comparator_load, p.supply)
        switch = p.switch_width * (p.switch_length * p.process.gate_capacitance + 2 * p.switch_overlap)
        return {
            "mdac_gate": capacitor_energy(p.supply, line, line_swing),
            "mdac_bias": lsb_energy * float(events @ units),
            "membrane": lsb_energy * float(np.maximum(run.drive, 0).sum()),
            "leak": bias_energy(p.supply, p.leak_current, neuron_time),
            "comparator": output_energy * run.spikes.size
            if p.clocked
            else bias_energy(p.supply, p.comparator_current, neuron_time),
            "spike": output_energy * spikes,
            "reset": capacitor_energy(p.supply, switch, p.supply) * spikes,
        }

    def _deviation(self, which: int, index: int, neuron: int) -> float:
        """Return noise [LSB] number ``index`` of a neuron: of its reset or its comparator."""
        block, row = divmod(index, _ROWS)
        sigma = float(self._reset_sigma[neuron]) if which == _RESET else self._trip_sigma
        return sigma * float(self._rows(block)[row, which, neuron])

    def _delay(self, overdrive: float, slope: float) -> float:
        """Return the comparator's delay [s]; a step of the grid is the least overdrive or rise in a step."""
        if self.parameters.clocked:
            return self.parameters.latch_delay(max(overdrive, 1 / _GRID) * self._lsb)
        return self.parameters.comparator_delay(max(slope, 1 / _GRID / self._step_time) * self._lsb)

    def _checked_counts(
        self, event_counts: NDArray[np.integer], n_steps: int | None = None
    ) -> NDArray[np.integer]:
        if n_steps is None:
            n_steps = np.shape(event_counts)[0] if np.ndim(event_counts) else 1
        shape = (n_steps, self.n_axons)
        counts = checked_codes("spiking bank", "event_counts", event_counts, 0, INPUT_LEVELS - 1, shape)
        count_max = int(self._step_time / self._pulse_time * (1 + 1e-9))
        if counts.max(initial=0) > count_max:
            raise ValueError(
                f"spiking bank: event_counts must be at most {count_max}, so that pulses of "
                f"{self._pulse_time:.3g} s fit a step of {self._step_time:.3g} s, got {counts.max()}"
            )
        return counts
