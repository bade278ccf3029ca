"""Toggles of a whole chip: Icarus and Verilator count the same."""

from collections.abc import Callable
from pathlib import Path

import pytest

from cosim.activity import Activity, compare, read_saif, read_vcd
from cosim.job import run_cosim
from cosim.simulator import SimulatorName, TraceFormat, find_simulator
from rtl_gen.chip import ChipParameters
from rtl_gen.emit import RtlBundle
from testbenches.chip_bench import chip_case

Emitted = Callable[[ChipParameters], RtlBundle]


@pytest.mark.cosim
@pytest.mark.icarus
@pytest.mark.verilator
def test_both_simulators_count_the_same_toggles_on_every_net(
    emitted: Emitted, test_folder: Path, simulators: Path
) -> None:
    case = chip_case("serial_4_lanes")
    # Before every core has sent, Icarus sees unknown values: memories that were not read yet.
    n_filling, n_steps = case.mapped.depth, len(case.codes)

    def count(simulator: SimulatorName, trace: TraceFormat, n_steps: int) -> Activity:
        find_simulator(simulator)
        job = case.job(emitted(case.chip), simulator, n_steps=n_steps, trace=trace)
        result = run_cosim(job, test_folder / f"{simulator}-{n_steps}", simulators, fresh=True)
        assert result.trace is not None
        return read_saif(result.trace, "chip") if trace == "saif" else read_vcd(result.trace, "chip")

    icarus, verilator = (
        count(simulator, trace, n_steps).since(count(simulator, trace, n_filling))
        for simulator, trace in (("icarus", "vcd"), ("verilator", "saif"))
    )
    common = set(icarus.index) & set(verilator.index)
    only = {name for _, name in icarus.index.keys() ^ verilator.index.keys()}
    assert len(common) > 4000
    assert {name.partition("[")[0] for name in only} <= {"rows"}, "only memories are not in both"
    assert compare(icarus, verilator) == []
    assert icarus.cycles == verilator.cycles
    assert icarus.clock_period == pytest.approx(10e-9, rel=1e-9, abs=0)
    moved = {net for net in common if icarus.toggles[icarus.index[net]].any()}
    assert len(moved) > len(common) / 3, "the stimulus must move many of the nets"
    for x, y in case.chip.tile_addresses:
        assert ((f"tile_{x}_{y}",), "sent") in moved
