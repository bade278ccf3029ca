"""Leaky integrate-and-fire soma: every spike of a random drive as the software twin has it."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge
from numpy.typing import NDArray

from rtl_gen.neuron.lif import LifParameters
from testbenches import parameters
from testbenches.agents import reset, start_clock_and_reset


class LifBench:
    """A soma, and the drive that makes it do all it can."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        arguments = parameters()
        self.threshold = int(arguments.pop("threshold"))
        self.lif = LifParameters(**arguments)
        self.rng = np.random.default_rng(seed=12)

    def drive(self, n_steps: int = 600) -> NDArray[np.int64]:
        """Return a drive [step]: to the threshold exactly, then rough, then slow, which shows a wrong LSB in
        the leak; at both ends of the range in between."""
        drive = self.rng.normal(0.3, 0.8, n_steps) * self.threshold
        slow = slice(n_steps // 2, None)
        drive[0] = self.threshold
        drive[slow] = self.rng.normal(0.2, 0.05, n_steps - n_steps // 2) * self.threshold
        drive[n_steps // 3 : n_steps // 3 + 6] = -self.lif.membrane_max - 1
        drive[-6:] = self.lif.membrane_max
        return np.clip(np.rint(drive), -self.lif.membrane_max - 1, self.lif.membrane_max).astype(np.int64)

    def expected(self, drive: NDArray[np.int64]) -> NDArray[np.bool_]:
        spikes = self.lif.simulate(drive[:, np.newaxis], self.threshold)[0][:, 0]
        assert 0.05 < spikes.mean() < 0.95, "the drive hardly fires the neuron, so it proves little"
        return spikes

    async def start(self) -> None:
        self.dut.step.value = 0
        self.dut.drive.value = 0
        self.dut.threshold.value = self.threshold
        await start_clock_and_reset(self.dut)

    async def run(self, drive: NDArray[np.int64], *, pause: float = 0.0) -> NDArray[np.bool_]:
        """Return what the soma answers to each step, cycles without a step strewn in."""
        spikes = []
        for level in drive.tolist():
            while self.rng.random() < pause:
                self.dut.step.value = 0
                self.dut.drive.value = int(self.rng.integers(-self.lif.membrane_max, self.lif.membrane_max))
                await FallingEdge(self.dut.clk)
                assert not self.dut.spike.value, "spike in a cycle that follows no step"
            self.dut.step.value = 1
            self.dut.drive.value = level
            await FallingEdge(self.dut.clk)
            spikes.append(bool(self.dut.spike.value))
        self.dut.step.value = 0
        return np.array(spikes)


@cocotb.test()
async def spikes_match_the_twin(dut: Any) -> None:
    bench = LifBench(dut)
    await bench.start()
    drive = bench.drive()
    differs = np.flatnonzero(await bench.run(drive) != bench.expected(drive))[:1]
    assert not differs.size, f"spike trains differ first at step {differs[0]}"


@cocotb.test()
async def cycles_without_a_step_change_nothing(dut: Any) -> None:
    bench = LifBench(dut)
    await bench.start()
    drive = bench.drive(300)
    differs = np.flatnonzero(await bench.run(drive, pause=0.5) != bench.expected(drive))[:1]
    assert not differs.size, f"spike trains differ first at step {differs[0]}"


@cocotb.test()
async def reset_in_mid_train_starts_anew(dut: Any) -> None:
    bench = LifBench(dut)
    await bench.start()
    drive = bench.drive(300)
    last_spike = int(np.flatnonzero(bench.expected(drive))[-1])
    await bench.run(drive[: last_spike + 1])  # a refractory time is under way now
    await reset(dut)
    assert not dut.spike.value
    differs = np.flatnonzero(await bench.run(drive) != bench.expected(drive))[:1]
    assert not differs.size, f"spike trains differ first at step {differs[0]}"
