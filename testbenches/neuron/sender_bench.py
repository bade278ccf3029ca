"""Event sender: every code in use that is not zero goes to all its destinations, once and in order."""

from typing import Any

import cocotb
import numpy as np
from cocotb.triggers import FallingEdge, ReadOnly
from numpy.typing import NDArray

from rtl_gen.formats import EventFormat
from rtl_gen.memory import rows_to_words
from rtl_gen.neuron.sender import EventSenderParameters
from rtl_gen.signatures import LoadTarget, SettingsRow
from testbenches import parameters
from testbenches.agents import StreamMonitor, StreamSink, reset, sometimes, start_clock_and_reset

Routes = list[list[tuple[int, int, int]]]


def sender_parameters(*, payload_width: int, n_neurons: int, fan_out: int) -> EventSenderParameters:
    """Return the sender that a test's parameters describe."""
    event_format = EventFormat(x_width=2, y_width=3, axon_width=5, payload_width=payload_width)
    return EventSenderParameters(event_format=event_format, n_neurons=n_neurons, fan_out=fan_out)


class SenderBench:
    """A sender with a table of random routes, and codes that the bench answers at once."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.sender = sender_parameters(**parameters())
        self.rng = np.random.default_rng(seed=11)
        self.routes: Routes = []
        self.codes: NDArray[np.int64] = np.zeros(self.sender.n_neurons, dtype=np.int64)

    async def start(self, *, stall: float = 0.0) -> None:
        for name in ("start", "load__strobe", "load__target", "load__row", "load__word", "load__data"):
            getattr(self.dut, name).value = 0
        self.dut.code.value = 0
        await start_clock_and_reset(self.dut)
        self.sink = StreamSink(self.dut, "flits", sometimes(stall, self.rng))
        self.monitor = StreamMonitor(self.dut, "flits")
        cocotb.start_soon(self._answer())

    async def load(self, n_in_use: int) -> None:
        """Load random routes, some entries unused, also for neurons that are not in use."""
        sender, event_format = self.sender, self.sender.event_format
        self.routes = [
            [
                (
                    int(self.rng.integers(1 << event_format.x_width)),
                    int(self.rng.integers(1 << event_format.y_width)),
                    int(self.rng.integers(1 << event_format.axon_width)),
                )
                for _ in range((neuron + 1) % (sender.fan_out + 1))
            ]
            for neuron in range(sender.n_neurons)
        ]
        rows = sender.table_rows(self.routes)
        for row, word, data in rows_to_words(rows, sender.table.width):
            await self._write(LoadTarget.ROUTES, row, word, data)
        await self.use(n_in_use)

    async def use(self, n_in_use: int) -> None:
        """Set how many neurons are in use."""
        await self._write(LoadTarget.SETTINGS, SettingsRow.NEURONS_IN_USE, 0, n_in_use)

    def show(self, codes: NDArray[np.int64]) -> None:
        """Let the engine have these codes, one per neuron."""
        self.codes = codes
        self._drive_code()

    def expected(self, n_in_use: int) -> list[int]:
        """Return the flits of the present codes, in order."""
        return [
            self.sender.event_format.pack_flit(x=x, y=y, axon=axon, payload=int(code))
            for code, destinations in list(zip(self.codes, self.routes, strict=True))[:n_in_use]
            for x, y, axon in destinations
            if code
        ]

    def random_codes(self) -> NDArray[np.int64]:
        """Return codes for all neurons, a third of them and at least one of them 0."""
        code_max = self.sender.event_format.payload_max
        shape = self.sender.n_neurons
        codes = self.rng.integers(1, code_max + 1, shape) * (self.rng.random(shape) < 2 / 3)
        codes[self.rng.integers(shape)] = 0
        return codes

    async def send(self) -> list[int]:
        """Start the sender; return what it sent by the time when it is idle again, and for 20 cycles more."""
        before = len(self.monitor.transfers)
        self.dut.start.value = 1
        await FallingEdge(self.dut.clk)
        self.dut.start.value = 0
        assert self.dut.busy.value, "busy must rise in the cycle after start"
        for _ in range(2000):
            if not self.dut.busy.value:
                break
            await FallingEdge(self.dut.clk)
        else:
            raise AssertionError("the sender is busy for ever")
        when_idle = len(self.monitor.transfers)
        for _ in range(20):
            await FallingEdge(self.dut.clk)
        await ReadOnly()
        assert len(self.monitor.transfers) == when_idle, "nothing may be sent by an idle sender"
        await FallingEdge(self.dut.clk)
        return self.monitor.payloads[before:]

    async def _answer(self) -> None:
        """Show the code of the neuron that is asked for, as an engine does: combinationally."""
        while True:
            self._drive_code()
            await self.dut.neuron.value_change

    def _drive_code(self) -> None:
        neuron = int(self.dut.neuron.value)
        self.dut.code.value = int(self.codes[neuron]) if neuron < len(self.codes) else 1

    async def _write(self, target: int, row: int, word: int, data: int) -> None:
        self.dut.load__strobe.value = 1
        self.dut.load__target.value = target
        self.dut.load__row.value = row
        self.dut.load__word.value = word
        self.dut.load__data.value = data
        await FallingEdge(self.dut.clk)
        self.dut.load__strobe.value = 0


@cocotb.test()
@cocotb.parametrize(stall=[0.0, 0.6])
async def sends_each_code_to_all_its_destinations_in_order(dut: Any, stall: float) -> None:
    bench = SenderBench(dut)
    await bench.start(stall=stall)
    n_neurons = bench.sender.n_neurons
    await bench.load(n_neurons)
    assert {len(entries) for entries in bench.routes} == set(range(bench.sender.fan_out + 1))
    for _ in range(6):
        bench.show(bench.random_codes())
        expected = bench.expected(n_neurons)
        assert await bench.send() == expected
    assert len(bench.monitor.transfers) > n_neurons


@cocotb.test()
async def is_silent_without_codes_and_takes_a_cycle_per_neuron(dut: Any) -> None:
    bench = SenderBench(dut)
    await bench.start()
    n_neurons = bench.sender.n_neurons
    await bench.load(n_neurons)
    dut.start.value = 1
    await FallingEdge(dut.clk)
    dut.start.value = 0
    n_busy = 0
    while dut.busy.value:
        n_busy += 1
        await FallingEdge(dut.clk)
    assert n_busy == n_neurons + 1, "one cycle for each neuron, one to see that there is none left"
    assert bench.monitor.transfers == []


@cocotb.test()
async def neurons_that_are_not_in_use_are_silent(dut: Any) -> None:
    bench = SenderBench(dut)
    await bench.start()
    n_neurons = bench.sender.n_neurons
    await bench.load(0)
    bench.show(np.full(n_neurons, bench.sender.event_format.payload_max))
    for n_in_use in (0, 1, n_neurons // 2, n_neurons):
        await bench.use(n_in_use)
        sent = await bench.send()
        assert sent == bench.expected(n_in_use)
        assert bool(sent) == (n_in_use > 0)
    assert len(bench.expected(n_neurons)) > len(bench.expected(n_neurons // 2))


@cocotb.test()
async def starts_over_after_a_reset_in_mid_transfer(dut: Any) -> None:
    bench = SenderBench(dut)
    await bench.start(stall=0.9)
    n_neurons = bench.sender.n_neurons
    await bench.load(n_neurons)
    bench.show(np.full(n_neurons, bench.sender.event_format.payload_max))
    dut.start.value = 1
    await FallingEdge(dut.clk)
    dut.start.value = 0
    while not bench.monitor.transfers:
        await FallingEdge(dut.clk)
    bench.monitor.stop()
    await reset(dut)
    assert not dut.busy.value
    bench.monitor = StreamMonitor(dut, "flits")
    assert await bench.send() == [], "no neuron is in use after reset"
    await bench.use(n_neurons)
    assert await bench.send() == bench.expected(n_neurons)
