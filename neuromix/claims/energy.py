"""Energy per MAC against rate: two digital neurons, the mixed-signal ones, and which assumptions matter."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from analog_models.mdac import TOPOLOGIES

from ..energy.estimate import EnergyReport
from ..energy.frequency import BIASES, DigitalNeuron, MixedSignalCell, WeightMemory, total
from ..energy.generated import DRIVES, GeneratedNeuron
from ..energy.prices import PriceTable, load_table
from .study import EnergyStudy

__all__ = ["CLAIMED_RATIO", "EnergyAnswer", "Lane", "RatioCurve", "Sensitivity", "answer_energy"]

CLAIMED_RATIO = 100
"""What the mixed-signal neuron is said to be better by, at every rate."""

POINTS_PER_DECADE = 10

TOPOLOGY_LABELS = {
    "m2m": "M-2M ladder",
    "segmented": "segmented",
    "full_binary": "full binary",
    "c2c": "C-2C charge",
}


@dataclass(frozen=True, kw_only=True)
class Lane:
    """A digital neuron by one of two routes, and what its energy per MAC [J] is made of where known."""

    neuron: DigitalNeuron
    drive: str
    items: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class EnergyCurve:
    """Energy per MAC [J] at each rate of the sweep; infinite where the neuron cannot give that rate."""

    name: str
    label: str
    energy_per_mac: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class RatioCurve:
    """How many times the energy of a mixed-signal neuron a digital one takes, at each rate."""

    digital: str
    label: str
    ratio: tuple[float, ...]

    @property
    def minimum(self) -> float:
        """The smallest ratio of the sweep."""
        return min(self.ratio)


@dataclass(frozen=True, kw_only=True)
class Sensitivity:
    """The ratios when one assumption of the base case is changed."""

    label: str
    note: str
    against: Mapping[str, RatioCurve]

    @property
    def holds(self) -> bool:
        """Whether the claimed ratio is exceeded at every rate against both digital neurons."""
        return all(curve.minimum > CLAIMED_RATIO for curve in self.against.values())


@dataclass(frozen=True, kw_only=True)
class EnergyAnswer:
    """All that was computed of energy per MAC. ``sensitivities[0]`` is the base case."""

    study: EnergyStudy
    rates: tuple[float, ...]
    lanes: tuple[Lane, ...]
    curves: tuple[EnergyCurve, ...]
    sensitivities: tuple[Sensitivity, ...]
    base: MixedSignalCell
    base_items: Mapping[str, Mapping[str, float]]
    prices: PriceTable

    @property
    def shown_rates(self) -> tuple[float, ...]:
        """Rates at which tables show numbers: the ends, and two between."""
        low, high = self.study.rates
        between = [rate for rate in (1e6, 1e8) if low < rate < high]
        return (low, *between, high)

    def at(self, values: Sequence[float], rate: float) -> float:
        """Return that of ``values`` which belongs to the rate of the sweep nearest to ``rate``."""
        return values[int(np.abs(np.log(np.array(self.rates) / rate)).argmin())]

    @property
    def base_case(self) -> Sensitivity:
        """The ratios under the base assumptions."""
        return self.sensitivities[0]

    @property
    def failing(self) -> tuple[Sensitivity, ...]:
        """The changes of an assumption under which the claimed ratio is missed somewhere."""
        return tuple(case for case in self.sensitivities[1:] if not case.holds)

    def case(self, label: str) -> Sensitivity:
        """Return a case by its label."""
        return next(case for case in self.sensitivities if case.label == label)

    def curve(self, name: str) -> EnergyCurve:
        """Return a curve by its name."""
        return next(curve for curve in self.curves if curve.name == name)


def answer_energy(
    study: EnergyStudy, folder: Path, cache: Path, progress: Callable[[int, int], None]
) -> EnergyAnswer:
    """Compute everything; simulate the generated neurons in ``folder``.

    Raises MissingPriceError, SimulatorNotFoundError, YosysNotFoundError, SimulationError.
    """
    table = load_table(study.table)
    sides = {"parallel": True, "serial": False}
    counted = {
        name: DigitalNeuron.counted(
            table, n_inputs=study.fan_in, parallel=parallel, clock_max=study.clock_max
        )
        for name, parallel in sides.items()
    }
    reports = list(_simulate(study, table, folder, cache, progress))
    lanes = [Lane(neuron=neuron, drive="uniform random codes", items={}) for neuron in counted.values()]
    lanes += [_lane(study, *simulated) for simulated in reports]
    base = cell(study, table, "m2m")
    rates = _rates(*study.rates)
    digital = {lane_name(lane): lane for lane in lanes if lane.neuron.n_inputs == study.fan_in}
    curves = [
        EnergyCurve(
            name=name,
            label=f"{lane.neuron.name} digital, {lane.neuron.source}",
            energy_per_mac=tuple(total(lane.neuron.energy(rate)) for rate in rates),
        )
        for name, lane in digital.items()
        if lane.drive != "random"
    ]
    for topology in TOPOLOGY_LABELS:
        plain = cell(study, table, topology)
        for bias in BIASES if not plain.charge else BIASES[1:2]:
            neuron = replace(plain, bias=bias)
            curves.append(
                EnergyCurve(
                    name=f"{topology}-{bias}",
                    label=TOPOLOGY_LABELS[topology] + ("" if neuron.charge else f", {bias} bias"),
                    energy_per_mac=tuple(total(neuron.energy(rate)) for rate in rates),
                )
            )
    answer = EnergyAnswer(
        study=study,
        rates=rates,
        lanes=tuple(lanes),
        curves=tuple(curves),
        sensitivities=tuple(_sensitivities(study, table, counted, digital, base, rates)),
        base=base,
        base_items={},
        prices=table,
    )
    neurons: dict[str, Callable[[float], Mapping[str, float]]] = {
        "parallel digital": counted["parallel"].energy,
        "serial digital": counted["serial"].energy,
        "mixed-signal": base.energy,
    }
    items = {
        f"{label} at {rate:g} Hz": neuron(rate)
        for label, neuron in neurons.items()
        for rate in answer.shown_rates
    }
    return replace(answer, base_items=items)


def cell(study: EnergyStudy, table: PriceTable, topology: str, **changes: Any) -> MixedSignalCell:
    """Return the mixed-signal neuron of the base case with another ``topology`` and ``changes``."""
    settings: dict[str, Any] = {
        "n_inputs": study.fan_in,
        "rate_max": study.rate_max,
        "leakage_price": table.price("leakage_switch") / 1e-6,
    }
    return MixedSignalCell.of(TOPOLOGIES[topology], **settings | changes)


def lane_name(lane: Lane) -> str:
    """Return a name for a digital neuron: ``parallel-counted``, ``serial-photo``."""
    route = "counted" if not lane.items else lane.drive
    return f"{lane.neuron.name}-{route}"


def _rates(low: float, high: float) -> tuple[float, ...]:
    n_points = round(POINTS_PER_DECADE * math.log10(high / low)) + 1
    return tuple(float(rate) for rate in np.geomspace(low, high, max(2, n_points)))


def _simulate(
    study: EnergyStudy, table: PriceTable, folder: Path, cache: Path, progress: Callable[[int, int], None]
) -> Iterator[tuple[GeneratedNeuron, str, EnergyReport]]:
    neurons = [
        GeneratedNeuron(n_inputs=study.fan_in, parallel=True),
        GeneratedNeuron(n_inputs=study.fan_in, parallel=False),
        GeneratedNeuron(n_inputs=study.large_fan_in, parallel=False),
    ]
    jobs = [(neuron, kind) for neuron in neurons for kind in DRIVES]
    for done, (neuron, kind) in enumerate(jobs):
        progress(done, len(jobs))
        yield (
            neuron,
            kind,
            neuron.measure(kind, table, folder=folder, cache=cache, n_results=study.results),
        )
    progress(len(jobs), len(jobs))


def _lane(study: EnergyStudy, generated: GeneratedNeuron, kind: str, report: EnergyReport) -> Lane:
    neuron = DigitalNeuron.simulated(
        report,
        n_inputs=generated.n_inputs,
        parallel=generated.parallel,
        clock_max=study.clock_max,
    )
    dynamic = {
        component: energy / report.n_macs
        for component, energy in report.by_component.items()
        if not component.startswith("leakage_")
    }
    return Lane(neuron=neuron, drive=kind, items=dynamic)


# ---- sensitivity ------------------------------------------------------------------------------------------


def _sensitivities(
    study: EnergyStudy,
    table: PriceTable,
    counted: Mapping[str, DigitalNeuron],
    simulated: Mapping[str, Lane],
    base: MixedSignalCell,
    rates: Sequence[float],
) -> Iterator[Sensitivity]:
    """Yield the base case, then cases that differ from it in one assumption, then several together."""
    low_power = load_table(study.low_power_table)
    large = study.large_fan_in
    memory = WeightMemory.priced(table, study.fan_in)
    count = partial(DigitalNeuron.counted, clock_max=study.clock_max)
    low_counted = {
        name: count(low_power, n_inputs=study.fan_in, parallel=neuron.parallel)
        for name, neuron in counted.items()
    }
    low_cell = cell(study, low_power, base.topology)
    hot = table.leakage_scale(table.supply, study.hot)
    hot_counted = {name: replace(neuron, leakage=neuron.leakage * hot) for name, neuron in counted.items()}

    def case(
        label: str,
        note: str,
        digital: Mapping[str, DigitalNeuron] = counted,
        analog: MixedSignalCell = base,
        memory: WeightMemory | None = None,
    ) -> Sensitivity:
        return Sensitivity(
            label=label,
            note=note,
            against={
                name: RatioCurve(
                    digital=name,
                    label=label,
                    ratio=tuple(
                        _ratio(total(neuron.energy(rate, memory)), total(analog.energy(rate, memory)))
                        for rate in rates
                    ),
                )
                for name, neuron in digital.items()
            },
        )

    yield case(
        "base case",
        f"{TOPOLOGY_LABELS[base.topology]}, {base.bias} bias, {base.settling.replace('_', '-')} settling, "
        f"N = {study.fan_in}, {table.title}, {table.temperature:g} K; analog in and out; weights free",
    )
    serial = counted["serial"]
    same_clock = RatioCurve(
        digital="serial",
        label="same clock",
        ratio=tuple(_ratio(serial.energy_at_clock(rate), total(base.energy(rate))) for rate in rates),
    )
    yield Sensitivity(
        label="serial neuron at the same clock",
        note="one MAC per cycle, so N times fewer results per second than its rivals",
        against={"parallel": case("", "").against["parallel"], "serial": same_clock},
    )
    for kind in DRIVES:
        yield case(
            f"digital: generated Verilog, {kind} drive",
            "toggles of rtl_gen's neurons, requantiser and ungated clock included",
            digital={name: simulated[f"{name}-{kind}"].neuron for name in counted},
        )
    cut = {name: replace(neuron, gated=True) for name, neuron in counted.items()}
    yield case("supply cut between results, digital side only", "leaks for a cycle per MAC only", cut)
    yield case(
        "supply cut between results, both sides",
        "the same, and the mixed-signal neuron is on for a result at the largest rate",
        cut,
        replace(base, bias="gated", power_gated=True),
    )
    yield case("leakage: low power, both sides", low_power.title, low_counted, low_cell)
    yield case("leakage: low power, digital side only", low_power.title, low_counted)
    yield case(
        f"temperature {study.hot:g} K",
        f"leakage times {hot:.3g} on both sides",
        hot_counted,
        base.at(study.hot, table),
    )
    yield case("weight memory", "8 SRAM bits per weight on both sides; serial reads them", memory=memory)
    yield case(
        "ADC per result",
        f"{study.adc * 1e12:.3g} pJ per result of the mixed-signal neuron",
        analog=replace(base, adc_energy=study.adc),
    )
    for offset in (0.125, 0.5):
        yield case(
            f"worst-case settling, offset FS/{1 / offset:g}",
            "full scale to zero within half an LSB, closed form of a mirror",
            analog=replace(base, settling="worst_case", offset=offset),
        )
    for noise in study.noise:
        yield case(
            f"summing node for {noise * 1e6:g}e-6 V^2",
            f"{math.sqrt(noise) * 1e3:.3g} mV rms at {base.node_swing:g} V full scale has to settle as well",
            analog=replace(base, node_variance=noise),
        )
    yield case(
        "bias above leakage",
        "an LSB of current is no smaller than what the cell's switches leak",
        analog=replace(base, lsb_over_leakage=1),
    )
    yield case(
        "bias above leakage, low-power switches",
        "the same with a low-leakage analog side beside general-purpose logic",
        analog=replace(low_cell, lsb_over_leakage=1),
    )
    for bias in BIASES:
        if bias != base.bias:
            note = f"sized for {study.rate_max / 1e6:g} MHz" + (", always on" if bias == "fixed" else "")
            yield case(f"{bias} bias", note, analog=replace(base, bias=bias))
    for topology, label in TOPOLOGY_LABELS.items():
        if topology != base.topology:
            other = cell(study, table, topology)
            devices = "capacitors" if other.charge else "transistors, diode included"
            yield case(label, f"{other.n_units:g} unit {devices}", analog=other)
    yield case(
        f"fan-in {large}",
        "parallel and serial of counted cells",
        digital={
            name: count(table, n_inputs=large, parallel=neuron.parallel) for name, neuron in counted.items()
        },
        analog=replace(base, n_inputs=large),
    )
    yield case(
        "a whole neuron",
        f"gated bias above leakage, worst-case settling (FS/2), node for {study.noise[0] * 1e6:g}e-6 V^2, "
        "ADC, weight memory, low-power leakage on both sides",
        low_counted,
        replace(
            low_cell,
            bias="gated",
            settling="worst_case",
            offset=0.5,
            node_variance=study.noise[0],
            lsb_over_leakage=1,
            adc_energy=study.adc,
        ),
        WeightMemory.priced(low_power, study.fan_in),
    )


def _ratio(digital: float, analog: float) -> float:
    """Return how many times ``analog`` the ``digital`` energy is; 0 where the analog neuron cannot."""
    return 0.0 if math.isinf(analog) else digital / analog
