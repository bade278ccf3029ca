"""Toggles of a whole chip: Icarus, Verilator and the counting program count the same."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosim.activity import PHASES, compare, read_counts, read_saif, read_steps, read_vcd
from cosim.job import run_cosim
from cosim.simulator import SimulationError, SimulatorName, TraceFormat, find_simulator
from neuromix.energy.estimate import estimate_energy
from neuromix.energy.netlist import read_inventory
from neuromix.energy.prices import load_table
from neuromix.energy.toggles import choose_nets
from rtl_gen.chip import ChipParameters
from rtl_gen.emit import CHIP_MODULE, RtlBundle
from rtl_gen.host.loader import Access, AccessKind
from testbenches.chip_bench import ChipCase, chip_case

Emitted = Callable[[ChipParameters], RtlBundle]


@pytest.fixture
def traced(emitted: Emitted, test_folder: Path, simulators: Path) -> Callable[..., Path]:
    """Run ``case``; return what was written of its nets."""

    def run(
        case: ChipCase, simulator: SimulatorName, trace: TraceFormat, n_steps: int, **changes: Any
    ) -> Path:
        find_simulator(simulator)
        job = case.job(emitted(case.chip), simulator, n_steps=n_steps, trace=trace, **changes)
        result = run_cosim(job, test_folder / f"{simulator}-{trace}-{n_steps}", simulators, fresh=True)
        assert result.trace is not None
        return result.trace

    return run


@pytest.mark.cosim
@pytest.mark.icarus
@pytest.mark.verilator
def test_every_way_to_count_gives_the_same_toggles_on_every_net(traced: Callable[..., Path]) -> None:
    case = chip_case("serial_4_lanes")
    # Before every core has sent, Icarus sees unknown values: memories that were not read yet.
    n_filling, n_steps = case.mapped.depth, len(case.codes)
    icarus, verilator = (
        read(traced(case, simulator, trace, n_steps), "chip").since(
            read(traced(case, simulator, trace, n_filling), "chip")
        )
        for simulator, trace, read in (("icarus", "vcd", read_vcd), ("verilator", "saif", read_saif))
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

    path = traced(case, "verilator", "counts", n_steps, count_from=n_filling)
    counted = read_counts(path)
    assert counted.index.keys() <= verilator.index.keys()
    missing = {name for _, name in verilator.index.keys() - counted.index.keys()}
    assert {name.partition("[")[0] for name in missing} == {"rows"}, "only rows of memories are not counted"
    assert (counted.cycles, counted.clock_period) == (verilator.cycles, 10e-9)
    for net, bits in counted.index.items():
        expected = verilator.index[net]
        np.testing.assert_array_equal(counted.toggles[bits], verilator.toggles[expected], str(net))
        # A waveform ends at the last change, up to a cycle early.
        highs = counted.cycles_high[bits] - verilator.cycles_high[expected]
        assert np.abs(highs).max() <= 1, net

    steps = read_steps(path)
    assert steps.toggles.shape == (n_steps - n_filling, len(PHASES), len(set(steps.instances)))
    assert not steps.toggles[:, PHASES.index("loading")].any()
    assert steps.toggles[:, PHASES.index("moving events")].any()
    assert steps.toggles[:, PHASES.index("computing")].any()
    by_step = steps.toggles.sum(axis=(0, 1))
    for instance, toggles in zip(steps.instances, by_step.tolist(), strict=True):
        nets = [bits for (place, name), bits in counted.index.items() if place == instance and name != "clk"]
        assert toggles == sum(int(counted.toggles[bits].sum()) for bits in nets), instance


@pytest.mark.cosim
@pytest.mark.verilator
@pytest.mark.yosys
@pytest.mark.skipif(shutil.which("yosys") is None, reason="yosys: program must be on the PATH, got none")
def test_few_names_give_the_toggles_of_every_priced_net(
    traced: Callable[..., Path], emitted: Emitted
) -> None:
    case = chip_case("serial_4_lanes")
    n_filling, n_steps = case.mapped.depth, len(case.codes)
    saif = read_saif(traced(case, "verilator", "saif", n_steps), "chip").since(
        read_saif(traced(case, "verilator", "saif", n_filling), "chip")
    )
    inventory = read_inventory(emitted(case.chip).sources, CHIP_MODULE)
    nets = choose_nets(inventory)
    path = traced(case, "verilator", "counts", n_steps, count_from=n_filling, counted=nets)
    counted = read_counts(path)
    assert len(counted.index) == len(nets) < len(saif.index) / 2
    for net, bits in counted.index.items():
        np.testing.assert_array_equal(counted.toggles[bits], saif.toggles[saif.index[net]], str(net))

    few, all_names = (
        estimate_energy(
            activity, inventory, load_table("ptm65-gp"), clock_hz=100e6, n_inferences=1, n_macs=1, n_sops=1
        )
        for activity in (counted, saif)
    )
    assert few.n_annotated == all_names.n_annotated == sum(net.by_step.bit_count() for net in nets)
    assert few.toggles_by_class == all_names.toggles_by_class
    assert few.accesses == pytest.approx(all_names.accesses, abs=1)  # a SAIF ends up to a cycle early
    steps = read_steps(path)
    assert steps.toggles.sum() == few.toggles > 1e5, "by step a net counts once"

    misplaced = replace(nets[0], instance=("tile_9_9",))
    with pytest.raises(
        SimulationError, match=re.escape(f"no such net to count: .tile_9_9\t{nets[0].name}\n")
    ):
        traced(case, "verilator", "counts", 1, counted=[*nets, misplaced])


@pytest.mark.cosim
@pytest.mark.verilator
def test_counting_an_analog_chip_changes_nothing(traced: Callable[..., Path]) -> None:
    case = chip_case("mixed_signal")
    path = traced(case, "verilator", "counts", len(case.codes) + case.mapped.depth)
    assert read_counts(path).toggles.any()
    assert read_steps(path).toggles[0, PHASES.index("loading")].any(), "counted from reset on"
    with np.load(path.with_name("result.npz")) as counted:
        np.testing.assert_array_equal(counted["sent"], case.reference().events)


@pytest.mark.parametrize(
    "change", [{"simulator": "icarus"}, {"calibration": [Access(AccessKind.WRITE, 0, 0)]}]
)
def test_what_cannot_be_counted_is_refused(change: dict[str, Any], emitted: Emitted, tmp_path: Path) -> None:
    case = chip_case("mixed_signal")
    job = replace(case.job(emitted(case.chip), "verilator", trace="counts"), **change)
    with pytest.raises(
        ValueError, match=r"^co-simulation: counts must be of Verilator, without calibration$"
    ):
        run_cosim(job, tmp_path, tmp_path)
