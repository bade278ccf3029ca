"""A co-simulation as a job on disk: what the simulator plays, what models it is given, what came out."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analog_models.neuron import MixedSignalNeuronDraw, MixedSignalNeuronParameters
from rtl_gen.boundary.analog_array import AnalogArrayParameters
from rtl_gen.chip import ChipParameters
from rtl_gen.emit import RtlBundle
from rtl_gen.fabric.route import Address

from . import simulator
from .arrays import JOB_VARIABLE, ArrayJob, write_array_jobs
from .boundary import array_view, public_signals, render_harness
from .events import EventKeys, event_keys
from .simulator import SimulationError, SimulatorName, TraceFormat

__all__ = ["AnalogArrays", "CosimJob", "CosimResult", "run_cosim", "stimulus_lines"]

_SENT, _RECEIVED, _END = 0, 1, 2
"""Kinds of lines in the harness's log."""


@dataclass(frozen=True, kw_only=True, eq=False)
class AnalogArrays:
    """The manufactured arrays behind a mixed-signal chip: one design, a draw and a noise seed per tile."""

    parameters: MixedSignalNeuronParameters
    draws: Mapping[Address, MixedSignalNeuronDraw]
    noise_seeds: Mapping[Address, int]


@dataclass(frozen=True, kw_only=True, eq=False)
class CosimJob:
    """One run of a chip.

    Parameters
    ----------
    load_writes :
        Register writes (byte address, value) before the first step; the harness plays them over the bus.
    stimulus :
        A list per time step of the flits that the host sends in it; steps after the last are empty.
    n_steps :
        How many steps to run.
    watchdog :
        Cycles within which every step must end.
    stall :
        Both event streams of the host pause in a cycle with probability ``stall / 256``.
    """

    chip: ChipParameters
    bundle: RtlBundle
    simulator: SimulatorName
    load_writes: Iterable[tuple[int, int]]
    stimulus: Iterable[Iterable[int]]
    n_steps: int
    arrays: AnalogArrays | None = None
    watchdog: int = 100_000
    stall: int = 0
    trace: TraceFormat | None = None


@dataclass(frozen=True, kw_only=True, eq=False)
class CosimResult:
    """What came out: keys of the events that entered and that left the fabric, and the clock cycles it took.

    ``n_cycles`` counts from the end of loading. A received event does not know its source, which is 0.
    ``trace`` is the waveform of the chip, if one was asked for.
    """

    sent: EventKeys
    received: EventKeys
    n_cycles: int
    n_steps: int
    trace: Path | None


def run_cosim(job: CosimJob, folder: Path, cache: Path) -> CosimResult:
    """Run ``job`` in ``folder``; simulators are built under ``cache``.

    Raises SimulationError or SimulatorNotFoundError; what the simulator wrote stays in ``folder``.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    engine = job.chip.tile.core.engine
    dump = job.trace == "vcd" and job.simulator == "icarus"
    sources = [*job.bundle.sources]
    if isinstance(engine, AnalogArrayParameters):
        sources.append(folder / "analog_array.v")
        sources[-1].write_text(array_view(engine))
    sources.append(folder / "harness.v")
    sources[-1].write_text(render_harness(job.chip, job.bundle.ports, dump=dump))
    design = simulator.build(
        job.simulator,
        sources=sources,
        top="harness",
        cache=cache,
        public=public_signals(job.chip, folder / "public.vlt") if job.simulator == "verilator" else None,
        trace=job.trace if job.simulator == "verilator" else None,
    )

    with (folder / "load.txt").open("w") as file:
        file.writelines(f"{address:x} {value:x}\n" for address, value in job.load_writes)
    with (folder / "stimulus.txt").open("w") as file:
        file.writelines(stimulus_lines(job.stimulus, job.n_steps))
    write_array_jobs(_array_jobs(job), folder)
    trace = folder / f"activity.{job.trace}" if job.trace else None
    simulator.run(
        design,
        test_module="cosim.driver",
        folder=folder,
        environment={JOB_VARIABLE: str(folder.resolve())},
        plusargs=[
            "+load=load.txt",
            "+stimulus=stimulus.txt",
            "+log=events.txt",
            "+weights=weights.txt",
            f"+steps={job.n_steps}",
            f"+watchdog={job.watchdog}",
            f"+stall={job.stall}",
        ],
        trace_file=trace.resolve() if trace else None,
    )
    return _read_log(folder / "events.txt", job, trace)


def stimulus_lines(stimulus: Iterable[Iterable[int]], n_steps: int) -> Iterable[str]:
    """Yield a line per beat: whether it closes the step, and the flit."""
    steps = 0
    for flits in stimulus:
        for flit in flits:
            yield f"0 {flit:x}\n"
        yield "1 0\n"
        steps += 1
    for _ in range(steps, n_steps):
        yield "1 0\n"


def _array_jobs(job: CosimJob) -> list[ArrayJob]:
    if job.arrays is None:
        return []
    code_max = job.chip.event_format.payload_max
    return [
        ArrayJob(
            x=x,
            y=y,
            parameters=job.arrays.parameters,
            draw=draw,
            noise_seed=job.arrays.noise_seeds[x, y],
            code_max=code_max,
        )
        for (x, y), draw in job.arrays.draws.items()
    ]


def _read_log(path: Path, job: CosimJob, trace: Path | None) -> CosimResult:
    numbers = np.array(path.read_bytes().split(), dtype=np.int64).reshape(-1, 5)
    if not len(numbers) or numbers[-1, 0] != _END:
        raise SimulationError(f"{path}: must end with the number of cycles; the simulation broke off")
    n_cycles = int(numbers[-1, 1])
    kind, step, x, y, word = numbers[numbers[:, 1] < job.n_steps].T
    event_format = job.chip.event_format
    payload_width, axon_width = event_format.payload_width, event_format.axon_width
    fields = {
        "step": step,
        "payload": word & ((1 << payload_width) - 1) if payload_width else np.ones_like(word),
        "axon": (word >> payload_width) & ((1 << axon_width) - 1),
    }
    place = word >> (payload_width + axon_width)
    y_width = event_format.y_width
    sent = event_keys(
        **fields, source_x=x, source_y=y, x=place >> y_width, y=place & ((1 << y_width) - 1)
    )
    received = event_keys(**fields, x=x, y=y)
    return CosimResult(
        sent=np.sort(sent[kind == _SENT]),
        received=np.sort(received[kind == _RECEIVED]),
        n_cycles=n_cycles,
        n_steps=job.n_steps,
        trace=trace,
    )
