"""Contract of a compute engine: whatever its architecture, its codes are those of the software twin."""

from collections.abc import Iterable
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, Timer
from numpy.typing import NDArray

from rtl_gen.formats import EventFormat
from rtl_gen.memory import rows_to_words
from rtl_gen.neuron.engine import EngineParameters
from rtl_gen.neuron.event_engine import EventEngineParameters
from rtl_gen.neuron.parallel_engine import ParallelEngineParameters
from rtl_gen.signatures import LoadTarget, SettingsRow
from testbenches import parameters

KINDS: dict[str, type[EngineParameters]] = {
    "event": EventEngineParameters,
    "parallel": ParallelEngineParameters,
}


def engine_parameters(*, kind: str, axon_width: int, payload_width: int, **sizes: int) -> EngineParameters:
    """Return the engine that a test's parameters describe."""
    event_format = EventFormat(x_width=2, y_width=2, axon_width=axon_width, payload_width=payload_width)
    return KINDS[kind](event_format=event_format, **sizes)


class EngineBench:
    """Drives an engine at falling clock edges, so that one falling edge to the next is one cycle."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.engine = engine_parameters(**parameters())
        self.rng = np.random.default_rng(seed=7)
        self.gain, self.shift = self.usual_scale()
        self.n_finished = 0
        self.longest_wait = 0

    def usual_scale(self) -> tuple[int, int]:
        """Return gain and shift with which random sums give every kind of code: zero, between, saturated."""
        mac, code_max = self.engine.mac, self.engine.event_format.payload_max
        typical_sum = 0.3 * mac.weight_max * mac.activation_max * np.sqrt(mac.n_inputs)
        return round(0.6 * code_max / typical_sum * (1 << 18)), 18

    def random_weights(self, n_neurons: int) -> NDArray[np.int64]:
        """Return weights ``[post, pre]``; the first neuron has all largest ones, the second all smallest."""
        weight_max = self.engine.mac.weight_max
        weights = self.rng.integers(-weight_max, weight_max + 1, (n_neurons, self.engine.n_axons))
        weights[0] = weight_max
        weights[1:2] = -weight_max
        return weights

    def random_inputs(self, n_steps: int) -> NDArray[np.int64]:
        """Return codes ``[step, axon]``: a full step, an empty one, then steps with half the axons on."""
        code_max = self.engine.event_format.payload_max
        shape = (n_steps, self.engine.n_event_axons)
        inputs = self.rng.integers(1, code_max + 1, shape) * self.rng.integers(0, 2, shape)
        inputs[0] = code_max
        inputs[1:2] = 0
        return inputs

    async def start(self) -> None:
        """Start the clock and reset."""
        for name in ("events__valid", "events__payload", "step", "neuron", "load__strobe"):
            getattr(self.dut, name).value = 0
        for name in ("load__target", "load__row", "load__word", "load__data"):
            getattr(self.dut, name).value = 0
        cocotb.start_soon(Clock(self.dut.clk, 10, unit="ns").start())
        cocotb.start_soon(self._watch())
        await self.reset()

    async def reset(self) -> None:
        self.dut.rst.value = 1
        self.dut.events__valid.value = 0
        self.dut.step.value = 0
        for _ in range(2):
            await FallingEdge(self.dut.clk)
        self.dut.rst.value = 0

    async def configure(self, weights: NDArray[np.int64]) -> None:
        """Load weights and settings over the load bus, then wait until the engine is idle."""
        rows = self.engine.synapse_rows(weights)
        for row, word, data in rows_to_words(rows, self.engine.synapse_row_width):
            await self.load(LoadTarget.SYNAPSES, row, word, data)
        await self.set_registers(n_neurons=len(weights))

    async def set_registers(self, n_neurons: int) -> None:
        for row, value in (
            (SettingsRow.GAIN, self.gain),
            (SettingsRow.SHIFT, self.shift),
            (SettingsRow.NEURONS_IN_USE, n_neurons),
        ):
            await self.load(LoadTarget.SETTINGS, row, 0, value)
        await self.idle()

    async def load(self, target: int, row: int, word: int, data: int) -> None:
        self.dut.load__strobe.value = 1
        self.dut.load__target.value = target
        self.dut.load__row.value = row
        self.dut.load__word.value = word
        self.dut.load__data.value = data
        await FallingEdge(self.dut.clk)
        self.dut.load__strobe.value = 0

    async def idle(self) -> int:
        """Wait until the engine is not busy; return for how many cycles it was."""
        for n_cycles in range(10_000):
            if not self.dut.busy.value:
                return n_cycles
            await FallingEdge(self.dut.clk)
        raise AssertionError("the engine stays busy for ever")

    def events(self, codes: NDArray[np.int64]) -> list[int]:
        """Return the events that bring ``codes[axon]``, in random order, as the words on the stream."""
        width = self.engine.event_format.payload_width
        axons = self.rng.permutation(np.flatnonzero(codes))
        return [int(axon) << width | (int(codes[axon]) if width else 0) for axon in axons]

    def strange_events(self) -> list[int]:
        """Return events for each bias axon and for axons that do not exist."""
        width = self.engine.event_format.payload_width
        axons = range(self.engine.n_event_axons, 1 << self.engine.event_format.axon_width)
        return [axon << width | ((1 << width) - 1) for axon in axons]

    async def send(self, words: Iterable[int], stall: float = 0.0) -> None:
        """Send events, each after a random pause; ``stall`` is the chance of waiting one more cycle."""
        for word in words:
            while self.rng.random() < stall:
                await FallingEdge(self.dut.clk)
            self.dut.events__valid.value = 1
            self.dut.events__payload.value = word
            n_waited = 0
            while not self.dut.events__ready.value:
                await FallingEdge(self.dut.clk)
                n_waited += 1
                assert n_waited < 10_000, "an event is never accepted"
            self.longest_wait = max(self.longest_wait, n_waited)
            await FallingEdge(self.dut.clk)
            self.dut.events__valid.value = 0

    async def step(self) -> None:
        """Close the time step; check that the engine is busy at once."""
        await self.idle()
        self.dut.step.value = 1
        await FallingEdge(self.dut.clk)
        self.dut.step.value = 0
        assert self.dut.busy.value, "busy must rise no later than the cycle after step"

    async def finish(self) -> None:
        """Wait for ``finished``."""
        for _ in range(10_000):
            if self.dut.finished.value:
                await FallingEdge(self.dut.clk)
                return
            await FallingEdge(self.dut.clk)
        raise AssertionError("the engine never finishes")

    async def codes(self, n_neurons: int) -> NDArray[np.int64]:
        """Read codes ``[post]``, one per cycle."""
        codes = np.zeros(n_neurons, dtype=np.int64)
        for neuron in range(n_neurons):
            self.dut.neuron.value = neuron
            await Timer(1, unit="ns")
            codes[neuron] = int(self.dut.code.value)
            await FallingEdge(self.dut.clk)
        return codes

    async def run(
        self, inputs: NDArray[np.int64], weights: NDArray[np.int64], stall: float = 0.0
    ) -> NDArray[np.int64]:
        """Return codes ``[step, post]``, read while the events of the next step arrive already."""
        codes = np.zeros((len(inputs), len(weights)), dtype=np.int64)
        await self.send(self.events(inputs[0]), stall)
        for step in range(len(inputs)):
            await self.step()
            following = self.events(inputs[step + 1]) if step + 1 < len(inputs) else []
            sender = cocotb.start_soon(self.send(following, stall))
            await self.finish()
            codes[step] = await self.codes(len(weights))
            await sender
            assert (await self.codes(len(weights)) == codes[step]).all(), "events change codes that are out"
        return codes

    def expected(self, inputs: NDArray[np.int64], weights: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.engine.simulate(inputs, weights, self.gain, self.shift)

    async def _watch(self) -> None:
        while True:
            await FallingEdge(self.dut.clk)
            if not self.dut.rst.value and self.dut.finished.value:
                self.n_finished += 1
                assert self.dut.busy.value, "finished must come while busy is high"


def assert_equal(actual: NDArray[np.int64], expected: NDArray[np.int64]) -> None:
    first = np.argwhere(actual != expected)[:1]
    where = tuple(first[0]) if len(first) else ()
    assert not len(first), f"step, neuron {where}: code must be {expected[where]}, got {actual[where]}"


async def matches_twin(dut: Any, stall: float) -> None:
    bench = EngineBench(dut)
    await bench.start()
    n_used = max(1, bench.engine.n_neurons - 1)
    weights, inputs = bench.random_weights(n_used), bench.random_inputs(n_steps=8)
    await bench.configure(weights)
    expected = bench.expected(inputs, weights)
    code_max = bench.engine.event_format.payload_max
    assert (expected == 0).any(), "no code is zero, so the rectifier is not tested"
    assert (expected == code_max).any(), "no code saturates, so the clamp is not tested"
    assert code_max == 1 or ((expected > 0) & (expected < code_max)).any(), "no code is between the clamps"
    assert_equal(await bench.run(inputs, weights, stall), expected)
    assert bench.n_finished == len(inputs), "finished must strobe once per step"


@cocotb.test()
async def codes_match_twin(dut: Any) -> None:
    await matches_twin(dut, stall=0.0)


@cocotb.test()
async def codes_match_twin_when_events_stall(dut: Any) -> None:
    await matches_twin(dut, stall=0.6)


@cocotb.test()
async def events_for_bias_axons_and_beyond_are_ignored(dut: Any) -> None:
    bench = EngineBench(dut)
    await bench.start()
    weights, inputs = bench.random_weights(bench.engine.n_neurons), bench.random_inputs(n_steps=1)
    await bench.configure(weights)
    strange = bench.strange_events()
    assert strange, "every axon exists, so none can be ignored"
    await bench.send(strange)
    assert_equal(await bench.run(inputs, weights), bench.expected(inputs, weights))


@cocotb.test()
async def second_event_on_an_axon_is_flagged_where_it_would_be_lost(dut: Any) -> None:
    bench = EngineBench(dut)
    await bench.start()
    weights, inputs = bench.random_weights(bench.engine.n_neurons), bench.random_inputs(n_steps=3)
    await bench.configure(weights)
    await bench.run(inputs, weights)
    if not hasattr(dut, "collision"):  # an engine that accumulates both loses nothing
        return
    assert not dut.collision.value, "one event per axon and step is no collision"
    await bench.send(bench.events(inputs[0]))
    await bench.send(bench.events(inputs[0])[:1])
    await bench.step()
    assert dut.collision.value
    await bench.reset()
    assert not dut.collision.value


@cocotb.test()
async def only_neurons_in_use_cost_cycles(dut: Any) -> None:
    bench = EngineBench(dut)
    await bench.start()
    weights = bench.random_weights(bench.engine.n_neurons)
    await bench.configure(weights)
    inputs = bench.random_inputs(n_steps=2)
    cycles = []
    for n_used in (1, bench.engine.n_neurons):
        await bench.set_registers(n_used)
        used = weights[:n_used]
        assert_equal(await bench.run(inputs, used), bench.expected(inputs, used))
        await bench.step()
        cycles.append(await bench.idle())
    lanes = getattr(bench.engine, "lanes", 1)
    n_more_groups = bench.engine.n_neurons // lanes - 1
    n_walks = 1 + (bench.engine.n_bias_axons if isinstance(bench.engine, EventEngineParameters) else 0)
    assert cycles[1] - cycles[0] == n_more_groups * n_walks


@cocotb.test()
async def events_walk_back_to_back_and_wait_a_bounded_time(dut: Any) -> None:
    bench = EngineBench(dut)
    await bench.start()
    weights, inputs = bench.random_weights(bench.engine.n_neurons), bench.random_inputs(n_steps=1)
    await bench.configure(weights)
    events = bench.events(inputs[0])
    before = cocotb.utils.get_sim_time("ns")
    await bench.send(events)
    await bench.idle()
    n_cycles = round((cocotb.utils.get_sim_time("ns") - before) / 10)
    is_event_driven = isinstance(bench.engine, EventEngineParameters)
    n_groups = bench.engine.n_groups if is_event_driven else 1
    assert n_cycles <= len(events) * n_groups + 2, "there are bubbles between events or groups"
    await bench.step()
    bench.longest_wait = 0
    await bench.send(events[:1])
    bound = (bench.engine.n_bias_axons + 1) * n_groups + 3 if is_event_driven else 0
    assert bench.longest_wait <= bound


@cocotb.test()
async def works_again_after_reset_in_mid_step(dut: Any) -> None:
    bench = EngineBench(dut)
    await bench.start()
    weights, inputs = bench.random_weights(bench.engine.n_neurons), bench.random_inputs(n_steps=3)
    await bench.configure(weights)
    expected = bench.expected(inputs, weights)
    for n_cycles in range(0, 30, 3):
        sender = cocotb.start_soon(bench.send(bench.events(inputs[0])))
        for _ in range(n_cycles):
            await FallingEdge(dut.clk)
        sender.cancel()
        dut.events__valid.value = 0
        if n_cycles % 2:
            await bench.step()
            for _ in range(n_cycles // 2):
                await FallingEdge(dut.clk)
        await bench.reset()
        n_finished = bench.n_finished
        await bench.idle()
        assert bench.n_finished == n_finished, "reset must not look like the end of a step"
        await bench.set_registers(len(weights))
        assert_equal(await bench.run(inputs, weights), expected)


@cocotb.test()
async def codes_turn_exactly_at_rounding_ties_and_clamps(dut: Any) -> None:
    """Sums that differ by one, around zero and around the largest code, without and with a shift."""
    bench = EngineBench(dut)
    await bench.start()
    n_neurons, code_max = bench.engine.n_neurons, bench.engine.event_format.payload_max
    inputs = np.zeros((1, bench.engine.n_event_axons), dtype=np.int64)
    inputs[0, :2] = 1, code_max
    bench.gain = 1
    for multiple, bench.shift in ((0, 0), (1, 0), (0, 1), (2, 1)):
        sums = []
        for first in range(-4, 5, n_neurons):
            weights = np.zeros((n_neurons, bench.engine.n_axons), dtype=np.int64)
            weights[:, 0] = first + np.arange(n_neurons)
            weights[:, 1] = multiple
            sums += (weights[:, 0] + multiple * code_max).tolist()
            await bench.configure(weights)
            assert_equal(await bench.run(inputs, weights), bench.expected(inputs, weights))
        assert {multiple * code_max + offset for offset in range(-4, 5)} <= set(sums)


@cocotb.test()
async def finishes_at_once_when_not_configured(dut: Any) -> None:
    bench = EngineBench(dut)
    await bench.start()
    await bench.idle()
    await bench.send(bench.events(bench.random_inputs(n_steps=1)[0]))
    await bench.step()
    await bench.finish()
    assert await bench.idle() <= 1
    assert bench.n_finished == 1


@cocotb.test()
async def rescales_without_a_shift_and_with_the_largest(dut: Any) -> None:
    bench = EngineBench(dut)
    await bench.start()
    weights, inputs = bench.random_weights(bench.engine.n_neurons), bench.random_inputs(n_steps=2)
    await bench.configure(weights)
    for bench.gain, bench.shift, is_some_on in ((1, 0, True), (65535, 63, False), (0, 0, False)):
        await bench.set_registers(len(weights))
        expected = bench.expected(inputs, weights)
        assert expected.any() == is_some_on
        assert_equal(await bench.run(inputs, weights), expected)
