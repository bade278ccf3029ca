"""Digital side of an analog array, with a bench that plays the array: phases, weights, trims, codes."""

from dataclasses import dataclass
from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly
from numpy.typing import NDArray

from rtl_gen.boundary.analog_array import AnalogArrayParameters
from rtl_gen.formats import EventFormat
from rtl_gen.memory import rows_to_words
from rtl_gen.signatures import LoadTarget, SettingsRow
from testbenches import parameters
from testbenches.agents import start_clock_and_reset

PHASES = ("reset", "evaluate", "convert")
QUIET = (0, 0, 0)


def array_parameters(*, payload_width: int, **sizes: int) -> AnalogArrayParameters:
    """Return the array that a test's parameters describe."""
    event_format = EventFormat(x_width=2, y_width=2, axon_width=5, payload_width=payload_width)
    return AnalogArrayParameters(event_format=event_format, **sizes)


@dataclass(frozen=True)
class ArrayStandIn:
    """An array whose output codes the bench drives as ``top.array.codes``; emitted like a memory macro."""

    engine: AnalogArrayParameters

    @property
    def module(self) -> str:
        return self.engine.array_module

    def verilog(self) -> str:
        ports = self.engine.array_ports
        declared = ",\n".join(
            f"  {direction} wire [{width - 1}:0] {name}" for name, (direction, width) in ports.items()
        )
        width = ports["output_codes"][1]
        return (
            f"module {self.module} (\n{declared}\n);\n"
            f"  reg [{width - 1}:0] codes = 0;\n  assign output_codes = codes;\nendmodule\n"
        )


class ArrayBench:
    """Watches what the array sees in every cycle; answers another word in every cycle."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.engine = array_parameters(**parameters())
        self.rng = np.random.default_rng(seed=13)
        self.phases: list[tuple[int, ...]] = []
        self.inputs: list[int] = []
        self.answers: list[int] = []
        self.rows: list[tuple[int, int]] = []
        self.finished: list[int] = []

    async def start(self) -> None:
        for name in ("events__valid", "events__payload", "step", "neuron", "load__strobe"):
            getattr(self.dut, name).value = 0
        for name in ("load__target", "load__row", "load__word", "load__data"):
            getattr(self.dut, name).value = 0
        await start_clock_and_reset(self.dut)
        cocotb.start_soon(self._watch())

    async def load(self, target: int, row: int, word: int, data: int) -> None:
        self.dut.load__strobe.value = 1
        self.dut.load__target.value = target
        self.dut.load__row.value = row
        self.dut.load__word.value = word
        self.dut.load__data.value = data
        await FallingEdge(self.dut.clk)
        self.dut.load__strobe.value = 0

    async def use(self, n_neurons: int) -> None:
        await self.load(LoadTarget.SETTINGS, SettingsRow.NEURONS_IN_USE, 0, n_neurons)

    async def send(self, codes: NDArray[np.int64]) -> None:
        """Send the events of ``codes[axon]``; zeros send none."""
        width = self.engine.event_format.payload_width
        for axon in np.flatnonzero(codes):
            self.dut.events__valid.value = 1
            self.dut.events__payload.value = int(axon) << width | (int(codes[axon]) if width else 0)
            await FallingEdge(self.dut.clk)
        self.dut.events__valid.value = 0

    async def step(self) -> None:
        """Close the time step; what is watched begins with the cycle after it."""
        self.dut.step.value = 1
        await FallingEdge(self.dut.clk)
        self.dut.step.value = 0
        for history in (self.phases, self.inputs, self.answers, self.finished):
            history.clear()

    async def cycles(self, count: int) -> None:
        for _ in range(count):
            await FallingEdge(self.dut.clk)

    async def codes(self) -> list[int]:
        """Read the codes of all neurons."""
        codes = []
        for neuron in range(self.engine.n_neurons):
            self.dut.neuron.value = neuron
            await ReadOnly()
            codes.append(int(self.dut.code.value))
            await FallingEdge(self.dut.clk)
        return codes

    def random_inputs(self) -> NDArray[np.int64]:
        """Return a code for each axon that events may address; some are 0."""
        code_max = self.engine.event_format.payload_max
        codes = self.rng.integers(0, code_max + 1, self.engine.n_event_axons)
        codes[0] = 0
        return codes

    def input_word(self, codes: NDArray[np.int64]) -> int:
        """Return what the array must see for ``codes``: bias axons always on."""
        event_format = self.engine.event_format
        on = [*map(int, codes), *[event_format.payload_max] * self.engine.n_bias_axons]
        return sum(code << index * event_format.activation_width for index, code in enumerate(on))

    async def _watch(self) -> None:
        array = self.dut.array
        width = self.engine.array_ports["output_codes"][1]
        while True:
            await FallingEdge(self.dut.clk)
            answer = int.from_bytes(self.rng.bytes(-(-width // 8)), "little") % (1 << width)
            array.codes.value = answer
            await ReadOnly()
            self.phases.append(tuple(int(getattr(array, phase).value) for phase in PHASES))
            self.inputs.append(int(array.input_codes.value))
            self.answers.append(answer)
            self.finished.append(int(self.dut.finished.value))
            if array.row_strobe.value:
                self.rows.append((int(array.row.value), int(array.row_weights.value)))


@cocotb.test()
async def phases_have_their_lengths_and_order_and_inputs_hold_still(dut: Any) -> None:
    bench = ArrayBench(dut)
    await bench.start()
    engine = bench.engine
    await bench.use(engine.n_neurons)
    lengths = (engine.reset_cycles, engine.settle_cycles, engine.convert_cycles)
    expected = [
        tuple(int(index == phase) for index in range(3)) for phase in range(3) for _ in range(lengths[phase])
    ]
    for _ in range(3):
        codes = bench.random_inputs()
        assert codes.any()
        await bench.send(codes)
        await bench.step()
        await bench.send(bench.random_inputs())  # of the next step, while this one is evaluated
        await bench.cycles(len(expected) + 3)
        assert bench.phases[: len(expected)] == expected
        assert set(bench.phases[len(expected) :]) == {QUIET}
        assert set(bench.inputs[: len(expected)]) == {bench.input_word(codes)}
        assert bench.finished.count(1) == 1
        assert bench.finished.index(1) == len(expected) - 1
        await bench.step()  # takes what was sent meanwhile
        await bench.cycles(len(expected) + 3)


@cocotb.test()
async def codes_are_those_of_the_last_cycle_of_convert_and_stay(dut: Any) -> None:
    bench = ArrayBench(dut)
    await bench.start()
    engine = bench.engine
    await bench.use(engine.n_neurons)
    for _ in range(3):
        await bench.step()
        await bench.cycles(sum((engine.reset_cycles, engine.settle_cycles, engine.convert_cycles)) + 2)
        last = max(cycle for cycle, phase in enumerate(bench.phases) if phase == (0, 0, 1))
        width = engine.event_format.activation_width
        sampled = bench.answers[last]
        expected = [sampled >> neuron * width & ((1 << width) - 1) for neuron in range(engine.n_neurons)]
        assert len(set(bench.answers)) > 3, "the array must answer something else in every cycle"
        assert await bench.codes() == expected
        assert await bench.codes() == expected


@cocotb.test()
async def busy_covers_all_phases(dut: Any) -> None:
    bench = ArrayBench(dut)
    await bench.start()
    await bench.use(1)
    assert not dut.busy.value
    await bench.step()
    for _ in range(sum((bench.engine.reset_cycles, bench.engine.settle_cycles, bench.engine.convert_cycles))):
        assert dut.busy.value
        await FallingEdge(dut.clk)
    assert not dut.busy.value


@cocotb.test()
async def an_array_without_neurons_in_use_stays_quiet(dut: Any) -> None:
    bench = ArrayBench(dut)
    await bench.start()
    await bench.send(bench.random_inputs())
    await bench.step()
    await bench.cycles(40)
    assert set(bench.phases) == {QUIET}
    assert not any(bench.finished)
    assert not dut.busy.value


@cocotb.test()
async def rows_carry_the_weights_as_sign_and_magnitude(dut: Any) -> None:
    bench = ArrayBench(dut)
    await bench.start()
    engine = bench.engine
    weights = bench.rng.integers(-127, 128, (engine.n_neurons, engine.n_axons))
    weights[0, 0], weights[-1, -1], weights[0, -1] = -127, 127, 0
    rows = engine.synapse_rows(weights)
    for row, word, data in rows_to_words(rows, engine.synapse_row_width):
        await bench.load(LoadTarget.SYNAPSES, row, word, data)
        await bench.cycles(int(bench.rng.integers(3)))
    await bench.cycles(3)
    assert [row for row, _ in bench.rows] == list(range(engine.n_axons)), "a strobe per row, in order"
    for axon, word in bench.rows:
        for neuron in range(engine.n_neurons):
            code = word >> 8 * neuron & 0xFF
            assert (-(code & 0x7F) if code & 0x80 else code) == weights[neuron, axon]
    assert (weights < 0).any()


@cocotb.test()
async def trims_and_scale_land_in_their_places(dut: Any) -> None:
    bench = ArrayBench(dut)
    await bench.start()
    array, n_neurons = dut.array, bench.engine.n_neurons
    assert (int(array.offset_trims.value), int(array.gain_trims.value)) == (0, 0)
    offsets, gains = bench.rng.integers(0, 256, (2, n_neurons))
    for neuron in bench.rng.permutation(n_neurons):
        data = int(gains[neuron]) << 8 | int(offsets[neuron])
        await bench.load(LoadTarget.TRIMS, int(neuron), 0, data)
    await bench.load(LoadTarget.TRIMS, n_neurons, 0, 0xFFFF)  # a neuron that does not exist
    await bench.load(LoadTarget.SETTINGS, SettingsRow.GAIN, 0, 0xABCD)
    await bench.load(LoadTarget.SETTINGS, SettingsRow.SHIFT, 0, 43)
    await ReadOnly()
    for port, codes in ((array.offset_trims, offsets), (array.gain_trims, gains)):
        assert int(port.value).to_bytes(n_neurons, "little") == bytes(codes.astype(np.uint8))
    assert (int(array.gain.value), int(array.shift.value)) == (0xABCD, 43)
    assert bench.rows == []


@cocotb.test()
async def two_events_on_one_axon_are_a_collision_but_not_in_different_steps(dut: Any) -> None:
    bench = ArrayBench(dut)
    await bench.start()
    await bench.use(1)
    codes = np.zeros(bench.engine.n_event_axons, dtype=np.int64)
    codes[2] = 1
    for _ in range(2):
        await bench.send(codes)
        await bench.step()
        await bench.cycles(30)
    assert not dut.collision.value
    await bench.send(codes)
    await bench.send(codes)
    await bench.cycles(1)
    assert dut.collision.value
    await bench.step()
    await bench.cycles(30)
    assert dut.collision.value, "stays until reset"
