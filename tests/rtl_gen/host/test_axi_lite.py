"""Registers behind AXI4-Lite."""

from rtl_gen.host.axi_lite import HostRegisters
from rtl_gen.host.registers import chip_registers

GEOMETRY = {"mesh_width": 3, "mesh_height": 2, "n_axons": 64, "n_neurons": 33}


def test_registers_follow_their_map_under_stalls(bench):
    bench(HostRegisters(chip_registers(**GEOMETRY)), "testbenches.host.registers_bench", GEOMETRY)
