"""Whole chips do exactly what the golden model says, and a run counts only when it is over."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cosim import simulator
from cosim.events import event_of
from cosim.job import CosimJob, run_cosim
from cosim.simulator import SimulationError, SimulatorName, TraceFormat
from neuromix.reference import ReferenceRun
from rtl_gen import chip
from rtl_gen.chip import ChipParameters
from rtl_gen.emit import RtlBundle, emit_chip
from rtl_gen.host import axi_lite
from testbenches.chip_bench import BACK_ENDS, ChipCase, Played, chip_case, random_network
from testbenches.mutant import mutant

Emitted = Callable[[ChipParameters], RtlBundle]
Play = Callable[..., Played]

ICARUS = (pytest.mark.cosim, pytest.mark.icarus)
TRACED: dict[tuple[str, str], TraceFormat] = {("serial_4_lanes", "verilator"): "saif"}
"""Runs that need not be traced, but share what is built with those of test_chip_activity.py."""


def assert_same(played: Played) -> None:
    """Assert that all events of chip and golden model are the same, as sent and as received."""
    comparison = played.comparison
    assert comparison.equal, comparison.located
    assert comparison.events_compared == comparison.events_sent == comparison.events_received
    np.testing.assert_array_equal(played.result.sent, played.reference.events)


def assert_telling(case: ChipCase, reference: ReferenceRun) -> None:
    """Assert that events leave every core, and that codes are zero, between and saturated."""
    places = {(core.x, core.y) for core in case.mapped.cores}
    sources = {(event.source_x, event.source_y) for event in map(event_of, reference.events)}
    assert sources == places | {(0, 0)}
    code_max = case.mapped.event_format.payload_max
    codes = np.concatenate([reference.sent_codes[place].ravel() for place in places])
    assert (codes == 0).any()
    assert (codes == code_max).any()
    assert code_max == 1 or ((codes > 0) & (codes < code_max)).any()


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_chip_sends_the_events_of_the_golden_model_whatever_the_timing(
    back_end: str, simulator_name: SimulatorName, play: Play
) -> None:
    case = chip_case(back_end)
    assert len(case.codes) == 20
    trace = TRACED.get((back_end, simulator_name))
    flowing = play(case, simulator_name, "flowing", trace=trace)
    assert_telling(case, flowing.reference)
    assert_same(flowing)
    assert (np.diff(flowing.result.step_cycles) > 0).all()
    stalled = play(case, simulator_name, "stalled", stall=128, trace=trace)
    assert_same(stalled)
    assert stalled.result.step_cycles[-1] > flowing.result.step_cycles[-1], "nothing was stalled"


@pytest.mark.cosim
@pytest.mark.icarus
@pytest.mark.parametrize(
    ("back_end", "network"),
    [
        ("parallel", {"payload_bits": 0}),
        ("mixed_signal", {"payload_bits": 0}),
        ("serial", {"payload_bits": 0, "sizes": (12, 4), "mesh": (1, 1)}),
        ("mixed_signal", {"sizes": (12, 8, 8, 6), "mesh": (3, 2)}),
        ("parallel", {"payload_bits": 3, "sizes": (12, 4, 6), "mesh": (2, 3)}),
    ],
    ids=[
        "binary-parallel",
        "binary-mixed_signal",
        "one_tile-serial",
        "six_tiles-mixed_signal",
        "idle_tiles-parallel",
    ],
)
def test_chip_sends_the_events_of_the_golden_model_in_other_sizes(
    back_end: str, network: dict[str, Any], play: Play
) -> None:
    case = chip_case(back_end, random_network(**network))
    played = play(case, "icarus")
    assert_telling(case, played.reference)
    assert_same(played)


def test_noise_mismatch_and_seed_matter_to_the_analog_chip_that_is_compared() -> None:
    analog, other = (chip_case("mixed_signal", seed=seed).reference() for seed in (3, 4))
    digital = chip_case("parallel").reference()
    assert not np.array_equal(analog.events, digital.events)
    assert not np.array_equal(analog.events, other.events)
    case = chip_case("mixed_signal")
    assert case.arrays is not None
    noises = {place: seed + 1 for place, seed in case.arrays.noise_seeds.items()}
    noisy = replace(case, arrays=replace(case.arrays, noise_seeds=noises)).reference()
    assert not np.array_equal(analog.events, noisy.events), "the noise must matter, not the mismatch alone"


@pytest.mark.cosim
@pytest.mark.icarus
def test_loaded_trims_change_the_codes_as_the_model_says(play: Play) -> None:
    case = chip_case("mixed_signal")
    rng = np.random.default_rng(seed=5)
    trims = {core.position: rng.integers(-128, 128, (4, 2)) for core in case.mapped.cores[1:]}
    trimmed = replace(case, trims=trims)
    played = play(trimmed, "icarus")
    assert_same(played)
    untrimmed = case.reference()
    for core in case.mapped.cores:
        changed = played.reference.sent_codes[core.position] != untrimmed.sent_codes[core.position]
        assert changed.any() == (core.position in trims or core.population == "layer_2")


# ---- a run counts only when it is over ------------------------------------------------------------------

LOG = "step 40\nstep 60\nend 1 1\n"


class Runs:
    """Stands for the simulator: writes a short log, or breaks off; counts."""

    def __init__(self) -> None:
        self.count = 0
        self.log = LOG
        self.events = bytes(8)
        self.end: type[BaseException] | None = None

    def build(self, name: SimulatorName, **_: Any) -> None:
        pass

    def run(self, design: object, *, folder: Path, **_: Any) -> None:
        self.count += 1
        (folder / "simulation.log").write_text("simulated\n")
        (folder / "log.txt").write_text(self.log)
        for name in ("sent.bin", "received.bin"):
            (folder / name).write_bytes(self.events)
        if self.end is not None:
            raise self.end


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    stand_in = Runs()
    monkeypatch.setattr(simulator, "build", stand_in.build)
    monkeypatch.setattr(simulator, "run", stand_in.run)
    return stand_in


@pytest.fixture
def job(emitted: Emitted) -> CosimJob:
    case = chip_case("mixed_signal")
    return case.job(emitted(case.chip), "icarus", n_steps=2)


def test_a_run_is_not_repeated_while_nothing_about_it_changes(
    job: CosimJob, runs: Runs, tmp_path: Path
) -> None:
    first = run_cosim(job, tmp_path, tmp_path)
    assert [len(first.sent), len(first.received), list(first.step_cycles)] == [1, 1, [40, 60]]
    written = (tmp_path / "simulation.log").stat().st_mtime_ns
    again = run_cosim(job, tmp_path, tmp_path)
    assert runs.count == 1
    assert (tmp_path / "simulation.log").stat().st_mtime_ns == written
    for name in ("sent", "received", "step_cycles"):
        np.testing.assert_array_equal(getattr(again, name), getattr(first, name))
    run_cosim(job, tmp_path, tmp_path, fresh=True)
    assert runs.count == 2


def test_a_run_is_repeated_when_anything_about_it_changes(job: CosimJob, runs: Runs, tmp_path: Path) -> None:
    assert job.arrays is not None
    first_place = next(iter(job.arrays.draws))
    other = chip_case("mixed_signal", seed=9).arrays
    assert other is not None
    changes: list[dict[str, Any]] = [
        {},
        {"arrays": replace(job.arrays, noise_seeds={**job.arrays.noise_seeds, first_place: 1})},
        {"arrays": replace(job.arrays, draws={**job.arrays.draws, first_place: other.draws[first_place]})},
        {"stimulus": [*job.stimulus][1:]},
        {"load_writes": [*job.load_writes][1:]},
        {"stall": 1},
        {"watchdog": 1},
        {"first_step": 1},
        {"waves_from": 0},
        {"trace": "vcd"},
        {"simulator": "verilator"},
        {},
    ]
    for done, change in enumerate(changes):
        run_cosim(replace(job, **change), tmp_path, tmp_path)
        assert runs.count == done + 1, f"must simulate again after {list(change)}"


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.9])
def test_a_damaged_result_is_not_taken(kept: float, job: CosimJob, runs: Runs, tmp_path: Path) -> None:
    run_cosim(job, tmp_path, tmp_path)
    result = tmp_path / "result.npz"
    whole = result.read_bytes()
    result.write_bytes(whole[: int(kept * len(whole))])
    run_cosim(job, tmp_path, tmp_path)
    assert runs.count == 2
    run_cosim(job, tmp_path, tmp_path)
    assert runs.count == 2


@pytest.mark.parametrize("end", [KeyboardInterrupt, SimulationError])
def test_a_run_that_broke_off_leaves_nothing_that_counts(
    end: type[BaseException], job: CosimJob, runs: Runs, tmp_path: Path
) -> None:
    run_cosim(job, tmp_path, tmp_path)
    runs.end, runs.log = end, LOG[:12]
    with pytest.raises(end):
        run_cosim(job, tmp_path, tmp_path, fresh=True)
    assert not list(tmp_path.glob("result.npz*"))
    runs.end, runs.log = None, LOG
    run_cosim(job, tmp_path, tmp_path)
    assert runs.count == 3, "what was there before the interrupted run must be gone"


@pytest.mark.parametrize("log", ["", LOG[:12], LOG[: LOG.index("end")]])
def test_a_log_without_its_end_is_refused(log: str, job: CosimJob, runs: Runs, tmp_path: Path) -> None:
    runs.log = log
    with pytest.raises(
        SimulationError, match=r"log.txt: must end with a line 'end'; .* broke off\nsimulated\n"
    ):
        run_cosim(job, tmp_path, tmp_path)
    assert not list(tmp_path.glob("result.npz*"))


def test_lost_events_are_noticed(job: CosimJob, runs: Runs, tmp_path: Path) -> None:
    runs.events = bytes(7)
    with pytest.raises(SimulationError, match=r"sent.bin: must hold 1 events, got 0$"):
        run_cosim(job, tmp_path, tmp_path)
    assert not list(tmp_path.glob("result.npz*"))


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(28, "No space left on device"), "no space left on device"),
        (OSError("1000 requested and 0 written"), "1000 requested and 0 written"),
    ],
)
def test_a_full_disk_is_named(
    error: OSError, reason: str, job: CosimJob, runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise error

    monkeypatch.setattr("cosim.job._beats", full)
    with pytest.raises(OSError, match=f"^{re.escape(str(tmp_path))}: {reason}$"):
        run_cosim(job, tmp_path, tmp_path)
    assert not list(tmp_path.glob("result.npz*"))


# ---- a chip that hangs ----------------------------------------------------------------------------------


@pytest.mark.cosim
@pytest.mark.icarus
def test_the_watchdog_names_the_step_that_does_not_end_and_who_is_busy(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = chip_case("parallel")
    faulty = mutant(chip, "barrier.idle.eq(idle)", "barrier.idle.eq(idle & (egress.steps != 3))")
    monkeypatch.setattr("rtl_gen.chip.Chip", faulty.Chip)
    with pytest.raises(SimulationError) as caught:
        play(case, "icarus", bundle=emit_chip(case.chip, tmp_path), watchdog=500)
    message = str(caught.value)
    assert "step 3 did not end within 500 cycles" in message
    for x, y in case.chip.tile_addresses:
        assert f"tile ({x}, {y}): busy 0, core busy 0, router idle 1" in message
    assert "event input ready 0, event output valid 0" in message


@pytest.mark.cosim
@pytest.mark.icarus
def test_the_watchdog_sees_a_bus_that_never_answers(
    play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = chip_case("parallel")
    faulty = mutant(axi_lite, "address_held & data_held & ~bus.bvalid", "0")
    monkeypatch.setattr("rtl_gen.chip.HostRegisters", faulty.HostRegisters)
    with pytest.raises(SimulationError, match=r"register write 1 did not end within 500 cycles"):
        play(case, "icarus", bundle=emit_chip(case.chip, tmp_path), watchdog=500)


@pytest.mark.cosim
@pytest.mark.icarus
def test_a_refused_register_write_ends_the_run(play: Play) -> None:
    case = chip_case("parallel")
    with pytest.raises(SimulationError, match=r"write of 00000005 to address 00000ff0 was refused"):
        play(case, "icarus", load_writes=[(0xFF0, 5)])
