"""The Python side of a co-simulation: answers for the analog arrays while the simulator runs.

cocotb loads this module into the simulator. The harness has the clock and plays the stimulus; Python sleeps
until ``wake`` toggles, once per evaluation, evaluates every array and writes its codes back. An evaluation
while the host still loads is one of a calibration: these are counted from 0, and have noise of their own.
"""

import os
from functools import reduce
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
import numpy.typing as npt
from cocotb.triggers import FallingEdge, First, RisingEdge, Timer, ValueChange

from analog_models.neuron import MixedSignalNeuronBank

from .arrays import JOB_VARIABLE, ArrayJob, calibration_noise, read_array_jobs
from .boundary import VOLTAGES, array_path

__all__ = ["play"]


class _Array:
    """One array's model behind its ports; gets its weights and trims from what the hardware put there."""

    def __init__(self, dut: Any, job: ArrayJob, rows: dict[int, int], calibrating: bool) -> None:
        self._input_codes = getattr(dut, f"input_codes_{job.suffix}")
        self._output_codes = getattr(dut, f"output_codes_{job.suffix}")
        n_neurons, n_axons = job.draw.n_neurons, job.draw.n_axons
        codes = np.zeros((n_axons, n_neurons), dtype=np.int64)
        for axon, row in rows.items():
            codes[axon] = _fields(row, n_neurons, 8)
        weights = np.where(codes & 0x80, -(codes & 0x7F), codes).T
        self._activation_width = job.code_max.bit_length()
        self._n_axons = n_axons
        self._offset_trims = getattr(dut, f"offset_trims_{job.suffix}")
        self._gain_trims = getattr(dut, f"gain_trims_{job.suffix}")
        self._trims = (0, 0)
        self._voltages = _voltages(dut, job) if "waves" in cocotb.plusargs else {}
        self._bank: MixedSignalNeuronBank = job.parameters.bank(
            job.draw,
            weights=weights,
            gain=int(getattr(dut, f"gain_{job.suffix}").value),
            shift=int(getattr(dut, f"shift_{job.suffix}").value),
            code_max=job.code_max,
            noise_seed=calibration_noise(job.noise_seed) if calibrating else job.noise_seed,
            evaluation_time=job.evaluation_time,
        )

    def evaluate(self, step: int) -> None:
        """Answer the codes that the array sees in ``step``, a time step or an evaluation of a calibration."""
        if (trims := (int(self._offset_trims.value), int(self._gain_trims.value))) != self._trims:
            self._trims = trims
            offset_trim, gain_trim = (_signed_bytes(word, self._bank.n_neurons) for word in trims)
            self._bank = self._bank.with_trims(offset_trim=offset_trim, gain_trim=gain_trim)
        inputs = _fields(int(self._input_codes.value), self._n_axons, self._activation_width)
        evaluation = self._bank.evaluate(inputs[np.newaxis], first_step=step)
        self._output_codes.value = _packed(evaluation.codes[0], self._activation_width)
        for name, variables in self._voltages.items():
            for variable, voltage in zip(variables, getattr(evaluation, name)[0].tolist(), strict=True):
                variable.value = voltage


@cocotb.test()
async def play(dut: Any) -> None:
    """Answer until the harness is done; fail if it hangs."""
    folder = Path(os.environ[JOB_VARIABLE])
    jobs = read_array_jobs(folder)
    arrays: list[_Array] = []
    loads, n_calibrating = -1, 0
    await FallingEdge(dut.rst)
    done = RisingEdge(dut.done)
    wake = ValueChange(dut.wake)
    while jobs and await First(wake, done) is wake:
        calibrating = bool(dut.loading.value)
        if loads != (loads := int(dut.n_loads.value)):  # something was loaded since the last look
            arrays = _loaded_arrays(dut, jobs, folder / "weights.txt", calibrating)
        step = int(dut.n_steps_done.value) - 1  # the strobe that ended the step was counted already
        if calibrating:
            step, n_calibrating = n_calibrating, n_calibrating + 1
        for array in arrays:
            array.evaluate(step)
    if not jobs:
        await done
    await Timer(1, "ns")  # what changes in the very last moment would not be in Verilator's traces
    if int(dut.refused.value):
        raise RuntimeError(f"register access {int(dut.n_loads.value)} was refused")
    if int(dut.hung.value):
        raise RuntimeError(f"step {int(dut.n_steps_done.value)} did not end: the watchdog bit, see the log")


def _loaded_arrays(dut: Any, jobs: list[ArrayJob], path: Path, calibrating: bool) -> list[_Array]:
    """Return a model for each array that weights were written to, in the order in which they were written."""
    rows: dict[tuple[int, int], dict[int, int]] = {}
    for line in path.read_text().splitlines():
        x, y, row, weights = line.split()
        rows.setdefault((int(x), int(y)), {})[int(row)] = int(weights, 16)
    return [_Array(dut, job, rows[job.x, job.y], calibrating) for job in jobs if (job.x, job.y) in rows]


def _voltages(dut: Any, job: ArrayJob) -> dict[str, list[Any]]:
    """Return the real variables [post] of an array's view that show its voltages."""
    array = reduce(getattr, array_path((job.x, job.y)).split("."), dut)
    return {
        name: [getattr(array, f"{name}_{index}") for index in range(job.draw.n_neurons)] for name in VOLTAGES
    }


def _fields(word: int, count: int, width: int) -> npt.NDArray[np.int64]:
    """Return ``count`` fields of ``width`` bits of ``word``, low field first."""
    raw = np.frombuffer(word.to_bytes(-(-count * width // 8), "little"), dtype=np.uint8)
    if width == 8:
        return raw.astype(np.int64)
    bits = np.unpackbits(raw, bitorder="little")[: count * width].reshape(count, width)
    return bits.astype(np.int64) @ (1 << np.arange(width))


def _packed(codes: npt.NDArray[np.int64], width: int) -> int:
    """Return the word whose fields of ``width`` bits are ``codes``, low field first."""
    bits = (codes[:, np.newaxis] >> np.arange(width)) & 1
    return int.from_bytes(np.packbits(bits.astype(np.uint8).ravel(), bitorder="little").tobytes(), "little")


def _signed_bytes(word: int, count: int) -> npt.NDArray[np.int64]:
    """Return ``count`` two's complement bytes of ``word``, low byte first."""
    return _fields(word, count, 8).astype(np.int8).astype(np.int64)
