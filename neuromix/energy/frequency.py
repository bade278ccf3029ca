"""Energy per multiply-accumulate against the rate at which a neuron gives results, digital and mixed-signal.

A rate [1/s] is results per second and neuron; each takes one multiply-accumulate (MAC) per input. At one rate
all neurons do the same work, so energies per MAC compare. The parallel digital neuron is clocked at the rate,
the serial one at one MAC per cycle, by as many lanes as its largest clock makes necessary.

Everything here is in closed form: prices of digital cells and of leakage come from a price table, the analog
side from EKV and from the settling of a mirror::

    C dV/dt = I_in - I,  gm/I = 2 / (n U_T (1 + sqrt(1 + 4 ic)))
    linear settling to half an LSB of b bits:  t = ln(2^(b+1)) C / gm
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, get_args

import numpy as np

from analog_models.device import specific_current, thermal_voltage
from analog_models.mdac import MAGNITUDE_BITS, WEIGHT_MAX, Topology
from analog_models.noise import thermal_variance
from analog_models.process import GENERIC_65, Process
from analog_models.quantity import check_quantities, quantity
from analog_models.settling import settling_time

from .estimate import EnergyReport
from .prices import PriceTable

__all__ = [
    "BIASES",
    "Bias",
    "DigitalNeuron",
    "MixedSignalCell",
    "Settling",
    "WeightMemory",
    "settling_time_constants",
    "total",
    "worst_case_time_constants",
]

Bias = Literal["fixed", "scaled", "gated"]
BIASES: tuple[Bias, ...] = get_args(Bias)
"""``fixed``: sized for the largest rate, always on. ``scaled``: just enough for the rate. ``gated``: sized
for the largest rate, on only while a result is computed."""

Settling = Literal["linear", "worst_case"]

_BITS = 8
_ACTIVE_INPUT = 0.5
"""Mean input code over full scale, of uniform codes."""
_SET_BITS = MAGNITUDE_BITS / 2
"""Mean number of bits of a uniform weight that are 1."""
_LADDER_LOAD = 2 / 3
"""Capacitance that a leg of a C-2C ladder shows to its driver, over its own."""
_OFF_BRANCHES = 0.5
"""Mean share of the bits of a weight that are 0: their switches are off and leak."""


# ---- digital ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class DigitalNeuron:
    """A digital neuron as an energy per MAC and a leakage, both at the supply and temperature of its prices.

    Parameters
    ----------
    source :
        Where energy and leakage come from: counted cells, or toggles of generated Verilog.
    energy_per_mac :
        Energy of the work itself, leakage apart [J].
    leakage :
        Leakage of one lane [W]. A lane does one MAC per cycle; a parallel neuron has one per input.
    clock_max :
        Largest clock [Hz].
    gated :
        Whether the supply is cut when no result is asked for.
    """

    name: str
    source: str
    n_inputs: int
    parallel: bool
    energy_per_mac: float
    leakage: float
    clock_max: float
    gated: bool = False

    @classmethod
    def counted(cls, table: PriceTable, *, n_inputs: int, parallel: bool, clock_max: float) -> Self:
        """Return the neuron of cells counted by hand: 8 x 8 bit multiplier, adder, pipeline registers.

        A parallel lane has a multiplier, its product register and one adder of the tree; a serial one a
        multiplier, its product register, the accumulator with its adder and 8 bits of control.
        """
        growth = math.ceil(math.log2(n_inputs)) if n_inputs > 1 else 0
        product = 2 * _BITS
        if parallel:
            adder, registers = product + growth / 2, product  # the tree grows by a bit per level
            adder *= (n_inputs - 1) / n_inputs
        else:
            adder, registers = product + growth, product + (product + growth) + _BITS
        array = _BITS * _BITS
        return cls(
            name="parallel" if parallel else "serial",
            source="counted cells",
            n_inputs=n_inputs,
            parallel=parallel,
            energy_per_mac=table.price("multiplication")
            + adder * table.price("full_addition")
            + registers * table.price("flip_flop_cycle"),
            leakage=(array + adder) * table.price("leakage_full_adder")
            + 1.5 * array * table.price("leakage_nand2")  # an AND gate per partial product
            + registers * table.price("leakage_flip_flop"),
            clock_max=clock_max,
        )

    @classmethod
    def simulated(cls, report: EnergyReport, *, n_inputs: int, parallel: bool, clock_max: float) -> Self:
        """Return the neuron of generated Verilog, from the ``report`` of its simulation."""
        leaked = sum(item.energy for item in report.items if item.component.startswith("leakage_"))
        return cls(
            name="parallel" if parallel else "serial",
            source="toggles of the generated Verilog",
            n_inputs=n_inputs,
            parallel=parallel,
            energy_per_mac=(report.total - leaked) / report.n_macs,
            leakage=leaked / report.duration / (n_inputs if parallel else 1),
            clock_max=clock_max,
        )

    def lanes(self, rate: float) -> int:
        """Return how many lanes it takes to give ``rate`` results per second."""
        return self.n_inputs if self.parallel else math.ceil(rate * self.n_inputs / self.clock_max)

    def energy(self, rate: float, memory: "WeightMemory | None" = None) -> dict[str, float]:
        """Return the energy per MAC [J] by item; infinite above the largest clock."""
        if rate > self.clock_max:
            return {"dynamic": math.inf}
        leaking_time = 1 / self.clock_max if self.gated else self.lanes(rate) / (rate * self.n_inputs)
        items = {"dynamic": self.energy_per_mac, "leakage": self.leakage * leaking_time}
        if memory is not None:
            items["weight_memory"] = memory.leakage / rate + (0.0 if self.parallel else memory.read)
        return items

    def energy_at_clock(self, clock: float) -> float:
        """Return the energy per MAC [J] of a lane at ``clock`` [Hz], however long a result takes."""
        return self.energy_per_mac + self.leakage / clock if clock <= self.clock_max else math.inf


@dataclass(frozen=True, kw_only=True)
class WeightMemory:
    """Where the weights of one neuron lie: static cells beside the multipliers, or a memory read per MAC.

    ``leakage`` [W] is that of one weight, ``read`` [J] what fetching it costs a serial neuron.
    """

    leakage: float
    read: float

    @classmethod
    def priced(cls, table: PriceTable, n_inputs: int, temperature: float | None = None) -> Self:
        """Return the memory of 8-bit weights of a neuron of ``n_inputs``."""
        scale = 1.0 if temperature is None else table.leakage_scale(table.supply, temperature)
        return cls(
            leakage=_BITS * table.price("leakage_sram_bit") * scale,
            read=_BITS * table.price("sram_read") * table.sram_scale(_BITS * n_inputs),
        )


# ---- mixed-signal -----------------------------------------------------------------------------------------


def settling_time_constants(bits: int) -> float:
    """Return how many time constants a linear node takes to come within half an LSB: ``ln 2^(bits+1)``."""
    return (bits + 1) * math.log(2)


def worst_case_time_constants(bits: int, offset: float) -> float:
    """Return the same for the worst step of a weak-inversion mirror, in units of ``C n U_T / I_full_scale``.

    From :func:`analog_models.settling.settling_time`: the worst step goes from full scale down to nothing,
    where only the ``offset`` bias, a fraction of full scale, is left to discharge the gate.
    """
    if offset <= 0:
        return math.inf
    return settling_time(1 + offset, offset, tolerance=2.0 ** -(bits + 1), capacitance=1, slope=1)


@dataclass(frozen=True, kw_only=True)
class MixedSignalCell:
    """A neuron of multiplying DACs whose currents meet on a wire, as its energy per MAC.

    ``n_units`` unit devices of a synapse have to settle; the ``diode_units`` among them carry the input
    current. The cell draws ``drawn`` of the input current from the supply on the average of uniform weights,
    what a divider drains included. A charge-mode cell moves charge on unit capacitors and takes no bias. With
    ``power_gated`` the supply is cut while no result is computed, so that nothing leaks then.
    """

    topology: str
    n_units: float
    diode_units: float = 1.0
    drawn: float = 0.5
    charge: bool = False
    n_inputs: int = 25
    bias: Bias = "scaled"
    settling: Settling = "linear"
    bits: int = _BITS
    process: Process = GENERIC_65
    temperature: float = quantity(300.0, "K", 200, 450, "junction temperature", "room temperature [A]")
    supply: float = quantity(1.0, "V", 0.2, 3.6, "analog supply", "65 nm core supply [A]")
    rate_max: float = quantity(
        100e6, "Hz", 1e3, 1e10, "rate that fixed and gated biases are sized for", "[A]"
    )
    unit_width: float = quantity(0.2e-6, "m", 50e-9, 1e-4, "gate width of a unit device", "0.47 fF [M]")
    unit_length: float = quantity(0.2e-6, "m", 50e-9, 1e-4, "gate length of a unit device", "0.47 fF [M]")
    unit_capacitor: float = quantity(2e-15, "F", 1e-17, 1e-12, "unit of a C-2C ladder", "0.6 % mismatch [A]")
    offset: float = quantity(0.125, "", 0, 10, "offset bias over full scale, worst-case settling", "[A]")
    switch_width: float = quantity(0.12e-6, "m", 50e-9, 1e-4, "gate width of a bit's switch", "minimum [A]")
    leakage_price: float = quantity(49e-3, "W/m", 0, 1, "leakage of an off switch per width", "price table")
    activation_load: float = quantity(10e-15, "F", 0, 1e-9, "what an activation pair drives", "next line [A]")
    node_variance: float = quantity(0.0, "V^2", 0, 1, "noise allowed on the summing node; 0: no node", "[A]")
    node_swing: float = quantity(0.2, "V", 1e-3, 3.6, "full scale of the summing node", "as the model [A]")
    noise_factor: float = quantity(3.0, "", 0, 100, "noise power over kT/C", "2 to 6 [D]")
    lsb_over_leakage: float = quantity(
        0.0, "", 0, 1e3, "least current of an LSB over the leakage of a cell; 0: no limit", "[A]"
    )
    power_gated: bool = False
    adc_energy: float = quantity(0.0, "J", 0, 1e-9, "conversion per result; 0: analog output", "[A]")

    def __post_init__(self) -> None:
        check_quantities(self, f"mixed-signal cell {self.topology}")

    @classmethod
    def of(cls, topology: Topology, **changes: Any) -> Self:
        """Return a cell of ``topology`` with a diode of its own, of full-scale current."""
        diode_units = 0.0 if topology.is_charge else (WEIGHT_MAX + 1) / topology.gate_lsbs
        settings: dict[str, Any] = {
            "topology": topology.name,
            "n_units": topology.n_units + diode_units,
            "diode_units": diode_units,
            "drawn": float(np.mean(topology.drawn)) / (WEIGHT_MAX + 1),
            "charge": topology.is_charge,
        }
        return cls(**settings | changes)

    @property
    def unit_capacitance(self) -> float:
        """Gate of a unit transistor, or unit capacitor [F]."""
        if self.charge:
            return self.unit_capacitor
        return self.unit_width * self.unit_length * self.process.gate_capacitance

    @property
    def capacitance(self) -> float:
        """What has to settle for one MAC [F]."""
        return self.n_units * self.unit_capacitance

    @property
    def leakage(self) -> float:
        """Leakage of one cell [W]: the switches of the bits that are 0."""
        return self.leakage_price * self.switch_width * self.bits * _OFF_BRANCHES

    @property
    def time_constants(self) -> float:
        """Settling time in units of ``C n U_T / I_full_scale`` in weak inversion."""
        if self.settling == "linear":
            return settling_time_constants(self.bits)
        return worst_case_time_constants(self.bits, self.offset)

    @property
    def node_capacitance(self) -> float:
        """Capacitance of the summing node [F] that allows ``node_variance``; 0 without one."""
        if not self.node_variance:
            return 0.0
        return thermal_variance(1.0, self.noise_factor, self.temperature) / self.node_variance

    def full_scale_current(self, rate: float) -> float:
        """Return the input current [A] of a cell at full scale with which a result is ready after ``1/rate``.

        The larger of three: what settles the mirror (``g + g^2/I_spec``, the inverse of EKV's gm/I, for the
        current ``g`` that weak inversion would take), what settles the summing node, whose full scale is that
        of a sum of random signs, ``sqrt(N)`` cells, and what stands out of the leakage.
        """
        slope = self.process.slope_factor * thermal_voltage(self.temperature)
        square = specific_current(self.process, self.unit_width, self.unit_length, self.temperature)
        weak = self.time_constants * self.capacitance * slope * rate
        mirror = weak * (1 + weak / (self.diode_units * square))
        node = settling_time_constants(self.bits) * self.node_capacitance * self.node_swing * rate
        leak = self.lsb_over_leakage * (1 << self.bits) * self.leakage / self.supply
        return max(mirror, node / math.sqrt(self.n_inputs), leak)

    def energy(self, rate: float, memory: WeightMemory | None = None) -> dict[str, float]:
        """Return the energy per MAC [J] by item; infinite for a fixed bias above the rate it is sized for."""
        if self.bias == "fixed" and rate > self.rate_max:
            return {"mdac_bias": math.inf}
        sized_for = rate if self.bias == "scaled" else max(rate, self.rate_max)
        on_time = 1 / (rate if self.bias == "fixed" else sized_for)
        slope = self.process.slope_factor * thermal_voltage(self.temperature)
        tail = 2 * settling_time_constants(self.bits) * self.activation_load * slope * sized_for
        items = {
            "activation_bias": self.supply * tail * on_time / self.n_inputs,
            "leakage": self.leakage * (1 / sized_for if self.power_gated else 1 / rate),
        }
        if self.charge:
            legs = _SET_BITS * _LADDER_LOAD * self.unit_capacitor
            items["mdac_charge"] = _ACTIVE_INPUT * legs * self.supply**2
            items["node"] = self.node_capacitance * self.supply * self.node_swing / self.n_inputs
        else:
            mean_input = _ACTIVE_INPUT + (self.offset if self.settling == "worst_case" else 0)
            current = mean_input * (1 + self.drawn) * self.full_scale_current(sized_for)
            items["mdac_bias"] = self.supply * current * on_time
        if self.adc_energy:
            items["adc"] = self.adc_energy / self.n_inputs
        if memory is not None:
            items["weight_memory"] = memory.leakage / rate
        return items

    def at(self, temperature: float, table: PriceTable) -> Self:
        """Return the cell at ``temperature`` [K], its leakage scaled as ``table`` says."""
        now = table.leakage_scale(table.supply, self.temperature)
        scale = table.leakage_scale(table.supply, temperature) / now
        return replace(self, temperature=temperature, leakage_price=self.leakage_price * scale)


def total(items: Mapping[str, float]) -> float:
    """Return the sum of the items of an energy [J]."""
    return math.fsum(items.values()) if all(map(math.isfinite, items.values())) else math.inf
