"""Event ingress and egress around a fabric that answers each step's events in the next step.

The bench is the fabric and the barrier. As in a chip, ``step`` strobes when the input is closed, both ports
are idle and the fabric is empty; the fabric starts to send right after.
"""

import itertools
import logging
import random
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from cocotbext.axi import AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource
from cocotbext.axi.stream import define_stream

from .. import parameters
from ..agents import StreamMonitor, start_clock_and_reset

FLIT_WIDTH = parameters()["flit_width"]
FlitBus, Flit, FlitSource, FlitSink, _ = define_stream("Flit", ["valid", "ready", "payload"])

PACKET_SIZES = (0, 1, 30, 0, 0, 2, 1, 17, 3)
STALLED = tuple(itertools.product((False, True), repeat=4))


class EventPortBench:
    """Host streams, an echoing fabric and a barrier around the two ports."""

    def __init__(self, dut: Any, seed: str) -> None:
        self.dut = dut
        self.rng = random.Random(seed)
        self.barrier_delay = 0
        self.n_steps = 0
        dut.step.value = 0
        dut.clear_counters.value = 0
        logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.WARNING)  # or every packet is logged
        host_in, host_out = (AxiStreamBus.from_prefix(dut, name) for name in ("host_in_", "host_out_"))
        arriving, leaving = (FlitBus.from_prefix(dut, name) for name in ("arriving_", "leaving_"))
        self.source = AxiStreamSource(host_in, dut.clk, dut.rst, byte_lanes=1)
        self.sink = AxiStreamSink(host_out, dut.clk, dut.rst, byte_lanes=1)
        self.fabric_sink = FlitSink(arriving, dut.clk, dut.rst)
        self.fabric_source = FlitSource(leaving, dut.clk, dut.rst)

    async def start(self) -> "EventPortBench":
        await start_clock_and_reset(self.dut)
        StreamMonitor(self.dut, "arriving")
        cocotb.start_soon(self._barrier())
        cocotb.start_soon(self._check_held())
        return self

    def stall(self, stalled: tuple[bool, ...]) -> None:
        """Pause the ends so marked at random; never for ever."""
        ends = (self.source, self.sink, self.fabric_sink, self.fabric_source)
        for end, stalls in zip(ends, stalled, strict=True):
            if stalls:
                end.set_pause_generator(iter(lambda: self.rng.random() < 0.6, None))

    def draw_events(self, n_events: int) -> list[int]:
        return [self.rng.getrandbits(FLIT_WIDTH) for _ in range(n_events)]

    async def send(self, events: list[int]) -> None:
        """Send one step's packet; the closing beat's data must not matter."""
        await self.source.send(AxiStreamFrame([*events, self.rng.getrandbits(FLIT_WIDTH)]))

    async def receive(self) -> tuple[list[int], int]:
        """Return the events of one packet and the number of the step that it closes."""
        *events, number = (await self.sink.recv()).tdata
        return list(events), number

    async def _barrier(self) -> None:
        """Strobe ``step`` when all is idle; check that nothing is accepted from closing until then.

        It acts in mid-cycle, so it sees what a combinational barrier would.
        """
        dut = self.dut
        n_idle_cycles = 0
        while True:
            await FallingEdge(dut.clk)
            dut.step.value = 0
            assert not (dut.closed.value and dut.host_in__tready.value), (
                "a beat could enter after the closing one"
            )
            assert not (dut.ingress_idle.value and dut.arriving__valid.value), "idle with an event held"
            assert not (dut.egress_idle.value and dut.host_out__tvalid.value), "idle with a beat held"
            idle = dut.closed.value and dut.ingress_idle.value and dut.egress_idle.value
            if not idle or not self.fabric_source.empty():
                assert not n_idle_cycles, "idle ended without a step"
                continue
            n_idle_cycles += 1
            if n_idle_cycles > self.barrier_delay:
                dut.step.value = 1
                self.n_steps += 1
                n_idle_cycles = 0
                while not self.fabric_sink.empty():
                    self.fabric_source.send_nowait(Flit(payload=int(self.fabric_sink.recv_nowait().payload)))

    async def _check_held(self) -> None:
        """A beat offered to the host stays, unchanged, until it is taken."""
        dut = self.dut
        waiting = None
        while True:
            await RisingEdge(dut.clk)
            beat = (int(dut.host_out__tdata.value), int(dut.host_out__tlast.value))
            shown = beat if dut.host_out__tvalid.value else None
            assert waiting is None or shown == waiting, f"beat {waiting} became {shown}"
            waiting = None if dut.host_out__tready.value else shown


@cocotb.test(timeout_time=10, timeout_unit="us")
@cocotb.parametrize(stalled=STALLED, barrier_delay=(0, 7))
async def packets_come_back_one_step_later(dut: Any, stalled: tuple[bool, ...], barrier_delay: int) -> None:
    bench = await EventPortBench(dut, seed=f"{stalled} {barrier_delay}").start()
    bench.barrier_delay = barrier_delay
    bench.stall(stalled)
    packets = [bench.draw_events(size) for size in PACKET_SIZES]
    for packet in packets:
        await bench.send(packet)
    await bench.send([])
    for number, expected in enumerate([[], *packets]):
        assert await bench.receive() == (expected, number)
    await ClockCycles(dut.clk, 20)
    assert bench.sink.empty(), "more packets came than steps were closed"
    assert bench.n_steps == int(dut.steps.value) == len(packets) + 1
    assert int(dut.events_in.value) == int(dut.events_out.value) == sum(PACKET_SIZES)


@cocotb.test(timeout_time=10, timeout_unit="us")
async def an_event_per_cycle_passes_when_nobody_stalls(dut: Any) -> None:
    bench = await EventPortBench(dut, seed="throughput").start()
    events = bench.draw_events(200)
    for packet in (events, []):
        await bench.send(packet)
    for expected in ([], events):
        received = await bench.sink.recv()
        assert list(received.tdata[:-1]) == expected
    assert received.sim_time_end - received.sim_time_start <= (len(events) + 4) * 10_000  # [ps]


@cocotb.test(timeout_time=10, timeout_unit="us")
async def clearing_restarts_counters_and_step_numbers(dut: Any) -> None:
    bench = await EventPortBench(dut, seed="clear").start()
    for events in ([1, 2, 3], [4], []):
        await bench.send(events)
    assert [(await bench.receive())[1] for _ in range(3)] == [0, 1, 2]
    await ClockCycles(dut.clk, 3)
    assert [int(count.value) for count in (dut.events_in, dut.events_out, dut.steps)] == [4, 4, 3]
    dut.clear_counters.value = 1
    await ClockCycles(dut.clk, 1)
    dut.clear_counters.value = 0
    await ClockCycles(dut.clk, 1)
    assert [int(count.value) for count in (dut.events_in, dut.events_out, dut.steps)] == [0, 0, 0]
    await bench.send([5, 6])
    assert await bench.receive() == ([], 0)
    assert int(dut.events_in.value) == 2
