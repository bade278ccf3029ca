"""All bridges do the same, and the compiled one whatever it is told to expect of the arrays."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np
import pytest

from cosim import simulator
from cosim.boundary import BRIDGES, Bridge
from cosim.job import CosimResult
from cosim.simulator import SimulationError
from neuromix.mapping import Position
from neuromix.reference import simulate_mapped
from rtl_gen import chip
from rtl_gen.boundary import analog_array
from rtl_gen.chip import ChipParameters
from rtl_gen.emit import RtlBundle, emit_chip
from rtl_gen.host.loader import Access, AccessKind
from testbenches.chip_bench import ChipCase, Played, chip_case
from testbenches.mutant import mutant

Play = Callable[..., Played]
Codes = Mapping[Position, np.ndarray]

pytestmark = [pytest.mark.cosim, pytest.mark.verilator]


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folder of every run of the program so far."""
    ran: list[Path] = []
    run = simulator.run_program

    def counted(*arguments: Any, folder: Path, **options: Any) -> None:
        ran.append(folder)
        run(*arguments, folder=folder, **options)

    monkeypatch.setattr(simulator, "run_program", counted)
    return ran


def guesses(case: ChipCase) -> dict[str, Codes]:
    """Return what may be expected of the arrays: what they will answer, nothing, too little, nonsense."""
    right = case.reference().answers
    rng = np.random.default_rng(4)
    return {
        "right": right,
        "none": {},
        "short": {place: codes[:7] for place, codes in right.items()},
        "wrong": {place: rng.permuted(codes) for place, codes in right.items()},
        "long": {place: np.concatenate([codes, codes]) for place, codes in right.items()},
    }


def assert_same(one: CosimResult, other: CosimResult) -> None:
    for name in ("sent", "received", "step_cycles"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("stall", [0, 128])
def test_events_and_cycles_are_those_of_the_stock_bridge_whatever_the_guess(
    stall: int, play: Play, passes: list[Path]
) -> None:
    case = chip_case("mixed_signal")
    expected = play(case, "verilator", "stock", stall=stall, bridge="stock")
    under_cocotb = play(case, "verilator", "cocotb", stall=stall, bridge="cocotb")
    assert under_cocotb.comparison.equal, under_cocotb.comparison.located
    assert_same(under_cocotb.result, expected.result)
    assert not passes
    depth = case.mapped.depth
    for name, guess in guesses(case).items():
        passes.clear()
        played = play(case, "verilator", name, stall=stall, bridge="compiled", guess=guess)
        assert played.comparison.equal, played.comparison.located
        assert_same(played.result, expected.result)
        if name in ("right", "long"):
            assert len(passes) == 1
        else:
            assert 1 < len(passes) <= depth + 1, name


def test_a_digital_chip_needs_one_pass(play: Play, passes: list[Path]) -> None:
    played = play(chip_case("parallel"), "verilator", bridge="compiled")
    assert played.comparison.equal, played.comparison.located
    assert len(passes) == 1
    assert_same(play(chip_case("parallel"), "verilator", "cocotb").result, played.result)


def test_noise_is_that_of_the_steps_asked_for(play: Play) -> None:
    case = chip_case("mixed_signal")
    expected = simulate_mapped(case.mapped, case.codes, case.models, first_step=5)
    assert not np.array_equal(expected.events, case.reference().events)
    for bridge in BRIDGES:
        result = play(case, "verilator", bridge, bridge=bridge, first_step=5).result
        np.testing.assert_array_equal(result.sent, expected.events)


def test_trims_reach_the_arrays(play: Play) -> None:
    rng = np.random.default_rng(5)
    case = chip_case("mixed_signal")
    trims = {core.position: rng.integers(-128, 128, (4, 2)) for core in case.mapped.cores}
    for bridge in BRIDGES:
        played = play(replace(case, trims=trims), "verilator", bridge, bridge=bridge)
        assert played.comparison.equal, played.comparison.located


def test_a_run_takes_the_fastest_bridge_that_can_do_it(
    emitted: Callable[[ChipParameters], RtlBundle],
) -> None:
    case = chip_case("mixed_signal")
    job = case.job(emitted(case.chip), "verilator")
    write = Access(AccessKind.WRITE, 0, 0)
    for bridge in BRIDGES:
        asked = replace(job, bridge=bridge)
        assert asked.bridge_taken == bridge
        for change in ({"trace": "saif"}, {"trace": "vcd"}, {"waves_from": 0}, {"simulator": "icarus"}):
            assert replace(asked, **change).bridge_taken == "stock", change
        assert replace(asked, trace="counts").bridge_taken == "compiled"
        assert replace(asked, calibration=[write]).bridge_taken == (
            "stock" if bridge == "stock" else "cocotb"
        )


def test_a_faulty_chip_does_the_same_by_every_bridge(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The models answer what the arrays of the faulty chip see, not what they should see."""
    case = chip_case("mixed_signal")
    faulty = mutant(analog_array, 'codes.eq(ports["output_codes"])', 'codes.eq(ports["output_codes"] >> 1)')
    monkeypatch.setattr("rtl_gen.boundary.analog_array.AnalogArrayEngine", faulty.AnalogArrayEngine)
    bundle = emit_chip(case.chip, tmp_path)
    guess = case.reference().answers
    compiled = play(case, "verilator", "compiled", bundle=bundle, bridge="compiled", guess=guess)
    assert compiled.comparison.differences > 0
    for bridge in ("cocotb", "stock"):
        assert_same(compiled.result, play(case, "verilator", bridge, bundle=bundle, bridge=bridge).result)


@pytest.mark.parametrize("bridge", ["compiled", "cocotb"])
def test_the_watchdog_names_the_step_that_does_not_end(
    bridge: Bridge, play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = chip_case("parallel")
    faulty = mutant(chip, "barrier.idle.eq(idle)", "barrier.idle.eq(idle & (egress.steps != 3))")
    monkeypatch.setattr("rtl_gen.chip.Chip", faulty.Chip)
    with pytest.raises(SimulationError) as caught:
        play(case, "verilator", bundle=emit_chip(case.chip, tmp_path), watchdog=500, bridge=bridge)
    assert "step 3 did not end within 500 cycles" in str(caught.value)
    assert "tile (0, 1): busy 0, core busy 0, router idle 1" in str(caught.value)


def test_a_program_that_dies_leaves_no_result(play: Play, test_folder: Path) -> None:
    case = chip_case("parallel")
    play(case, "verilator", bridge="compiled")
    (test_folder / "run" / "result.npz").unlink()
    log = test_folder / "run" / "log.txt"
    log.unlink()
    os.mkfifo(log)  # nobody reads it, so the program cannot be done before it is killed
    over = Event()

    def kill() -> None:
        while not over.wait(0.05):
            simulator.stop_all()

    killer = Thread(target=kill)
    killer.start()
    try:
        with pytest.raises(
            SimulationError, match=r"^verilator: simulating harness: .* ended with exit code -9"
        ):
            play(case, "verilator", bridge="compiled")
    finally:
        over.set()
        killer.join()
        log.unlink()
    assert not list(test_folder.rglob("result.npz"))
