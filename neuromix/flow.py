"""One experiment, step by step: from its file to Verilog, co-simulation, energy and a report.

Each step takes what the ones before hand on and leaves its own results in ``<folder>/<NN-step>/``. What takes
long (simulation) is not repeated while nothing that it depends on has changed.
"""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from functools import partial
from os import cpu_count
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from analog_models.views.verilog_stub import verilog_stub
from cosim.activity import Activity, read_counts, read_steps, read_vcd
from cosim.events import up_to_step
from cosim.job import CosimJob, CosimResult, run_cosim
from cosim.lint import lint
from cosim.simulator import (
    SIMULATORS,
    SimulationError,
    SimulatorName,
    TraceFormat,
    find_simulator,
    stop_all,
)
from cosim.waves import Window, write_save_files
from rtl_gen.boundary.analog_array import AnalogArrayParameters
from rtl_gen.emit import CHIP_MODULE, RtlBundle, emit_chip
from rtl_gen.host.loader import load_writes

from .agreement import SimulatedRun, joined, simulated_run
from .calibration import read_trims, trim_words
from .config import ExperimentConfig
from .energy.estimate import EnergyReport, estimate_energy
from .energy.netlist import Inventory, find_yosys, read_inventory
from .energy.prices import PriceTable, load_table
from .energy.toggles import choose_nets, tabulate_toggles
from .experiment import BackEnd, Experiment, Part, prepare
from .mapping import MappedNetwork, Position
from .reference import ReferenceRun, simulate_mapped
from .report.collect import collect_report
from .report.render import write_report
from .report.summary import Report

__all__ = [
    "STEPS",
    "Outcome",
    "Progress",
    "StepName",
    "co_simulate",
    "co_simulate_chips",
    "cosim_job",
    "estimate",
    "generate",
    "refer",
    "run_experiment",
    "trace_waves",
]

StepName = Literal["rtl", "reference", "cosim", "energy", "report"]
STEPS: tuple[StepName, ...] = get_args(StepName)
"""Steps that a run can be started again from, in order."""


class Progress(Protocol):
    """What a long computation calls to say how far it is."""

    def __call__(self, action: str, done: int, total: int, under_way: Collection[str] = ()) -> None:
        """Say that ``done`` of ``total`` items of ``action`` are finished, and which are being worked on."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcome:
    """What a run has found so far: empty for the steps that were not reached.

    ``references`` are the golden models' runs over the first part of the images.
    """

    folder: Path
    experiment: Experiment
    bundles: Mapping[str, RtlBundle]
    references: Mapping[str, ReferenceRun] = field(default_factory=dict)
    runs: Sequence[SimulatedRun] = ()
    waves: Mapping[str, Path] = field(default_factory=dict)
    energies: Mapping[str, EnergyReport] = field(default_factory=dict)
    report: Report | None = None

    @property
    def agreeing(self) -> bool:
        """Whether every co-simulation did exactly what the golden model says."""
        return all(run.comparison.equal for run in self.runs)


def run_experiment(
    config: ExperimentConfig,
    build: Path,
    *,
    command: str,
    progress: Progress,
    from_step: StepName | None = None,
    until: StepName = "report",
    simulators: Sequence[SimulatorName] = (),
    waves: bool | Window = False,
) -> Outcome:
    """Run ``config`` up to step ``until`` in ``build/<name>``; ``command`` is what to type for it again.

    Simulations that are up to date are not repeated, but those of ``from_step`` and after it are.
    ``simulators`` co-simulates every back end on these instead of what the experiment says. ``waves`` asks
    for waveforms of the co-simulation in a window; ``True``: the first image on its way through the chip.

    Raises ValueError and OSError for what the user can mend, SimulatorNotFoundError, YosysNotFoundError,
    SimulationError. Tools that are missing are noticed before anything slow.
    """
    folder, cache = build / config.name, build / "simulators"

    def fresh(step: StepName) -> bool:
        return from_step is not None and STEPS.index(step) >= STEPS.index(from_step)

    def reached(step: StepName) -> bool:
        return STEPS.index(step) <= STEPS.index(until)

    _find_tools(config, until, simulators, waves=bool(waves))
    experiment = prepare(config)
    window = _window(experiment, waves)
    _make_folder(folder)
    (folder / "experiment.json").write_text(config.model_dump_json(indent=2) + "\n")
    bundles = generate(experiment, folder / "01-rtl", progress)
    outcome = Outcome(folder=folder, experiment=experiment, bundles=bundles)
    if reached("reference"):
        outcome = replace(outcome, references=refer(experiment, folder / "02-reference"))
    if reached("cosim"):
        runs = co_simulate(
            experiment,
            bundles,
            folder / "03-cosim",
            cache,
            progress,
            simulators=simulators,
            fresh=fresh("cosim"),
        )
        outcome = replace(outcome, runs=runs)
    if reached("cosim") and window:
        traces = trace_waves(
            experiment,
            bundles,
            folder / "03-cosim" / "waves",
            cache,
            progress,
            window,
            simulators=simulators,
            fresh=fresh("cosim"),
            agreeing=outcome.agreeing,
        )
        outcome = replace(outcome, waves=traces)
    if reached("energy"):
        energies = estimate(
            experiment,
            bundles,
            folder / "04-energy",
            cache,
            progress,
            fresh=fresh("energy"),
            agreeing=outcome.agreeing,
        )
        outcome = replace(outcome, energies=energies)
    if reached("report"):
        progress("writing report", 0, 1)
        complaints = {name: lint(bundle, bundle.folder / "lint") for name, bundle in bundles.items()}
        report = collect_report(
            experiment, bundles, complaints, outcome.references, outcome.runs, outcome.energies, command
        )
        write_report(report, folder)
        progress("writing report", 1, 1)
        outcome = replace(outcome, report=report)
    return outcome


def generate(experiment: Experiment, folder: Path, progress: Progress) -> dict[str, RtlBundle]:
    """Emit the chip of every back end to ``folder``, with its memory images."""
    bundles = {}
    for done, back_end in enumerate(experiment.back_ends.values()):
        progress("generating Verilog", done, len(experiment.back_ends), [back_end.name])
        bundles[back_end.name] = _emit(experiment.mapped, back_end, folder / back_end.name)
    progress("generating Verilog", len(bundles), len(bundles))
    return bundles


def refer(experiment: Experiment, folder: Path) -> dict[str, ReferenceRun]:
    """Run the golden model of every back end on all images, part by part; return those of the first part.

    Events and outputs of all parts stay in ``folder``.
    """
    references: dict[str, ReferenceRun] = {}
    for name in experiment.back_ends:
        (folder / name).mkdir(parents=True, exist_ok=True)
        for part in experiment.parts:
            run = _refer(experiment, name, part)
            np.savez_compressed(folder / name / f"{part.name}.npz", events=run.events, outputs=run.outputs)
            references.setdefault(name, run)
    return references


def _refer(experiment: Experiment, back_end: str, part: Part) -> ReferenceRun:
    models = experiment.back_ends[back_end].models
    return simulate_mapped(experiment.mapped, part.codes, models, first_step=part.first)


def co_simulate(
    experiment: Experiment,
    bundles: Mapping[str, RtlBundle],
    folder: Path,
    cache: Path,
    progress: Progress,
    *,
    simulators: Sequence[SimulatorName] = (),
    fresh: bool = False,
) -> list[SimulatedRun]:
    """Co-simulate the back ends, several parts at a time, and compare each with its golden model.

    A chip that calibrates itself does so in the first part and must find the golden model's trims, or
    SimulationError is raised. ``simulators`` runs every back end on these instead of what the experiment
    says.
    """
    parts = experiment.parts
    runs = {
        f"{back_end} on {simulator}": (back_end, simulator)
        for back_end, simulator in _runs(experiment.config, simulators)
    }
    tasks = {
        f"{name}, from image {part.first}" if part.first else name: partial(
            _simulate_part,
            experiment,
            back_end,
            bundles[back_end],
            simulator,
            part,
            folder / f"{back_end}-{simulator}",
            cache,
            fresh=fresh,
            calibrate=part.first == 0,
        )
        for name, (back_end, simulator) in runs.items()
        for part in parts
    }
    done = [*_in_parallel(tasks, "co-simulating", progress).values()]
    return [joined(done[first : first + len(parts)]) for first in range(0, len(done), len(parts))]


def co_simulate_chips(
    experiment: Experiment,
    chips: Mapping[str, Callable[[], Experiment]],
    bundle: RtlBundle,
    simulator: SimulatorName,
    folder: Path,
    cache: Path,
    progress: Progress,
    *,
    fresh: bool = False,
) -> dict[str, SimulatedRun]:
    """Co-simulate many manufactured chips of one mixed-signal design; compare each with its golden model.

    ``chips[name]`` draws ``experiment`` with that chip, when it is needed. The host loads the trims. Results
    of each chip lie in a folder named as it is.
    """

    def simulate(name: str, part: Part) -> SimulatedRun:
        run = _simulate_part(
            chips[name](),
            "mixed_signal",
            bundle,
            simulator,
            part,
            folder / name,
            cache,
            fresh=fresh,
            calibrate=False,
        )
        return replace(run, result=_WITHOUT_EVENTS)

    parts = experiment.parts
    tasks = {
        f"{name}, from image {part.first}" if part.first else name: partial(simulate, name, part)
        for name in chips
        for part in parts
    }
    done = iter(_in_parallel(tasks, "co-simulating chips", progress).values())
    return {name: joined([next(done) for _ in parts]) for name in chips}


def _simulate_part(
    experiment: Experiment,
    back_end: str,
    bundle: RtlBundle,
    simulator: SimulatorName,
    part: Part,
    folder: Path,
    cache: Path,
    *,
    fresh: bool,
    calibrate: bool,
) -> SimulatedRun:
    reference = _refer(experiment, back_end, part)
    job = cosim_job(
        experiment,
        back_end,
        bundle,
        simulator,
        part.codes,
        reference.n_steps,
        calibrate=calibrate,
        first_step=part.first,
        guess=reference.answers,
    )
    result = run_cosim(job, folder / part.name, cache, fresh=fresh)
    if calibrate:
        _check_trims(experiment, back_end, result, f"{back_end} on {simulator}")
    run = simulated_run(experiment.mapped, reference, result, back_end=back_end, simulator=simulator)
    return replace(run, result=_WITHOUT_EVENTS) if part.first else run


_WITHOUT_EVENTS = CosimResult(
    sent=np.zeros(0, np.uint64),
    received=np.zeros(0, np.uint64),
    step_cycles=np.zeros(0, np.int64),
    trace=None,
)
"""What is kept of parts but the first, so that memory does not grow with them."""


def trace_waves(
    experiment: Experiment,
    bundles: Mapping[str, RtlBundle],
    folder: Path,
    cache: Path,
    progress: Progress,
    window: Window,
    *,
    simulators: Sequence[SimulatorName] = (),
    fresh: bool = False,
    agreeing: bool = True,
) -> dict[str, Path]:
    """Simulate ``window`` again, traced; return the waveform of each back end.

    The run begins so many steps earlier that every layer works on its image when the window begins. Trims are
    loaded by the host, even if the chip can find them. Chips that were ``agreeing`` with their golden models
    must do so here as well, or SimulationError is raised. The first of ``simulators`` does it, by default
    Icarus, which has next to nothing to compile.
    """
    mapped = experiment.mapped
    start, end = max(0, window.first_step - mapped.depth), window.last_step + 1
    simulator = _tracing_simulator(simulators)

    def trace(name: str) -> Path:
        codes = experiment.codes[start:end]
        job = cosim_job(experiment, name, bundles[name], simulator, codes, end - start, first_step=start)
        job = replace(job, waves_from=window.first_step)
        result = run_cosim(job, folder / f"{name}-{simulator}", cache, fresh=fresh)
        if agreeing:
            models = experiment.back_ends[name].models
            reference = simulate_mapped(mapped, codes, models, first_step=start)
            _check_traced(reference, result, end, f"{name}: waves on {simulator}")
        if result.trace is None:
            raise ValueError("waves: the run must have been traced, got no trace")
        write_save_files(job.chip, [core.position for core in mapped.cores], result.trace, job.voltages)
        return result.trace

    tasks = {name: partial(trace, name) for name in experiment.back_ends}
    return _in_parallel(tasks, "tracing waves", progress)


def estimate(
    experiment: Experiment,
    bundles: Mapping[str, RtlBundle],
    folder: Path,
    cache: Path,
    progress: Progress,
    *,
    fresh: bool = False,
    agreeing: bool = True,
) -> dict[str, EnergyReport]:
    """Count the toggles of every back end in steady state, price them, add the analog charge.

    The steps counted are those in which every layer works on an image. Verilator counts them in one run; with
    Icarus a run stopped before them is subtracted from one stopped after them. Chips that were ``agreeing``
    with their golden models must do so here as well, or SimulationError is raised; the energy of others is
    counted for what they do. A chip that calibrates itself gets its trims from the host here, as after a
    power-up that need not calibrate again.
    """
    config, mapped = experiment.config, experiment.mapped
    table = load_table(config.energy.table)
    n_images = min(config.energy.images, len(experiment.labels))
    wanted = np.arange(n_images + mapped.depth) % len(experiment.labels)
    codes = experiment.codes[wanted]
    simulator = _counting_simulator(config)

    steady = range(mapped.depth, n_images + mapped.depth)

    def traced(name: str, n_steps: int, inventory: Inventory) -> Path:
        back_end = experiment.back_ends[name]
        reference = simulate_mapped(mapped, codes, back_end.models)
        job = cosim_job(
            experiment,
            name,
            bundles[name],
            simulator,
            codes,
            n_steps,
            trace="counts" if simulator == "verilator" else "vcd",
            guess=reference.answers,
        )
        if job.trace == "counts":
            job = replace(job, count_from=steady.start, counted=choose_nets(inventory))
        result = run_cosim(job, folder / name / f"steps-{n_steps}", cache, fresh=fresh)
        if agreeing:
            _check_traced(reference, result, n_steps, f"{name}: traced run on {simulator}")
        if result.trace is None:
            raise ValueError("activity: the run must have been traced, got no trace")
        return result.trace

    def price(name: str) -> EnergyReport:
        inventory = read_inventory([*bundles[name].sources, *bundles[name].stubs], CHIP_MODULE)
        whole = traced(name, steady.stop, inventory)
        if simulator == "icarus":
            before = read_vcd(traced(name, steady.start, inventory), CHIP_MODULE)
            activity = read_vcd(whole, CHIP_MODULE).since(before)
            return _price(experiment, name, inventory, activity, codes, n_images, table)
        report = _price(experiment, name, inventory, read_counts(whole), codes, n_images, table)
        labels = experiment.labels[wanted].tolist()
        return replace(
            report, toggle_table=tabulate_toggles(read_steps(whole), steady, mapped.delays, labels)
        )

    tasks = {name: partial(price, name) for name in experiment.back_ends}
    reports: dict[str, EnergyReport] = _in_parallel(tasks, "counting toggles", progress)
    for name, report in reports.items():
        (folder / name / "energy.json").write_text(json.dumps(report.to_dict(), indent=2) + "\n")
    return reports


def _find_tools(
    config: ExperimentConfig, until: StepName, simulators: Sequence[SimulatorName], *, waves: bool
) -> None:
    """Raise SimulatorNotFoundError or YosysNotFoundError if a step up to ``until`` would lack a program."""
    last = STEPS.index(until)
    needed: set[SimulatorName] = set()
    if last >= STEPS.index("cosim"):
        needed |= {simulator for _, simulator in _runs(config, simulators)}
        if waves:
            needed.add(_tracing_simulator(simulators))
    if last >= STEPS.index("energy"):
        needed.add(_counting_simulator(config))
        find_yosys()
    if last >= STEPS.index("report"):
        needed |= set(SIMULATORS)  # they also check the Verilog
    for simulator in sorted(needed):
        find_simulator(simulator)


def _tracing_simulator(simulators: Sequence[SimulatorName]) -> SimulatorName:
    return simulators[0] if simulators else "icarus"


def _window(experiment: Experiment, waves: bool | Window) -> Window | None:
    """Return the window of the waves that are asked for; raise ValueError if the run has no such steps."""
    depth = experiment.mapped.depth
    if isinstance(waves, bool):
        return Window(first_step=0, last_step=depth) if waves else None
    last_step = len(experiment.labels) + depth - 1
    if waves.last_step > last_step:
        raise ValueError(
            f"window: must end at time step {last_step} or before, the last of the run, "
            f"got {waves.first_step}:{waves.last_step}"
        )
    return waves


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OSError(f"{folder}: build folder must be one that can be made, got: {reason}") from error


def _counting_simulator(config: ExperimentConfig) -> SimulatorName:
    return "verilator" if "verilator" in config.cosim.simulators else "icarus"


def _emit(mapped: MappedNetwork, back_end: BackEnd, folder: Path) -> RtlBundle:
    engine = back_end.chip.tile.core.engine
    stubs = {}
    if isinstance(engine, AnalogArrayParameters):
        stubs[f"{engine.array_module}.v"] = verilog_stub(
            engine.array_module,
            engine.n_axons,
            engine.n_neurons,
            engine.mac.weight_width,
            engine.event_format.activation_width,
        )
    bundle = emit_chip(back_end.chip, folder, stubs)
    images = folder / "images"
    images.mkdir(exist_ok=True)
    for image in mapped.memory_images(back_end.chip):
        digits = -(-image.row_width // 4)
        path = images / f"tile_{image.x}_{image.y}_target_{image.target}.hex"
        path.write_text("".join(f"{row or 0:0{digits}x}\n" for row in image.rows))
    return bundle


def _runs(
    config: ExperimentConfig, simulators: Sequence[SimulatorName]
) -> Iterator[tuple[str, SimulatorName]]:
    chosen = simulators or config.cosim.simulators
    for back_end in config.back_ends.names:
        everywhere = simulators or back_end == "mixed_signal" or config.cosim.every_back_end
        for simulator in chosen if everywhere else chosen[:1]:
            yield back_end, simulator


def cosim_job(
    experiment: Experiment,
    back_end: str,
    bundle: RtlBundle,
    simulator: SimulatorName,
    codes: NDArray[np.uint8],
    n_steps: int,
    *,
    trace: TraceFormat | None = None,
    calibrate: bool = False,
    first_step: int = 0,
    guess: Mapping[Position, NDArray[np.int64]] | None = None,
) -> CosimJob:
    """Return the job that plays activation ``codes`` [image, input] into the chip of a back end.

    A chip that can find its trims does so first if it shall ``calibrate``; otherwise the host loads them.
    ``first_step`` and ``guess`` are those of :class:`~cosim.job.CosimJob`.
    """
    mapped = experiment.mapped
    chip, plan = experiment.back_ends[back_end].chip, experiment.back_ends[back_end].calibration
    trims = {} if calibrate else trim_words(experiment.back_ends[back_end].trims)
    return CosimJob(
        chip=chip,
        bundle=bundle,
        simulator=simulator,
        load_writes=tuple(load_writes(mapped.memory_images(chip, trims))),
        calibration=tuple(plan.accesses(mapped, chip)) if plan and calibrate else (),
        stimulus=tuple(mapped.input_flits(row) for row in codes),
        n_steps=n_steps,
        arrays=experiment.back_ends[back_end].arrays,
        watchdog=experiment.config.cosim.watchdog,
        trace=trace,
        bridge=experiment.config.cosim.bridge,
        first_step=first_step,
        guess=guess or {},
    )


def _in_parallel(tasks: Mapping[str, Callable[[], Any]], action: str, progress: Progress) -> dict[str, Any]:
    """Run ``tasks`` on all processors; return their results in order. The first failure ends the others."""
    under_way: list[str] = []
    n_done = 0
    lock = Lock()

    def work(name: str) -> Any:
        nonlocal n_done
        with lock:
            under_way.append(name)
            progress(action, n_done, len(tasks), under_way)
        result = tasks[name]()
        with lock:
            under_way.remove(name)
            n_done += 1
            progress(action, n_done, len(tasks), under_way)
        return result

    with ThreadPoolExecutor(cpu_count()) as pool:
        futures = {name: pool.submit(work, name) for name in tasks}
        try:
            for future in as_completed(futures.values()):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            while any(future.running() for future in futures.values()):
                stop_all()  # again and again: a task may be about to start its simulator
                time.sleep(0.05)
            raise
    return {name: future.result() for name, future in futures.items()}


def _check_traced(reference: ReferenceRun, result: CosimResult, end: int, what: str) -> None:
    """Raise SimulationError if a traced run sent other events than the golden model before step ``end``."""
    expected = up_to_step(reference.events, end)
    if not np.array_equal(expected, result.sent):
        raise SimulationError(f"{what}: must send the {len(expected)} events of the golden model, got others")


def _check_trims(experiment: Experiment, back_end: str, result: CosimResult, what: str) -> None:
    """Raise SimulationError if a chip has found other trims than the golden model."""
    expected = experiment.back_ends[back_end].trims
    if not expected:
        return
    found = read_trims(experiment.mapped, result.reads)
    n_wrong = sum(int((found[place] != trims).any(axis=1).sum()) for place, trims in expected.items())
    if n_wrong:
        raise SimulationError(
            f"{what}: must find the trims of the golden model, got others for {n_wrong} neurons"
        )


def _price(
    experiment: Experiment,
    name: str,
    inventory: Inventory,
    activity: Activity,
    codes: NDArray[np.uint8],
    n_images: int,
    table: PriceTable,
) -> EnergyReport:
    config, mapped = experiment.config, experiment.mapped
    back_end = experiment.back_ends[name]
    reference = simulate_mapped(mapped, codes, back_end.models)
    counted = slice(mapped.depth, mapped.depth + n_images)
    n_sops = sum(
        int(
            np.count_nonzero(
                reference.input_codes[core.position][counted, : mapped.n_axons - mapped.n_bias_axons]
            )
        )
        * core.n_neurons
        for core in mapped.cores
    )
    analog: dict[str, float] = {}
    engine = back_end.chip.tile.core.engine
    if isinstance(engine, AnalogArrayParameters):
        for position, bank in back_end.banks.items():
            items = bank.energy(
                reference.input_codes[position][counted],
                evaluation_time=engine.settle_cycles / config.chip.clock,
            )
            for item, joules in items.items():
                analog[item] = analog.get(item, 0.0) + joules
    return estimate_energy(
        activity,
        inventory,
        table,
        clock_hz=config.chip.clock,
        supply=config.energy.supply,
        temperature=config.energy.temperature,
        n_inferences=n_images,
        n_macs=n_images * experiment.network.n_macs,
        n_sops=n_sops,
        analog_energy=analog,
    )
