"""Registers behind AXI4-Lite: values, errors, load strobes, stalls on every channel."""

import itertools
import logging
import random
from typing import Any

import cocotb
from cocotb.triggers import ClockCycles, RisingEdge
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiResp

from rtl_gen.boundary.calibration import Trim, TrimSearch
from rtl_gen.host.loader import AccessKind, MemoryImage, load_writes, search_accesses, trim_reads
from rtl_gen.host.registers import HostAddress, chip_registers
from rtl_gen.signatures import LoadTarget

from .. import parameters
from ..agents import reset, start_clock_and_reset

REGISTERS = chip_registers(**parameters())
CHANNELS = ("aw", "w", "b", "ar", "r")
WEIGHTS = {
    "target": LoadTarget.SYNAPSES,
    "row_width": 80,
    "rows": [3, (1 << 80) - 1, 5 << 64],
    "first_row": 7,
}
IMAGES = [
    MemoryImage(x=1, y=2, **WEIGHTS),
    MemoryImage(x=0, y=1, target=LoadTarget.SETTINGS, row_width=32, rows=[0xCAFE, 12]),
    MemoryImage(x=0, y=1, **WEIGHTS),
]
BOTH = ((0, 1), (1, 2))
# (tiles, target, row, word, data)
LOADS = [
    *[(BOTH, 0, 7, 0, 3), (BOTH, 0, 7, 1, 0), (BOTH, 0, 7, 2, 0)],
    *[(BOTH, 0, 8, 0, 0xFFFFFFFF), (BOTH, 0, 8, 1, 0xFFFFFFFF), (BOTH, 0, 8, 2, 0xFFFF)],
    *[(BOTH, 0, 9, 0, 0), (BOTH, 0, 9, 1, 0), (BOTH, 0, 9, 2, 5)],
    *[(((0, 1),), 2, 0, 0, 0xCAFE), (((0, 1),), 2, 1, 0, 12)],
]


class RegistersBench:
    """A manager on the bus, a monitor of the load bus and a check of the bus rules."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut
        self.loads: list[tuple[Any, ...]] = []
        self.n_clears = 0
        for name in ("busy", "closed", "stray", "collision", "steps", "events_in", "events_out"):
            getattr(dut, name).value = 0
        dut.calibration__trims.value = 0
        logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.WARNING)  # or every transfer is logged
        self.master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "bus_"), dut.clk, dut.rst)

    async def start(self) -> "RegistersBench":
        await start_clock_and_reset(self.dut)
        cocotb.start_soon(self._monitor())
        cocotb.start_soon(self._check_held("b", "bresp"))
        cocotb.start_soon(self._check_held("r", "rresp", "rdata"))
        return self

    def channel(self, name: str) -> Any:
        interface = self.master.write_if if name in ("aw", "w", "b") else self.master.read_if
        return getattr(interface, f"{name}_channel")

    async def write(self, address: int, value: int, n_bytes: int = 4) -> AxiResp:
        return (await self.master.write(address, value.to_bytes(n_bytes, "little"))).resp

    async def read(self, address: int) -> tuple[int, AxiResp]:
        response = await self.master.read(address, 4)
        return int.from_bytes(response.data, "little"), response.resp

    async def value(self, name: str) -> int:
        value, response = await self.read(REGISTERS[name].address)
        assert response == AxiResp.OKAY
        return value

    async def _monitor(self) -> None:
        """Note the writes of the load bus, each with the tiles that are chosen."""
        dut = self.dut
        tiles: set[tuple[int, int]] = set()
        while True:
            await RisingEdge(dut.clk)
            if dut.load__strobe.value == 1:
                signals = (dut.load__target, dut.load__row, dut.load__word, dut.load__data)
                self.loads.append((tuple(sorted(tiles)), *(int(signal.value) for signal in signals)))
            if dut.choice__choose.value == 1:
                addressed = {(int(dut.choice__x.value), int(dut.choice__y.value))}
                tiles = tiles | addressed if dut.choice__also.value else addressed
            self.n_clears += int(dut.clear_counters.value)

    async def _check_held(self, channel: str, *payload: str) -> None:
        """A response stays, unchanged, until it is accepted."""
        valid, ready = (getattr(self.dut, f"bus__{channel}{end}") for end in ("valid", "ready"))
        waiting = None
        while True:
            await RisingEdge(self.dut.clk)
            shown = (
                [int(getattr(self.dut, f"bus__{name}").value) for name in payload] if valid.value else None
            )
            resetting = self.dut.rst.value == 1
            assert resetting or waiting is None or shown == waiting, f"{channel}: {waiting} became {shown}"
            waiting = None if ready.value or resetting else shown


@cocotb.test(timeout_time=20, timeout_unit="us")
async def every_register_reads_its_reset_value(dut: Any) -> None:
    bench = await RegistersBench(dut).start()
    for register in REGISTERS:
        value, response = await bench.read(register.address)
        if register.access == "wo":
            assert (value, response) == (0, AxiResp.SLVERR), register.name
        else:
            assert (value, response) == (register.reset, AxiResp.OKAY), register.name
    assert (await bench.value("ID")).to_bytes(4, "big") == b"NMIX"


@cocotb.test(timeout_time=100, timeout_unit="us")
async def undefined_addresses_are_errors(dut: Any) -> None:
    bench = await RegistersBench(dut).start()
    defined = {register.address for register in REGISTERS}
    aliases = {address | 1 << bit for address in defined for bit in range(6, 12)}
    tried = ({*range(0, 0x80, 4), 0xFFC} | aliases) - defined
    assert len(tried) > 80
    for address in sorted(tried):
        assert await bench.read(address) == (0, AxiResp.SLVERR), hex(address)
        assert await bench.write(address, 0xFFFFFFFF) == AxiResp.SLVERR, hex(address)
    assert not bench.loads
    assert not bench.n_clears


@cocotb.test(timeout_time=20, timeout_unit="us")
async def writes_reach_writable_registers_only(dut: Any) -> None:
    bench = await RegistersBench(dut).start()
    for register in REGISTERS:
        response = await bench.write(register.address, 0xFFFFFFFF)
        assert response == (AxiResp.SLVERR if register.access == "ro" else AxiResp.OKAY), register.name
    for register in REGISTERS:
        written = sum(field.mask for field in register.fields) if register.access == "rw" else register.reset
        if register.access != "wo":
            assert await bench.value(register.name) == written, register.name
    assert bench.n_clears == 1


@cocotb.test(timeout_time=20, timeout_unit="us")
async def partial_writes_are_errors_without_effect(dut: Any) -> None:
    bench = await RegistersBench(dut).start()
    for offset, n_bytes in ((0, 1), (0, 2), (0, 3), (1, 3), (3, 1), (2, 2)):
        for register in REGISTERS:
            response = await bench.write(register.address + offset, (1 << 8 * n_bytes) - 1, n_bytes)
            assert response == AxiResp.SLVERR, register.name
    for register in REGISTERS:
        if register.access != "wo":
            assert await bench.value(register.name) == register.reset, register.name
    assert not bench.loads
    assert not bench.n_clears


@cocotb.test(timeout_time=20, timeout_unit="us")
async def status_and_counters_show_the_chip(dut: Any) -> None:
    bench = await RegistersBench(dut).start()
    for index, name in enumerate(("STEPS", "EVENTS_IN", "EVENTS_OUT")):
        getattr(dut, name.lower()).value = 0x89ABCDE0 + index
        assert await bench.value(name) == 0x89ABCDE0 + index
    for busy, closed in itertools.product((1, 0), repeat=2):
        dut.busy.value, dut.closed.value = busy, closed
        assert await bench.value("STATUS") == busy | closed << 1


@cocotb.test(timeout_time=20, timeout_unit="us")
async def a_calibration_starts_once_with_its_parameters_and_shows_its_trims(dut: Any) -> None:
    bench = await RegistersBench(dut).start()
    search = TrimSearch(trim=Trim.GAIN, threshold=0xA5, repeats_log2=5, lowered_by=0x7E)
    starts: list[tuple[int, ...]] = []

    async def watch() -> None:
        while True:
            await RisingEdge(dut.clk)
            if dut.calibration__start.value == 1:
                names = ("trim", "threshold", "repeats_log2", "lowered_by")
                starts.append(tuple(int(getattr(dut, f"calibration__{name}").value) for name in names))

    cocotb.start_soon(watch())
    accesses = list(search_accesses(REGISTERS, search))
    assert [access.kind for access in accesses] == [AccessKind.WRITE, AccessKind.WRITE, AccessKind.WAIT]
    for access in accesses[:2]:
        assert await bench.write(access.address, access.value) == AxiResp.OKAY
    assert starts == [(1, 0xA5, 5, 0x7E)]
    assert bench.n_clears == 0
    wait = accesses[2]
    for busy in (1, 0):
        dut.busy.value = busy
        assert bool((await bench.read(wait.address))[0] & wait.value) == bool(busy)
    dut.calibration__trims.value = 0x80FF
    read = list(trim_reads(2, 1, 3))[-1]
    assert await bench.read(read.address) == (0x80FF, AxiResp.OKAY)
    assert await bench.write(HostAddress.CONTROL, 0b011) == AxiResp.OKAY
    assert len(starts) == 1


@cocotb.test(timeout_time=20, timeout_unit="us")
async def flags_are_sticky_until_cleared(dut: Any) -> None:
    bench = await RegistersBench(dut).start()
    for flag, bit in ((dut.stray, 4), (dut.collision, 8)):
        flag.value = 1
        await ClockCycles(dut.clk, 1)
        flag.value = 0
        for _ in range(2):
            assert await bench.value("STATUS") == bit
        assert await bench.write(HostAddress.CONTROL, 0b01) == AxiResp.OKAY
        assert (await bench.value("STATUS"), bench.n_clears) == (bit, 1)
        assert await bench.write(HostAddress.CONTROL, 0b10) == AxiResp.OKAY
        assert (await bench.value("STATUS"), bench.n_clears) == (0, 1)
        bench.n_clears = 0


@cocotb.test(timeout_time=20, timeout_unit="us")
async def a_flag_raised_while_cleared_stays(dut: Any) -> None:
    bench = await RegistersBench(dut).start()
    clearing = cocotb.start_soon(bench.write(HostAddress.CONTROL, 0b11))
    await RisingEdge(dut.clear_counters)
    dut.stray.value = 1
    await RisingEdge(dut.clk)
    dut.stray.value = 0
    assert await clearing == AxiResp.OKAY
    assert await bench.value("STATUS") == 4


@cocotb.test(timeout_time=20, timeout_unit="us")
async def address_and_data_come_in_any_order(dut: Any) -> None:
    bench = await RegistersBench(dut).start()
    for value, late in enumerate(("aw", "w"), start=1):
        bench.channel(late).pause = True
        writing = cocotb.start_soon(bench.write(HostAddress.LOAD_ROW, value))
        await ClockCycles(dut.clk, 10)
        assert dut.bus__bvalid.value == 0
        assert await bench.value("LOAD_ROW") == value - 1
        bench.channel(late).pause = False
        assert await writing == AxiResp.OKAY
        assert await bench.value("LOAD_ROW") == value


@cocotb.test(timeout_time=20, timeout_unit="us")
async def writes_and_reads_take_two_cycles_back_to_back(dut: Any) -> None:
    bench = await RegistersBench(dut).start()
    n_words = 64
    start = get_sim_time("ns")
    transfers = [
        *[cocotb.start_soon(bench.write(HostAddress.LOAD_DATA, word)) for word in range(n_words)],
        *[cocotb.start_soon(bench.value("ID")) for _ in range(n_words)],
    ]
    for transfer in transfers:
        await transfer
    n_cycles = (get_sim_time("ns") - start) / 10
    assert n_cycles <= 2 * n_words + 8
    assert bench.loads == [((), 0, 0, word, word) for word in range(n_words)]


@cocotb.test(timeout_time=100, timeout_unit="us")
async def load_word_index_wraps_and_returns_with_the_row(dut: Any) -> None:
    bench = await RegistersBench(dut).start()
    for _ in range(1025):
        await bench.write(HostAddress.LOAD_DATA, 0)
    assert [load[3] for load in bench.loads[-3:]] == [1022, 1023, 0]
    await bench.write(HostAddress.LOAD_TARGET, 1)
    await bench.write(HostAddress.LOAD_DATA, 0)
    await bench.write(HostAddress.LOAD_ROW, 0)
    await bench.write(HostAddress.LOAD_DATA, 0)
    assert [load[3] for load in bench.loads[-2:]] == [1, 0]


@cocotb.test(timeout_time=5, timeout_unit="us")
@cocotb.parametrize(stalled=list(itertools.product((False, True), repeat=len(CHANNELS))))
async def loads_and_reads_survive_stalls(dut: Any, stalled: tuple[bool, ...]) -> None:
    bench = await RegistersBench(dut).start()
    rng = random.Random(str(stalled))
    for name, stalls in zip(CHANNELS, stalled, strict=True):
        if stalls:
            bench.channel(name).set_pause_generator(iter(lambda: rng.random() < 0.6, None))

    async def read_constants() -> None:
        for _ in range(10):
            assert await bench.value("ID") == REGISTERS["ID"].reset
            assert await bench.value("GEOMETRY") == REGISTERS["GEOMETRY"].reset
            assert (await bench.read(HostAddress.LOAD_DATA))[1] == AxiResp.SLVERR

    reading = cocotb.start_soon(read_constants())
    for writing in [cocotb.start_soon(bench.write(*write)) for write in load_writes(IMAGES)]:
        assert await writing == AxiResp.OKAY
    await reading
    assert bench.loads == LOADS
    for name in CHANNELS:
        bench.channel(name).clear_pause_generator()


@cocotb.test(timeout_time=20, timeout_unit="us")
async def reset_ends_transfers_under_way(dut: Any) -> None:
    bench = await RegistersBench(dut).start()
    await bench.write(HostAddress.LOAD_ROW, 5)
    bench.channel("b").pause = bench.channel("r").pause = True
    for value in (6, 7):
        bench.master.init_write(HostAddress.LOAD_ROW, value.to_bytes(4, "little"))
    bench.master.init_read(HostAddress.ID, 4)
    await ClockCycles(dut.clk, 10)
    assert dut.bus__bvalid.value == 1
    assert dut.bus__rvalid.value == 1
    await reset(dut)
    assert dut.bus__bvalid.value == 0
    assert dut.bus__rvalid.value == 0
    bench.channel("b").pause = bench.channel("r").pause = False
    assert await bench.value("LOAD_ROW") == 0
    assert await bench.write(HostAddress.LOAD_ROW, 8) == AxiResp.OKAY
    assert await bench.value("LOAD_ROW") == 8
