"""From results of a run, here made by hand, to the report."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cosim.events import without_source
from cosim.job import CosimResult
from neuromix.agreement import SimulatedRun, simulated_run
from neuromix.config import load_experiment
from neuromix.energy.estimate import EnergyItem, EnergyReport
from neuromix.experiment import Experiment, prepare
from neuromix.mapping import HOST
from neuromix.reference import ReferenceRun, simulate_mapped
from neuromix.report.collect import collect_report
from neuromix.report.summary import BackEndResult, Report
from rtl_gen.emit import RtlBundle

STEP_CYCLES = np.array([40, 70, 110, 160, 220, 290, 370])
"""Ends of the steps of five images through two layers."""

PREDICTIONS = np.array([0, 3, 1, 2, 1])
"""Of images 0, 3, 2, 2, 1: one is wrong."""

ITEMS = {
    ("tile_0_1", "core", "engine"): {"multipliers": 6e-12, "clock": 1e-12},
    ("tile_1_1", "core"): {"clock": 3e-12},
    ("tile_0_1", "router"): {"logic": 5e-12},
    ("tile_0_1",): {"clock": 0.5e-12},
    ("barrier",): {"logic": 0.25e-12},
    (): {"leakage_logic": 0.125e-12},
}
WITH_ANALOG = ITEMS | {(): ITEMS[()] | {"analog_adc": 2e-12, "analog_mdac": 7e-12}}


def energy(items: Mapping[tuple[str, ...], Mapping[str, float]]) -> EnergyReport:
    return EnergyReport(
        table="by hand",
        clock_hz=100e6,
        supply=1.0,
        temperature=300.0,
        cycles=90,
        n_inferences=2,
        n_macs=240,
        n_sops=160,
        items=tuple(
            EnergyItem(instance=instance, component=component, energy=joules)
            for instance, energies in items.items()
            for component, joules in energies.items()
        ),
        n_nets=400,
        n_annotated=390,
        toggles_by_class={"register": 1000, "logic": 234},
        accesses={},
    )


@pytest.fixture(scope="module")
def experiment(tiny: Path) -> Experiment:
    return prepare(load_experiment(tiny))


@pytest.fixture(scope="module")
def references(experiment: Experiment) -> dict[str, ReferenceRun]:
    return {
        name: simulate_mapped(experiment.mapped, experiment.codes, back_end.models)
        for name, back_end in experiment.back_ends.items()
    }


@pytest.fixture(scope="module")
def collect(
    experiment: Experiment, references: dict[str, ReferenceRun], tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Report]:
    """``collect(names=..., **changes)`` makes the report of some back ends."""
    folder = tmp_path_factory.mktemp("rtl")
    (folder / "chip.v").write_text("module chip;")
    (folder / "stub.v").write_text("(* blackbox *)")

    def run(name: str, simulator: str, factor: int) -> SimulatedRun:
        sent = references[name].events
        result = CosimResult(
            sent=sent,
            received=np.sort(without_source(sent)),
            step_cycles=factor * STEP_CYCLES,
            trace=None,
        )
        found = simulated_run(experiment.mapped, references[name], result, back_end=name, simulator=simulator)
        return replace(found, predictions=PREDICTIONS)

    def collected(
        names: tuple[str, ...] = ("parallel", "serial", "mixed_signal"),
        complaints: Mapping[str, Mapping[str, tuple[str, ...]]] | None = None,
    ) -> Report:
        some = Experiment(
            **{
                **vars(experiment),
                "back_ends": {name: experiment.back_ends[name] for name in names},
            }
        )
        bundle = RtlBundle(
            folder=folder, files=("chip.v",), black_boxes=("stub.v",), ports=(), source_sha256=""
        )
        return collect_report(
            some,
            dict.fromkeys(names, bundle),
            complaints or {},
            {name: references[name] for name in names},
            [
                run(name, simulator, 1 + i)
                for name in names
                for i, simulator in enumerate(("icarus", "verilator"))
            ],
            {name: energy(WITH_ANALOG if name == "mixed_signal" else ITEMS) for name in names},
            "neuromix run tiny",
        )

    return collected


@pytest.fixture(scope="module")
def report(collect: Callable[..., Report]) -> Report:
    return collect()


@pytest.fixture(scope="module")
def serial(report: Report) -> BackEndResult:
    (result,) = (result for result in report.back_ends if result.name == "serial")
    return result


def test_energy_is_itemised_by_block(serial: BackEndResult) -> None:
    expected = {
        "cores": 5.0,
        "routers": 2.5,
        "tiles, other": 0.25,
        "host side and barrier": 0.1875,
    }
    assert serial.by_block == pytest.approx(expected)
    assert serial.energy_per_inference_pj == pytest.approx(sum(expected.values()))


def test_energy_is_itemised_by_component(serial: BackEndResult) -> None:
    expected = {"multipliers": 3.0, "clock": 2.25, "logic": 2.625, "leakage logic": 0.0625}
    assert serial.components == pytest.approx(expected)
    assert serial.energy_per_mac_fj == pytest.approx(15875 / 240)
    assert serial.energy_per_sop_fj == pytest.approx(15875 / 160)
    assert serial.toggles_per_inference == 617
    assert serial.annotated_share == 390 / 400


def test_analog_energy_is_a_block_of_its_own(report: Report) -> None:
    result = report.back_ends[-1]
    assert result.name == "mixed_signal"
    digital = sum(report.back_ends[0].by_block.values())
    cores, arrays = result.by_block["cores"], result.by_block["analog arrays"]
    assert (cores, arrays) == pytest.approx((5.0, 4.5))
    assert result.energy_per_inference_pj == pytest.approx(digital + 4.5)
    assert result.components["analog adc"] == pytest.approx(1.0)


def test_analog_arrays_are_told_with_what_their_lines_lack(report: Report) -> None:
    told = {parameter.name: parameter.value for parameter in report.analog}
    assert told["structure of a cell"] == "full binary"
    assert told["lines after 40.0 ns"] == "0.460 LSB short"
    assert told["converter noise"].startswith("100 µV rms = 1e-08 V² = 0.128 LSB")
    assert told["conversion"] == "2.70 pJ"


def test_latency_is_from_the_begin_of_a_step_to_the_end_of_the_one_that_answers(
    serial: BackEndResult,
) -> None:
    latencies = [110 - 0, 160 - 40, 220 - 70, 290 - 110, 370 - 160]
    assert serial.latency_s == pytest.approx(np.mean(latencies) / 100e6)
    assert serial.cycles_per_inference == 45


def test_confusion_is_of_what_the_chip_answered(serial: BackEndResult) -> None:
    assert serial.confusion == ((1, 0, 0, 0), (0, 1, 0, 0), (0, 1, 1, 0), (0, 0, 0, 1))
    assert (serial.accuracy.correct, serial.accuracy.total) == (4, 5)


def test_first_simulator_speaks_for_a_back_end_and_all_are_compared(
    report: Report, references: dict[str, ReferenceRun]
) -> None:
    assert [result.simulator for result in report.back_ends] == ["icarus"] * 3
    assert len(report.agreements) == 6
    assert report.agreeing
    for run in report.agreements:
        assert run.events_sent == run.events_compared == len(references[run.back_end].events) > 100


def test_raster_shows_every_event_once(report: Report, references: dict[str, ReferenceRun]) -> None:
    raster = report.raster
    assert raster is not None
    assert raster.populations == {"input": 16, "hidden": 6, "output": 4}
    assert (raster.first_step, raster.n_steps, raster.payload_max) == (0, 7, 255)
    assert raster.captions == ("0", "3", "2", "2", "1", "", "")
    shown = dict(zip(zip(raster.step, raster.row, strict=True), raster.payload, strict=True))
    assert len(shown) == len(raster.step)
    sent = references["mixed_signal"].sent_codes
    rows = np.concatenate([sent[HOST], sent[0, 1], sent[1, 1], sent[0, 2]], axis=1)
    expected = {
        (step, row): code
        for step, codes in enumerate(rows.tolist())
        for row, code in enumerate(codes)
        if code
    }
    assert shown == expected
    assert {row for _, row in shown} & set(range(22, 26)), "no output ever fired"


def test_trace_is_that_of_the_bank_behind_the_first_core(
    report: Report, experiment: Experiment, references: dict[str, ReferenceRun]
) -> None:
    trace = report.trace
    assert trace is not None
    inputs = references["mixed_signal"].input_codes[0, 1]
    evaluation = experiment.back_ends["mixed_signal"].banks[0, 1].evaluate(inputs)
    assert trace.neurons == ("hidden 0", "hidden 1", "hidden 2", "hidden 3")
    codes = [conversion.codes for conversion in trace.conversions]
    assert codes == [tuple(row) for row in evaluation.codes[:3].tolist()]
    assert len(set(codes)) == 3, "a trace that never changes shows nothing"

    at_conversion = [trace.time_s.index(conversion.time_s) for conversion in trace.conversions]
    volts = np.array(trace.node_voltage_v)
    assert np.array_equal(volts[:, at_conversion].T, evaluation.node_voltage[:3])
    assert np.abs(volts).max() <= trace.full_scale_v


def test_phases_of_the_trace_follow_the_steps(report: Report) -> None:
    trace = report.trace
    assert trace is not None
    assert [phase.name for phase in trace.phases] == ["reset", "evaluate", "convert"] * 3
    cycles = [round(100e6 * (phase.end_s - phase.start_s)) for phase in trace.phases]
    assert cycles == [1, 4, 8] * 3
    begins = [round(100e6 * phase.start_s) for phase in trace.phases[::3]]
    assert begins == [41, 71, 111]
    assert list(trace.time_s) == sorted(trace.time_s)
    for phase in trace.phases[::3]:
        inside = [i for i, time in enumerate(trace.time_s) if time == phase.end_s]
        assert [samples[inside[0]] for samples in trace.node_voltage_v] == [0.0] * 4


def test_without_analog_neurons_there_is_no_trace(collect: Callable[..., Report]) -> None:
    report = collect(names=("serial",))
    assert report.trace is None
    assert report.analog == ()
    assert report.raster is not None


def test_lint_is_summed_over_back_ends(collect: Callable[..., Report]) -> None:
    complaints = {
        "parallel": {"icarus": (), "verilator": ("%Warning-A", "%Warning-B")},
        "serial": {"icarus": (), "verilator": ("%Warning-C",)},
    }
    assert collect(complaints=complaints).chip.lint == {"icarus": "clean", "verilator": "3 warnings"}


def test_chip_and_network_are_described(report: Report) -> None:
    chip, network = report.chip, report.network
    assert (chip.mesh_width, chip.mesh_height, chip.tiles_used) == (2, 2, 3)
    assert (chip.axons_per_core, chip.neurons_per_core, chip.clock_hz) == (18, 4, 100e6)
    assert {file.name: file.size_bytes for file in chip.verilog}["serial/chip.v"] == len("module chip;")
    assert len(chip.verilog) == 6
    assert (network.layers, network.macs) == ((16, 6, 4), 120)
    assert network.float_accuracy == network.quantized_accuracy == 0.8
    assert "IDX files" in network.provenance["data"]


def test_versions_of_all_that_matters_are_told(report: Report) -> None:
    assert {"python", "neuromix", "amaranth", "cocotb", "verilator", "numpy"} <= set(report.versions)
    assert all(report.versions.values())
    assert (report.seed, report.command) == (1, "neuromix run tiny")
    assert report.prices
    assert all(price.source and price.conditions for price in report.prices)
