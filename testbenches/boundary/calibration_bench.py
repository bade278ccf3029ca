"""The calibrator inside the digital side of an array, with a bench that plays neurons with known levels."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly
from numpy.typing import NDArray

from rtl_gen.boundary.calibration import Trim, TrimSearch
from rtl_gen.signatures import LoadTarget
from testbenches import parameters
from testbenches.agents import start_clock_and_reset
from testbenches.boundary.analog_array_bench import array_parameters

SEARCHES = (
    TrimSearch(trim=Trim.OFFSET, threshold=1, repeats_log2=3, lowered_by=7),
    TrimSearch(trim=Trim.GAIN, threshold=190, repeats_log2=2),
    TrimSearch(trim=Trim.OFFSET, threshold=255, repeats_log2=0, lowered_by=200),
    TrimSearch(trim=Trim.GAIN, threshold=3, repeats_log2=4, lowered_by=1),
)


class CalibrationBench:
    """Neurons whose code is ``threshold + (trim - wanted + noise) // 4``, with noise per evaluation."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.engine = array_parameters(**parameters())
        self.rng = np.random.default_rng(seed=21)
        self.n_evaluations = 0
        self.inputs: set[int] = set()
        self.finished = 0
        self.n_cycles = 0

    async def start(self, n_in_use: int) -> None:
        for name in ("events__valid", "events__payload", "step", "neuron", "load__strobe", "load__word"):
            getattr(self.dut, name).value = 0
        for name in ("start", "trim", "threshold", "repeats_log2", "lowered_by"):
            getattr(self.dut, f"calibration__{name}").value = 0
        await start_clock_and_reset(self.dut)
        await self.load(LoadTarget.SETTINGS, 2, n_in_use)

    async def load(self, target: int, row: int, data: int) -> None:
        self.dut.load__strobe.value = 1
        self.dut.load__target.value = target
        self.dut.load__row.value = row
        self.dut.load__data.value = data
        await FallingEdge(self.dut.clk)
        self.dut.load__strobe.value = 0

    async def trims(self) -> NDArray[np.int64]:
        """Read the trims ``[neuron, 2]`` as the host does."""
        words = []
        for neuron in range(self.engine.n_neurons):
            self.dut.load__row.value = neuron
            await ReadOnly()
            words.append(int(self.dut.calibration__trims.value))
            await FallingEdge(self.dut.clk)
        pairs = np.array(words)[:, np.newaxis] >> [0, 8]
        return pairs.astype(np.uint8).astype(np.int8).astype(np.int64)

    def hidden(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the trim that each neuron wants, some out of reach, and its noise [evaluation, neuron]."""
        n_neurons = self.engine.n_neurons
        wanted = self.rng.integers(-120, 120, n_neurons)
        wanted[:3] = (-140, 140, 127)
        return wanted, self.rng.integers(-9, 10, (8 << 4, n_neurons))

    async def search(
        self, search: TrimSearch, wanted: NDArray[np.int64], noise: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Start ``search``, answer for the array until the engine is idle; return the codes' last trims."""
        dut, command = self.dut, "calibration__"
        for name in ("trim", "threshold", "repeats_log2", "lowered_by"):
            getattr(dut, command + name).value = int(getattr(search, name))
        dut.calibration__start.value = 1
        await FallingEdge(dut.clk)
        dut.calibration__start.value = 0
        port = (dut.array.offset_trims, dut.array.gain_trims)[search.trim]
        self.n_evaluations, self.finished, self.n_cycles = 0, 0, 0
        self.inputs.clear()
        converting = False
        await ReadOnly()
        while dut.busy.value:
            seen = (int(dut.array.convert.value), int(port.value), int(dut.array.input_codes.value))
            self.finished += int(dut.finished.value)
            self.n_cycles += 1
            await FallingEdge(dut.clk)
            if seen[0] and not converting:
                trims = np.frombuffer(seen[1].to_bytes(self.engine.n_neurons, "little"), np.int8)
                codes = played_codes(search, trims.astype(np.int64), wanted, noise[self.n_evaluations])
                dut.array.codes.value = int.from_bytes(codes.astype(np.uint8).tobytes(), "little")
                self.inputs.add(seen[2])
                self.n_evaluations += 1
            converting = bool(seen[0])
            await ReadOnly()
        await FallingEdge(dut.clk)
        return (await self.trims())[:, search.trim]


def played_codes(
    search: TrimSearch, trims: NDArray[np.int64], wanted: NDArray[np.int64], noise: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the codes of one or more evaluations."""
    return np.clip(search.threshold + (trims - wanted + noise) // 4, 0, 255)


@cocotb.test()
async def searches_find_what_the_twin_finds(dut: Any) -> None:
    bench = CalibrationBench(dut)
    await bench.start(n_in_use=1)
    n_neurons = bench.engine.n_neurons
    full = (1 << 8 * bench.engine.n_axons) - 1
    bias = full >> 8 * bench.engine.n_event_axons << 8 * bench.engine.n_event_axons
    other = (await bench.trims()).copy()
    for search in SEARCHES:
        wanted, noise = bench.hidden()
        expected = search.find(
            lambda trims, first, search=search, wanted=wanted, noise=noise: played_codes(
                search, trims, wanted, noise[first : first + search.repeats]
            ),
            n_neurons,
        )
        assert len(set(expected)) > 1
        found = await bench.search(search, wanted, noise)
        np.testing.assert_array_equal(found, expected)
        assert bench.n_evaluations == search.n_evaluations
        phases = bench.engine.reset_cycles + bench.engine.settle_cycles + bench.engine.convert_cycles
        assert bench.n_cycles == n_neurons + search.n_evaluations * (1 + phases + n_neurons)
        assert bench.inputs == {full if search.trim == Trim.GAIN else bias}
        assert bench.finished == 0, "a calibration sends nothing"
        np.testing.assert_array_equal((await bench.trims())[:, 1 - search.trim], other[:, 1 - search.trim])
        other = await bench.trims()


@cocotb.test()
async def an_array_without_neurons_in_use_does_not_search(dut: Any) -> None:
    bench = CalibrationBench(dut)
    await bench.start(n_in_use=0)
    for _ in range(2):
        dut.calibration__start.value = 1
        await FallingEdge(dut.clk)
        dut.calibration__start.value = 0
        await ReadOnly()
        assert not dut.busy.value
        await FallingEdge(dut.clk)
    assert not (await bench.trims()).any()


@cocotb.test()
async def loaded_trims_are_read_back(dut: Any) -> None:
    bench = CalibrationBench(dut)
    await bench.start(n_in_use=0)
    codes = bench.rng.integers(-128, 128, (bench.engine.n_neurons, 2))
    for neuron, (offset, gain) in enumerate(codes.tolist()):
        await bench.load(LoadTarget.TRIMS, neuron, (gain & 0xFF) << 8 | offset & 0xFF)
    np.testing.assert_array_equal(await bench.trims(), codes)
