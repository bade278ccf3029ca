"""A co-simulation as a job on disk: what the simulator plays, what models it is given, what came out."""

import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

import analog_models
from analog_models.array import ArrayDraw, ArrayParameters
from rtl_gen.boundary.analog_array import AnalogArrayParameters
from rtl_gen.chip import ChipParameters
from rtl_gen.emit import RtlBundle
from rtl_gen.fabric.route import Address
from rtl_gen.host.loader import Access, AccessKind

from . import compiled, simulator
from .activity import CountedNet
from .arrays import JOB_VARIABLE, ArrayJob, write_array_jobs
from .boundary import Bridge, array_view, counted_signals, public_signals, render_harness
from .events import EventKeys
from .simulator import SimulationError, SimulatorName, TraceFormat
from .waves import WAVES_FILE, escape_names

__all__ = ["AnalogArrays", "CosimJob", "CosimResult", "run_cosim"]

_COCOTB_MAIN = Path(__file__).parent / "templates" / "cocotb_main.cpp"
"""The main function of Verilator's program under cocotb."""

_RESULT = "result.npz"
"""What a finished run leaves; written last."""

_COUNTED = "counted.nets"
"""What the counting program reads: a line per net with its path, its name and its bits that count by step."""

_EVENT_LOGS = ("sent.bin", "received.bin")

_SAVED = ("sent", "received", "step_cycles", "reads")


@dataclass(frozen=True, kw_only=True, eq=False)
class AnalogArrays:
    """The manufactured arrays behind a mixed-signal chip: one design, a draw and a noise seed per tile.

    ``evaluation_time`` [s] is how long their lines settle in each step; infinite: until they have.
    """

    parameters: ArrayParameters
    draws: Mapping[Address, ArrayDraw]
    noise_seeds: Mapping[Address, int]
    evaluation_time: float = math.inf


@dataclass(frozen=True, kw_only=True, eq=False)
class CosimJob:
    """One run of a chip.

    Parameters
    ----------
    load_writes :
        Register writes (byte address, value) before the first step; the harness plays them over the bus.
    calibration :
        What the host does over the same bus before that; see :mod:`rtl_gen.host.loader`.
    stimulus :
        A list per time step of the flits that the host sends in it; steps after the last are empty.
    n_steps, first_step :
        How many steps to run, and the number of the first; noise is that of the steps' numbers.
    watchdog :
        Cycles within which every step, and every search of a calibration, must end.
    stall :
        Both event streams of the host pause in a cycle with probability ``stall / 256``.
    bridge :
        How Verilator meets the arrays: as a ``compiled`` program that meets them once per run, see
        :mod:`cosim.compiled`; under ``cocotb``, with Python woken once per step and the clock in a C++ main
        of ours; or with cocotb's ``stock`` main and the clock in Verilog, the reference.
    guess :
        Codes ``[step, neuron]`` that the arrays may answer. A good guess saves time; results do not depend
        on it.
    trace :
        What is written of the nets of the chip: its waveform from reset on, or ``counts``, toggles and times
        high from the end of step ``count_from`` on, for which Verilator must do without a calibration.
    counted :
        The names that are counted then; without any, every name is, which takes more than twice as long.
    waves_from :
        Ask, instead, for ``waves.vcd``, with all nets and the analog arrays' voltages, from this step on.
    """

    chip: ChipParameters
    bundle: RtlBundle
    simulator: SimulatorName
    load_writes: Sequence[tuple[int, int]]
    stimulus: Sequence[ArrayLike]
    n_steps: int
    arrays: AnalogArrays | None = None
    calibration: Sequence[Access] = ()
    watchdog: int = 100_000
    stall: int = 0
    trace: TraceFormat | None = None
    bridge: Bridge = "cocotb"
    guess: Mapping[Address, NDArray[np.int64]] = field(default_factory=dict)
    first_step: int = 0
    count_from: int = 0
    counted: Sequence[CountedNet] = ()
    waves_from: int | None = None

    @property
    def voltages(self) -> tuple[str, ...]:
        """The voltages of the arrays that the waves show, if any."""
        return self.arrays.parameters.voltages if self.arrays and self.waves_from is not None else ()

    @property
    def bridge_taken(self) -> Bridge:
        """The bridge, or the fastest one that can do this run.

        Icarus and dumps have only the stock one; a calibration, whose length its answers steer, needs Python.
        """
        if self.simulator == "icarus" or self.trace in ("vcd", "saif") or self.waves_from is not None:
            return "stock"
        bridge = "compiled" if self.trace == "counts" else self.bridge
        return "cocotb" if bridge == "compiled" and self.calibration else bridge


@dataclass(frozen=True, kw_only=True, eq=False)
class CosimResult:
    """What came out of a run.

    Parameters
    ----------
    sent, received :
        Sorted keys of the events that entered and that left the fabric. A received event does not know its
        source, which is 0.
    step_cycles :
        ``[step]``, clock cycles from the end of loading to the end of each step.
    trace :
        The waveform, if one was asked for.
    reads :
        What the host has read before the first step, in order.
    """

    sent: EventKeys
    received: EventKeys
    step_cycles: NDArray[np.int64]
    trace: Path | None
    reads: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))


def run_cosim(job: CosimJob, folder: Path, cache: Path, *, fresh: bool = False) -> CosimResult:
    """Run ``job`` in ``folder``; simulators are built under ``cache``.

    A run that ended there before is not repeated, if nothing about the job has changed, unless ``fresh``.
    Raises SimulationError or SimulatorNotFoundError; what the simulator wrote stays in ``folder``. OSError,
    as for a full disk, names ``folder`` or a file.
    """
    try:
        return _run(job, folder, cache, fresh=fresh)
    except OSError as error:
        if error.filename is not None:
            raise
        raise OSError(f"{folder}: {(error.strerror or str(error)).lower()}") from error


def _run(job: CosimJob, folder: Path, cache: Path, *, fresh: bool) -> CosimResult:
    folder.mkdir(parents=True, exist_ok=True)
    sources = _write_inputs(job, folder)
    trace_format, trace = job.trace, folder / f"activity.{job.trace}" if job.trace else None
    if job.waves_from is not None:
        trace_format, trace = "vcd", folder / WAVES_FILE
    if job.trace == "counts" and job.bridge_taken != "compiled":
        raise ValueError("co-simulation: counts must be of Verilator, without calibration")
    arguments = [
        f"+first_step={job.first_step}",
        f"+steps={job.first_step + job.n_steps}",
        f"+watchdog={job.watchdog}",
        f"+stall={job.stall}",
        *([f"+waves={job.waves_from}"] if job.waves_from is not None else []),
        *([f"+count_from={job.count_from}"] if job.trace == "counts" else []),
    ]
    inputs = [
        folder / "load.bin",
        folder / "stimulus.bin",
        folder / "arrays.json",
        *([folder / _COUNTED] if job.trace == "counts" else []),
        *folder.glob("draw_*.npz"),
    ]
    key = simulator.content_key(
        [job.simulator, str(trace_format), job.bridge_taken, *arguments],
        [*sources, *sorted(inputs), *_own_sources()],
    )
    if not fresh and (trace is None or trace.is_file()) and (result := _saved(folder / _RESULT, key, trace)):
        return result

    (folder / _RESULT).unlink(missing_ok=True)
    _simulate(job, folder, cache, sources, arguments, trace_format, trace)
    if trace and job.waves_from is not None and job.simulator == "verilator":
        escape_names(trace)
    result = _read_logs(folder, job, trace)
    with (folder / f"{_RESULT}.part").open("wb") as file:
        np.savez(file, key=key, **{name: getattr(result, name) for name in _SAVED})
    (folder / f"{_RESULT}.part").replace(folder / _RESULT)
    for name in _EVENT_LOGS:
        (folder / name).unlink()  # large, and in the result
    return result


def _simulate(
    job: CosimJob,
    folder: Path,
    cache: Path,
    sources: Sequence[Path],
    arguments: Sequence[str],
    trace_format: TraceFormat | None,
    trace: Path | None,
) -> None:
    build = partial(simulator.build, job.simulator, sources=sources, top="harness", cache=cache)
    if job.bridge_taken == "compiled":
        engine = job.chip.tile.core.engine
        if job.trace == "counts":
            counted = counted_signals(job.counted, folder / "public.vlt")
            design = build(main=compiled.COUNTING_MAIN, public=counted, trace=job.trace, alone=True)
        else:
            design = build(main=compiled.MAIN, alone=True)
        if isinstance(engine, AnalogArrayParameters):
            widths = {name: width for name, (_, width) in engine.array_ports.items()}
            places = job.chip.tile_addresses
            compiled.relax(design, _array_jobs(job), widths, places, job.guess, folder, arguments)
        else:
            simulator.run_program(design, folder=folder, plusargs=arguments)
        return
    touched = None
    if job.simulator == "verilator":
        touched = public_signals(job.chip, folder / "public.vlt", job.voltages)
    simulator.run(
        build(
            public=touched, trace=trace_format, main=_COCOTB_MAIN if job.bridge_taken == "cocotb" else None
        ),
        test_module="cosim.driver",
        folder=folder,
        environment={
            JOB_VARIABLE: str(folder.resolve()),
            "OPENBLAS_NUM_THREADS": "1",  # products for one step are small, and jobs run side by side
        },
        plusargs=arguments,
        trace_file=trace.resolve() if trace and job.waves_from is None else None,
    )


def _saved(path: Path, key: str, trace: Path | None) -> CosimResult | None:
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file) as saved:
            if str(saved["key"]) != key:
                return None
            return CosimResult(trace=trace, **{name: saved[name] for name in _SAVED})
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile):
        return None  # damaged: as if it were not there


def _write_inputs(job: CosimJob, folder: Path) -> list[Path]:
    """Write all that the simulation reads; return its Verilog sources."""
    engine = job.chip.tile.core.engine
    sources = [*job.bundle.sources]
    if isinstance(engine, AnalogArrayParameters):
        sources.append(folder / "analog_array.v")
        sources[-1].write_text(array_view(engine, job.voltages))
    sources.append(folder / "harness.v")
    sources[-1].write_text(
        render_harness(
            job.chip,
            job.bundle.ports,
            dump=job.trace == "vcd" and job.simulator == "icarus" and job.waves_from is None,
            waves=None if job.waves_from is None else WAVES_FILE,
            bridge=job.bridge_taken,
        )
    )
    _accesses(job.calibration, job.load_writes).tofile(folder / "load.bin")
    _beats(job.stimulus, job.n_steps).tofile(folder / "stimulus.bin")
    write_array_jobs(_array_jobs(job), folder)
    if job.trace == "counts":
        paths = ["".join(f".{part}" for part in net.instance) for net in job.counted]
        lines = [
            f"{path}\t{net.name}\t{net.by_step:x}\n" for path, net in zip(paths, job.counted, strict=True)
        ]
        (folder / _COUNTED).write_text("".join(lines))
    return sources


def _own_sources() -> list[Path]:
    """Return what runs around and inside the simulator, Python and C++: what comes out depends on it, too."""
    packages = [Path(__file__).parent, Path(str(analog_models.__file__)).parent]
    files = (path for package in packages for path in package.rglob("*") if path.suffix in (".py", ".cpp"))
    return sorted(files)


def _accesses(calibration: Sequence[Access], load_writes: Sequence[tuple[int, int]]) -> NDArray[np.uint32]:
    """Return what the host does before the first step: [access, (kind, address, value)]."""
    loads = np.zeros((len(load_writes), 3), np.int64)
    loads[:, 0] = AccessKind.WRITE
    loads[:, 1:] = np.array(load_writes, np.int64).reshape(-1, 2)
    before = np.array(calibration, np.int64).reshape(-1, 3)
    return np.concatenate([before, loads], dtype=">u4", casting="unsafe")


def _beats(stimulus: Sequence[ArrayLike], n_steps: int) -> NDArray[np.uint64]:
    """Return the beats that the host sends, each a flit, or with its highest bit set the end of a step."""
    last = np.array([1 << 63], np.uint64)
    beats = [np.asarray(part, np.uint64) for flits in stimulus for part in (flits, last)]
    return np.concatenate([*beats, *[last] * (n_steps - len(stimulus))], dtype=">u8")


def _array_jobs(job: CosimJob) -> list[ArrayJob]:
    if job.arrays is None:
        return []
    return [
        ArrayJob(
            x=x,
            y=y,
            parameters=job.arrays.parameters,
            draw=draw,
            noise_seed=job.arrays.noise_seeds[x, y],
            code_max=job.chip.event_format.payload_max,
            evaluation_time=job.arrays.evaluation_time,
        )
        for (x, y), draw in job.arrays.draws.items()
    ]


def _read_logs(folder: Path, job: CosimJob, trace: Path | None) -> CosimResult:
    log = folder / "log.txt"
    lines = [line.split() for line in log.read_text().splitlines()] if log.is_file() else []
    if not lines or lines[-1][0] != "end":
        raise SimulationError(
            f"{log}: must end with a line 'end'; the simulation broke off\n"
            f"{simulator.last_lines(folder / 'simulation.log')}"
        )
    numbers = {kind: [int(line[1]) for line in lines if line[0] == kind] for kind in ("step", "read")}
    events = []
    for name, count in zip(_EVENT_LOGS, map(int, lines[-1][1:]), strict=True):
        events.append(np.sort(np.fromfile(folder / name, "<u8")).astype(np.uint64, copy=False))
        if len(events[-1]) != count:
            raise SimulationError(f"{folder / name}: must hold {count} events, got {len(events[-1])}")
    sent, received = events
    return CosimResult(
        sent=sent,
        received=received,
        step_cycles=np.array(numbers["step"][: job.n_steps], np.int64),
        trace=trace,
        reads=np.array(numbers["read"], np.int64),
    )
