"""Registers behind AXI4-Lite."""

import pytest

from rtl_gen.host import axi_lite
from rtl_gen.host.registers import chip_registers
from testbenches.mutant import mutant

BENCH = "testbenches.host.registers_bench"
GEOMETRY = {"mesh_width": 3, "mesh_height": 2, "n_axons": 64, "n_neurons": 33}

MUTANTS = {
    "a partial write is taken": (" | ~byte_strobes.all()", ""),
    "a response is dropped before it is accepted": ("m.If(bus.bvalid & bus.bready)", "m.If(bus.bvalid)"),
    "a word read is dropped before it is accepted": ("m.If(bus.rvalid & bus.rready)", "m.If(bus.rvalid)"),
    "a second write overtakes a response": (
        "address_held & data_held & ~bus.bvalid",
        "address_held & data_held",
    ),
    "the word index stays with a new row": ("m.d.sync += load_word.eq(0)", "pass"),
    "an old address is used again": ("bus.awready.eq(~address_held)", "bus.awready.eq(1)"),
    "clearing wins over a new error": (
        "with m.If(strobe):",
        'with m.If(strobe & ~fields["CONTROL", "clear_flags"]):',
    ),
}


def test_registers_follow_their_map_under_stalls(bench):
    bench(axi_lite.HostRegisters(chip_registers(**GEOMETRY)), BENCH, GEOMETRY)


@pytest.mark.parametrize("fault", MUTANTS)
def test_the_bench_sees_a_fault_when(failing_bench, fault):
    faulty = mutant(axi_lite, *MUTANTS[fault])
    failing_bench(faulty.HostRegisters(chip_registers(**GEOMETRY)), BENCH, GEOMETRY)
