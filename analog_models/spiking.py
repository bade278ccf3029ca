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
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .activation import linear_range
from .array import ArrayDraw
from .comparator import decision_delay, ramp_delay
from .device import gate_voltage, off_current, specific_current, transconductance_efficiency
from .mdac import MAGNITUDE_BITS, TOPOLOGIES, Topology
from .membrane import crossing_time, injection_step, time_constant
from .mismatch import capacitor_sigma, draw_relative_error, pair_offset_sigma
from .noise import thermal_variance
from .process import GENERIC_65, Process
from .quantity import check_quantities, choice, quantity
from .spiking_bank import SPIKING_ITEMS, SpikingNeuronBank, SpikingNeuronState, SpikingRun

__all__ = [
    "SPIKING_ITEMS",
    "SpikingNeuronBank",
    "SpikingNeuronDraw",
    "SpikingNeuronParameters",
    "SpikingNeuronState",
    "SpikingRun",
]

_CURRENT_TOPOLOGIES = tuple(name for name, topology in TOPOLOGIES.items() if not topology.is_charge)
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
    topology: str = choice("full_binary", _CURRENT_TOPOLOGIES, "structure of a cell: one that gives current")
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
    droop_factor: float = quantity(
        1.0, "", 0, 1e4, "scales the reset switch's off-current; 0: none", "as computed [D]"
    )
    refractory_time: float = quantity(1e-6, "s", 0, 1.0, "how long reset holds the membrane", "a pulse [A]")
    reset_noise_factor: float = quantity(
        1.0, "", 0, 100, "noise power of reset over kT/C; 0: none", "a plain switch [D]"
    )
    switch_width: float = quantity(0.2e-6, "m", 50e-9, 1e-4, "reset switch's width", "near minimum [A]")
    switch_length: float = quantity(60e-9, "m", 30e-9, 1e-5, "reset switch's length", "65 nm [A]")
    switch_threshold: float = quantity(
        500.0, "", 1, 1e6, "how much less the switch leaks than a fast device", "LP 0.1, GP 50 nA/um [D]"
    )
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
    clocked: bool = field(
        default=False,
        metadata={"description": "whether the comparator decides only at the end of each step"},
    )
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
            droop_factor=0,
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
    def droop_current(self) -> float:
        """Off-current of the reset switch, which takes the membrane down [A]."""
        leakage = off_current(self.process, self.switch_width, self.temperature)
        return self.droop_factor * leakage / self.switch_threshold

    @property
    def capacitance_sigma(self) -> float:
        """Relative deviation of a membrane's capacitance."""
        return self.mismatch_factor * capacitor_sigma(self.process, self.membrane_capacitance)

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
            self.temperature,
            width=self.switch_width,
            length=self.switch_length,
            overlap=self.switch_overlap,
            supply=self.supply,
            reset_voltage=self.reset_voltage,
            capacitance=self.membrane_capacitance,
        )

    @property
    def cell(self) -> Topology:
        """Structure of a cell."""
        return TOPOLOGIES[self.topology]

    @property
    def line_swing(self) -> float:
        """Gate voltage of an axon's line in a pulse [V]."""
        return float(gate_voltage(self.process, self.cell.gate_lsbs * self.unit_ic, self.temperature))

    def line_capacitance(self, n_neurons: int) -> float:
        """Return the capacitance of the gates on an axon's line [F]: those of all its cells."""
        gate = self.unit_width * self.unit_length * self.process.gate_capacitance
        return n_neurons * self.cell.gate_units * gate

    @property
    def unit_ic(self) -> float:
        """Inversion coefficient of an MDAC unit in a pulse."""
        square = specific_current(self.process, self.unit_width, self.unit_length, self.temperature)
        return self.unit_current / square

    @property
    def sigma_units(self) -> NDArray[np.float64]:
        """Relative deviation of the pulsed current of a unit of each of a cell's devices, ``[device]``."""
        area = self.unit_width * self.unit_length
        sigmas = self.cell.current_sigmas(self.process, area, self.unit_ic, self.temperature)
        return self.mismatch_factor * sigmas

    @property
    def sigma_unit(self) -> float:
        """Relative deviation of a unit of 1 LSB, the worst of a cell."""
        return float(self.sigma_units.max())

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
            capacitance_error=draw_relative_error(self.capacitance_sigma, (n_neurons,), rng),
            leak_error=draw_relative_error(self.mismatch_factor * self.leak_sigma, (n_neurons,), rng),
            bit_error=self.cell.draw_bit_error(self.sigma_units, (n_neurons, n_axons), rng),
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
class SpikingNeuronDraw(ArrayDraw):
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

    _ARRAYS = _DRAW_ARRAYS
    _OF = "a spiking array"

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
