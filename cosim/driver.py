"""The Python side of a co-simulation: answers for the analog arrays while the simulator runs.

cocotb loads this module into the simulator. The harness has the clock and plays the stimulus; Python sleeps
until ``calls`` changes, once per evaluation, evaluates every array and writes its codes back. An evaluation
while the host still loads is one of a calibration: these are counted from 0, and have noise of their own.
"""

import os
from functools import reduce
from pathlib import Path
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, Timer

from analog_models.array import ArrayBank

from .arrays import JOB_VARIABLE, ArrayJob, packed, read_array_jobs, read_rows, signed_bytes, unpacked

__all__ = ["play"]


class _Array:
    """One array's model behind its ports; gets its weights and settings from what the hardware put there."""

    def __init__(self, dut: Any, job: ArrayJob, rows: dict[int, bytes], calibrating: bool) -> None:
        self._job, self._rows, self._calibrating = job, rows, calibrating
        self._seen = getattr(dut, f"seen_{job.suffix}")
        self._output_codes = getattr(dut, f"output_codes_{job.suffix}")
        self._voltages = _voltages(dut, job) if "waves" in cocotb.plusargs else {}
        self._settings = ""

    def evaluate(self, step: int) -> None:
        """Answer the codes that the array sees in ``step``, a time step or an evaluation of a calibration."""
        job = self._job
        seen = str(self._seen.value)  # digits, high ones first
        n_digits = job.draw.n_axons * job.code_width
        if (settings := seen[:-n_digits]) != self._settings:
            self._settings = settings
            self._bank = self._bank_set(int(settings, 2))
        words = int(seen[-n_digits:], 2).to_bytes(-(-n_digits // 8), "little")
        inputs = unpacked(np.frombuffer(words, np.uint8), job.draw.n_axons, job.code_width)
        evaluation = self._bank.evaluate(inputs[np.newaxis], first_step=step)
        self._output_codes.value = int.from_bytes(
            packed(evaluation.codes[0], job.code_width).tobytes(), "little"
        )
        for name, variables in self._voltages.items():
            for variable, voltage in zip(variables, getattr(evaluation, name)[0].tolist(), strict=True):
                variable.value = voltage

    def _bank_set(self, settings: int) -> ArrayBank:
        """Return the array with these bits of ``SEEN`` above the input codes."""
        job, n_neurons = self._job, self._job.draw.n_neurons
        words = settings.to_bytes(2 * n_neurons + 8, "little")
        trims = signed_bytes(np.frombuffer(words, np.uint8), 2 * n_neurons)
        gain, shift = np.frombuffer(words, "<u4", offset=2 * n_neurons).tolist()
        bank = job.bank(self._rows, gain=gain, shift=shift, calibrating=self._calibrating)
        return bank.with_trims(offset_trim=trims[:n_neurons], gain_trim=trims[n_neurons:])


@cocotb.test()
async def play(dut: Any) -> None:
    """Answer until the harness is done; fail if it hangs."""
    folder = Path(os.environ[JOB_VARIABLE])
    jobs = read_array_jobs(folder)
    arrays: list[_Array] = []
    known, n_calibrating = (-1, False), 0
    await FallingEdge(dut.rst)
    while True:
        await dut.calls.value_change
        if dut.done.value:
            break
        calibrating = bool(dut.loading.value)
        if known != (
            loaded := (int(dut.n_loads.value), calibrating)
        ):  # something changed since the last look
            known = loaded
            arrays = _loaded_arrays(dut, jobs, folder / "weights.txt", calibrating)
        step = int(dut.n_steps_done.value) - 1  # the strobe that ended the step was counted already
        if calibrating:
            step, n_calibrating = n_calibrating, n_calibrating + 1
        for array in arrays:
            array.evaluate(step)
    await Timer(1, "ns")  # what changes in the very last moment would not be in Verilator's traces
    if int(dut.refused.value):
        raise RuntimeError(f"register access {int(dut.n_loads.value)} was refused")
    if int(dut.hung.value):
        raise RuntimeError(f"step {int(dut.n_steps_done.value)} did not end: the watchdog bit, see the log")


def _loaded_arrays(dut: Any, jobs: list[ArrayJob], path: Path, calibrating: bool) -> list[_Array]:
    """Return a model for each array that weights were written to, in the order in which they were written."""
    rows = read_rows(path)
    return [_Array(dut, job, rows[job.x, job.y], calibrating) for job in jobs if (job.x, job.y) in rows]


def _voltages(dut: Any, job: ArrayJob) -> dict[str, list[Any]]:
    """Return the real variables [post] of an array's view that show its voltages."""
    from .boundary import array_path  # here, as Amaranth takes long to load

    array = reduce(getattr, array_path((job.x, job.y)).split("."), dut)
    return {
        name: [getattr(array, f"{name}_{index}") for index in range(job.draw.n_neurons)]
        for name in job.parameters.voltages
    }
