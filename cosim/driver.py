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

from .arrays import JOB_VARIABLE, ArrayJob, packed, read_array_jobs, read_rows, signed_bytes, unpacked
from .boundary import VOLTAGES, array_path

__all__ = ["play"]


class _Array:
    """One array's model behind its ports; gets its weights and trims from what the hardware put there."""

    def __init__(self, dut: Any, job: ArrayJob, rows: dict[int, bytes], calibrating: bool) -> None:
        self._job, self._calibrating = job, calibrating
        self._input_codes = getattr(dut, f"input_codes_{job.suffix}")
        self._output_codes = getattr(dut, f"output_codes_{job.suffix}")
        self._offset_trims = getattr(dut, f"offset_trims_{job.suffix}")
        self._gain_trims = getattr(dut, f"gain_trims_{job.suffix}")
        self._trims = b""
        self._voltages = _voltages(dut, job) if "waves" in cocotb.plusargs else {}
        self._bank = job.bank(
            rows,
            gain=int(getattr(dut, f"gain_{job.suffix}").value),
            shift=int(getattr(dut, f"shift_{job.suffix}").value),
            calibrating=calibrating,
        )

    def evaluate(self, step: int) -> None:
        """Answer the codes that the array sees in ``step``, a time step or an evaluation of a calibration."""
        job, n_neurons = self._job, self._job.draw.n_neurons
        words = [_bytes(trim) for trim in (self._offset_trims, self._gain_trims)]
        if (trims := b"".join(word.tobytes() for word in words)) != self._trims:
            self._trims = trims
            offset_trim, gain_trim = (signed_bytes(word, n_neurons) for word in words)
            self._bank = self._bank.with_trims(offset_trim=offset_trim, gain_trim=gain_trim)
        inputs = unpacked(_bytes(self._input_codes), job.draw.n_axons, job.code_width)
        evaluation = self._bank.evaluate(inputs[np.newaxis], first_step=step)
        self._output_codes.value = int.from_bytes(
            packed(evaluation.codes[0], job.code_width).tobytes(), "little"
        )
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
    rows = read_rows(path)
    return [_Array(dut, job, rows[job.x, job.y], calibrating) for job in jobs if (job.x, job.y) in rows]


def _bytes(handle: Any) -> npt.NDArray[np.uint8]:
    """Return the value of a signal, low byte first."""
    value = handle.value
    return np.frombuffer(int(value).to_bytes(-(-len(value) // 8), "little"), np.uint8)


def _voltages(dut: Any, job: ArrayJob) -> dict[str, list[Any]]:
    """Return the real variables [post] of an array's view that show its voltages."""
    array = reduce(getattr, array_path((job.x, job.y)).split("."), dut)
    return {
        name: [getattr(array, f"{name}_{index}") for index in range(job.draw.n_neurons)] for name in VOLTAGES
    }
