"""A co-simulation as a job on disk: what the simulator plays, what models it is given, what came out."""

import math
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import analog_models
from analog_models.neuron import MixedSignalNeuronDraw, MixedSignalNeuronParameters
from rtl_gen.boundary.analog_array import AnalogArrayParameters
from rtl_gen.chip import ChipParameters
from rtl_gen.emit import RtlBundle
from rtl_gen.fabric.route import Address
from rtl_gen.host.loader import Access, writes

from . import simulator
from .arrays import JOB_VARIABLE, ArrayJob, write_array_jobs
from .boundary import array_view, public_signals, render_harness
from .events import EventKeys, event_keys
from .simulator import SimulationError, SimulatorName, TraceFormat
from .waves import WAVES_FILE, escape_names

__all__ = ["AnalogArrays", "CosimJob", "CosimResult", "run_cosim"]

_SENT, _RECEIVED, _STEP, _READ = 0, 1, 2, 3
"""Kinds of lines in the harness's log."""

_RESULT = "result.npz"
"""What a finished run leaves; written last."""

_SAVED = ("sent", "received", "step_cycles", "reads")


@dataclass(frozen=True, kw_only=True, eq=False)
class AnalogArrays:
    """The manufactured arrays behind a mixed-signal chip: one design, a draw and a noise seed per tile.

    ``evaluation_time`` [s] is how long their lines settle in each step; infinite: until they have.
    """

    parameters: MixedSignalNeuronParameters
    draws: Mapping[Address, MixedSignalNeuronDraw]
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
    trace :
        Ask for the chip's waveform from reset on, to count toggles.
    waves_from :
        Ask, instead, for ``waves.vcd``, with all nets and the analog arrays' voltages, from this step on.
    """

    chip: ChipParameters
    bundle: RtlBundle
    simulator: SimulatorName
    load_writes: Iterable[tuple[int, int]]
    stimulus: Iterable[Iterable[int]]
    n_steps: int
    arrays: AnalogArrays | None = None
    calibration: Iterable[Access] = ()
    watchdog: int = 100_000
    stall: int = 0
    trace: TraceFormat | None = None
    first_step: int = 0
    waves_from: int | None = None


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
    Raises SimulationError or SimulatorNotFoundError; what the simulator wrote stays in ``folder``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sources = _write_inputs(job, folder)
    trace_format, trace = job.trace, folder / f"activity.{job.trace}" if job.trace else None
    if job.waves_from is not None:
        trace_format, trace = "vcd", folder / WAVES_FILE
    arguments = [
        "+load=load.txt",
        "+stimulus=stimulus.txt",
        "+log=events.txt",
        "+weights=weights.txt",
        f"+first_step={job.first_step}",
        f"+steps={job.first_step + job.n_steps}",
        f"+watchdog={job.watchdog}",
        f"+stall={job.stall}",
        *([f"+waves={job.waves_from}"] if job.waves_from is not None else []),
    ]
    inputs = [
        folder / "load.txt",
        folder / "stimulus.txt",
        folder / "arrays.json",
        *folder.glob("draw_*.npz"),
    ]
    key = simulator.content_key(
        [job.simulator, str(trace_format), *arguments], [*sources, *sorted(inputs), *_python_sources()]
    )
    if not fresh and (trace is None or trace.is_file()) and (result := _saved(folder / _RESULT, key, trace)):
        return result

    (folder / _RESULT).unlink(missing_ok=True)
    public = public_signals(job.chip, folder / "public.vlt") if job.simulator == "verilator" else None
    design = simulator.build(
        job.simulator,
        sources=sources,
        top="harness",
        cache=cache,
        public=public,
        trace=trace_format,
    )
    simulator.run(
        design,
        test_module="cosim.driver",
        folder=folder,
        environment={JOB_VARIABLE: str(folder.resolve())},
        plusargs=arguments,
        trace_file=trace.resolve() if trace and job.waves_from is None else None,
    )
    if trace and job.waves_from is not None and job.simulator == "verilator":
        escape_names(trace)
    result = _read_log(folder / "events.txt", job, trace)
    with (folder / f"{_RESULT}.part").open("wb") as file:
        np.savez(file, key=key, **{name: getattr(result, name) for name in _SAVED})
    (folder / f"{_RESULT}.part").replace(folder / _RESULT)
    return result


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
        sources[-1].write_text(array_view(engine, waves=job.waves_from is not None))
    sources.append(folder / "harness.v")
    dump = job.trace == "vcd" and job.simulator == "icarus" and job.waves_from is None
    waves = None if job.waves_from is None else WAVES_FILE
    sources[-1].write_text(render_harness(job.chip, job.bundle.ports, dump=dump, waves=waves))
    with (folder / "load.txt").open("w") as file:
        accesses = chain(job.calibration, writes(job.load_writes))
        file.writelines(f"{kind:x} {address:x} {value:x}\n" for kind, address, value in accesses)
    with (folder / "stimulus.txt").open("w") as file:
        file.writelines(_stimulus_lines(job.stimulus, job.n_steps))
    write_array_jobs(_array_jobs(job), folder)
    return sources


def _python_sources() -> list[Path]:
    """Return the Python that runs around and inside the simulator: what comes out depends on it, too."""
    packages = [Path(__file__).parent, Path(str(analog_models.__file__)).parent]
    return [path for package in packages for path in sorted(package.rglob("*.py"))]


def _stimulus_lines(stimulus: Iterable[Iterable[int]], n_steps: int) -> Iterator[str]:
    """Yield a line per beat: whether it closes the step, and the flit."""
    steps = 0
    for flits in stimulus:
        yield from (f"0 {flit:x}\n" for flit in flits)
        yield "1 0\n"
        steps += 1
    yield from ("1 0\n" for _ in range(steps, n_steps))


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


def _read_log(path: Path, job: CosimJob, trace: Path | None) -> CosimResult:
    words = path.read_bytes().split()
    if not words or words.pop() != b"end":
        raise SimulationError(f"{path}: must end with a line 'end'; the simulation broke off")
    kind, step, x, y, word = np.array(words, dtype=np.int64).reshape(-1, 5).T
    event_format = job.chip.event_format
    payload_width, axon_width = event_format.payload_width, event_format.axon_width
    place = word >> (payload_width + axon_width)

    def keys(of_kind: int, **fields: NDArray[np.int64]) -> EventKeys:
        chosen = (kind == of_kind) & (step < job.first_step + job.n_steps)
        fields |= {
            "step": step,
            "payload": word & ((1 << payload_width) - 1) if payload_width else np.ones_like(word),
            "axon": (word >> payload_width) & ((1 << axon_width) - 1),
        }
        return np.sort(event_keys(**{name: field[chosen] for name, field in fields.items()}))

    y_width = event_format.y_width
    return CosimResult(
        sent=keys(_SENT, source_x=x, source_y=y, x=place >> y_width, y=place & ((1 << y_width) - 1)),
        received=keys(_RECEIVED, x=x, y=y),
        step_cycles=word[kind == _STEP],
        trace=trace,
        reads=word[kind == _READ],
    )
