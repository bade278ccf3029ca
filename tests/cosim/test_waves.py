"""Waves: digital nets and analog voltages of a window, in one file, and what opens it in the viewers."""

import math
import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from vcd.reader import TokenKind, tokenize

from analog_models.spiking_array import SpikeCounts
from cosim.boundary import array_view, public_signals, render_harness
from cosim.events import up_to_step
from cosim.job import CosimResult, run_cosim
from cosim.simulator import SimulatorName
from cosim.waves import Window, escape_names, write_save_files
from neuromix.reference import array_banks
from rtl_gen.boundary.analog_array import AnalogArrayParameters
from rtl_gen.chip import ChipParameters
from rtl_gen.emit import RtlBundle
from testbenches.chip_bench import ChipCase, chip_case

VOLTAGES = ("node_voltage", "adc_voltage")
WINDOW = Window(first_step=8, last_step=10)
CLOCK_PERIOD = 10_000
"""[ps]."""


@dataclass
class Waves:
    """A waveform file: type and width of each net, and its changes (time [ps], value)."""

    nets: dict[str, tuple[str, int]]
    changes: dict[str, list[tuple[int, float]]]

    @classmethod
    def read(cls, path: Path) -> "Waves":
        names: dict[str, list[str]] = defaultdict(list)
        waves = cls({}, defaultdict(list))
        scopes: list[str] = []
        time = 0
        with path.open("rb") as file:
            for token in tokenize(file):
                if token.kind is TokenKind.SCOPE:
                    scopes.append(token.scope.ident)
                elif token.kind is TokenKind.UPSCOPE:
                    scopes.pop()
                elif token.kind is TokenKind.VAR:
                    name = ".".join([*scopes, token.var.reference])
                    names[token.var.id_code].append(name)
                    waves.nets[name] = (token.var.type_.value, token.var.size)
                elif token.kind is TokenKind.CHANGE_TIME:
                    time = token.time_change
                elif token.kind in (TokenKind.CHANGE_SCALAR, TokenKind.CHANGE_VECTOR, TokenKind.CHANGE_REAL):
                    change = token.data
                    value = change.value
                    if isinstance(value, str):  # a bit, or bits that are not all known
                        value = int(value) if value in ("0", "1") else math.nan
                    for name in names[change.id_code]:
                        waves.changes[name].append((time, value))
        return waves

    def at(self, net: str, time: int) -> float:
        """Return the value of ``net`` just before ``time``."""
        return [value for changed, value in self.changes[net] if changed < time][-1]

    def pulses(self, net: str) -> list[tuple[int, int]]:
        """Return when ``net`` rises and falls again."""
        rises = [time for time, value in self.changes[net] if value == 1]
        falls = [time for time, value in self.changes[net] if value == 0 and time > min(rises)]
        return list(zip(rises, falls, strict=True))


Trace = Callable[..., tuple[CosimResult, Path]]


@pytest.fixture
def trace(emitted: Callable[[ChipParameters], RtlBundle], test_folder: Path, simulators: Path) -> Trace:
    """Trace a window of a case on a simulator, as ``neuromix cosim --waves`` does; once for all tests."""

    def run(
        case: ChipCase, simulator: SimulatorName, name: str = "mixed_signal", window: Window = WINDOW
    ) -> tuple[CosimResult, Path]:
        start, end = window.first_step - case.mapped.depth, window.last_step + 1
        job = case.job(
            emitted(case.chip),
            simulator,
            stimulus=tuple(tuple(case.mapped.input_flits(row)) for row in case.codes[start:end]),
            n_steps=end - start,
            first_step=start,
            waves_from=window.first_step,
        )
        result = run_cosim(job, test_folder.parent / f"waves-{name}-{simulator}", simulators)
        assert result.trace is not None
        write_save_files(case.chip, [core.position for core in case.mapped.cores], result.trace, job.voltages)
        return result, result.trace

    return run


def array_of(position: tuple[int, int]) -> str:
    return "harness.chip.tile_{}_{}.core.engine.array".format(*position)


# ---- what is in the file --------------------------------------------------------------------------------


def test_waves_hold_the_digital_nets_and_the_voltages_of_the_model(
    trace: Trace, simulator_name: SimulatorName
) -> None:
    case = chip_case("mixed_signal")
    _, path = trace(case, simulator_name)
    waves, reference = Waves.read(path), case.reference()
    assert case.arrays is not None
    banks = array_banks(case.mapped, case.arrays)
    assert waves.nets["harness.chip.tile_0_1.sent_flit"] == ("wire", case.chip.event_format.flit_width)
    n_saturated = 0
    for core in case.mapped.cores:
        array = array_of(core.position)
        steps = range(WINDOW.first_step - 1, WINDOW.last_step)  # evaluated as the next step begins
        conversions = waves.pulses(f"{array}.convert")
        for step, (start, end) in zip(steps, conversions, strict=True):
            inputs = reference.input_codes[core.position][step]
            expected = banks[core.position].evaluate(inputs[np.newaxis], first_step=step)
            for axon, code in enumerate(inputs):
                assert waves.at(f"{array}.input_code_{axon}", start) == code
            for neuron in range(case.mapped.n_neurons):
                for name in VOLTAGES:
                    assert waves.nets[f"{array}.{name}_{neuron}"][0] == "real"
                    found = waves.at(f"{array}.{name}_{neuron}", start)
                    assert found == pytest.approx(getattr(expected, name)[0, neuron], rel=1e-15, abs=0)
                assert waves.at(f"{array}.output_code_{neuron}", end) == expected.codes[0, neuron]
            n_saturated += int((np.abs(expected.adc_voltage / expected.node_voltage) < 0.99).sum())
    assert n_saturated, "node and ADC have the same voltage, so they could be swapped"


def test_waves_of_spiking_neurons_hold_their_membranes(trace: Trace, simulator_name: SimulatorName) -> None:
    case = chip_case("spiking")
    _, path = trace(case, simulator_name, "spiking")
    waves, reference = Waves.read(path), case.reference()
    assert case.arrays is not None
    banks = array_banks(case.mapped, case.arrays)
    shown = set()
    for core in case.mapped.cores:
        array = array_of(core.position)
        steps = range(WINDOW.first_step - 1, WINDOW.last_step)
        for step, (start, end) in zip(steps, waves.pulses(f"{array}.convert"), strict=True):
            inputs = reference.input_codes[core.position][step]
            expected = banks[core.position].evaluate(inputs[np.newaxis], first_step=step)
            assert isinstance(expected, SpikeCounts)
            for neuron, voltage in enumerate(expected.membrane_voltage[0].tolist()):
                assert waves.nets[f"{array}.membrane_voltage_{neuron}"][0] == "real"
                assert waves.at(f"{array}.membrane_voltage_{neuron}", start) == pytest.approx(
                    voltage, rel=1e-15
                )
                assert waves.at(f"{array}.output_code_{neuron}", end) == expected.codes[0, neuron]
                shown.add(voltage)
    assert len(shown) > 20, "the membranes hardly differ, so they prove nothing"
    assert min(shown) >= 0
    assert "membranes in V" in path.with_suffix(".gtkw").read_text()
    assert not [net for net in waves.nets if "adc_voltage" in net or "node_voltage" in net]


def test_voltages_change_only_while_the_array_evaluates(trace: Trace, simulator_name: SimulatorName) -> None:
    case = chip_case("mixed_signal")
    _, path = trace(case, simulator_name)
    waves = Waves.read(path)
    for core in case.mapped.cores:
        array = array_of(core.position)
        phases = waves.pulses(f"{array}.evaluate")
        for name in VOLTAGES:
            _, *changes = waves.changes[f"{array}.{name}_0"]
            assert len(changes) == len(phases) > 0
            for (time, _), (start, end) in zip(changes, phases, strict=True):
                assert start < time < end


def test_nothing_outside_the_window_is_in_the_file(trace: Trace, simulator_name: SimulatorName) -> None:
    case = chip_case("mixed_signal")
    result, path = trace(case, simulator_name)
    waves = Waves.read(path)
    steps = waves.changes["harness.n_steps_done"]
    assert [value for _, value in steps] == [8, 9, 10, 11]
    (begin, _), *_, (end, _) = steps
    assert waves.changes["harness.clk"][0] == (begin, 1)
    assert {changes[0][0] for changes in waves.changes.values()} == {begin}
    assert max(changes[-1][0] for changes in waves.changes.values()) <= end + 2 * CLOCK_PERIOD
    cycles = np.diff(result.step_cycles)[-3:].sum()
    assert end - begin == cycles * CLOCK_PERIOD


def test_every_event_of_the_window_is_seen_and_is_that_of_the_golden_model(
    trace: Trace, simulator_name: SimulatorName
) -> None:
    case = chip_case("mixed_signal")
    result, path = trace(case, simulator_name)
    waves = Waves.read(path)

    def inside(events: np.ndarray) -> np.ndarray:
        return up_to_step(events, 11)[len(up_to_step(events, 8)) :]

    expected = inside(case.reference().events)
    np.testing.assert_array_equal(inside(result.sent), expected)
    end = waves.changes["harness.n_steps_done"][-1][0]
    _, *edges = (time for time, value in waves.changes["harness.clk"] if value == 1 and time <= end)
    tiles = [f"harness.chip.tile_{x}_{y}" for x, y in case.chip.tile_addresses]
    n_sent = sum(waves.at(f"{tile}.sent", edge) for tile in tiles for edge in edges)
    n_received = sum(waves.at(f"{tile}.received", edge) for tile in tiles for edge in edges)
    for port, seen in (("in", n_sent), ("out", n_received)):
        valid, ready, last = (f"harness.events_{port}__{name}" for name in ("tvalid", "tready", "tlast"))
        seen += sum(waves.at(valid, e) * waves.at(ready, e) * (1 - waves.at(last, e)) for e in edges)
        assert seen == len(expected)


@pytest.mark.cosim
@pytest.mark.icarus
def test_a_later_window_is_no_larger(trace: Trace) -> None:
    case = chip_case("mixed_signal")
    sizes, cycles = [], []
    for first_step in (2, 16):
        window = Window(first_step=first_step, last_step=first_step + 1)
        result, path = trace(case, "icarus", f"from-{first_step}", window)
        sizes.append(path.stat().st_size)
        cycles.append(result.step_cycles[-1])
    assert sizes[1] == pytest.approx(sizes[0], rel=0.1)
    assert cycles[1] == pytest.approx(cycles[0], rel=0.1)


# ---- what opens it --------------------------------------------------------------------------------------


def gtkwave_groups(path: Path) -> dict[str, list[str]]:
    """Return the nets of each group of a GTKWave save file, with their bit ranges."""
    groups: dict[str, list[str]] = {}
    name = None
    for line in path.read_text().splitlines():
        if line.startswith("-") and line != "-":
            name = None if name == line[1:] else line[1:]
        elif match := re.fullmatch(r"\+\{.+\} (\S+)", line):
            assert name is not None
            groups.setdefault(name, []).append(match[1])
    assert name is None
    return groups


class Surfer:
    """The rows of Surfer 0.7 as its commands change them, of one level of groups."""

    def __init__(self) -> None:
        self.groups: dict[str, list[str]] = {}
        self.labels: dict[str, str] = {}
        self.curves: list[str] = []
        self.folded: list[str] = []
        self.loose: list[str] = []
        self.focus: str | None = None

    def run(self, path: Path) -> None:
        for line in path.read_text().splitlines():
            assert not set(line) & set("#;"), "ends or splits a command"
            command, _, argument = line.partition(" ")
            getattr(self, command)(argument)

    def visible(self) -> list[str]:
        rows = []
        for name, nets in self.groups.items():
            rows += [name, *(() if name in self.folded else nets)]
        return [*rows, *self.loose]

    def variable_add(self, net: str) -> None:
        if self.focus is None:
            self.loose.append(net)
            return
        (nets,) = (nets for nets in self.groups.values() if self.focus in nets)
        nets.insert(nets.index(self.focus) + 1, net)
        self.focus = net

    def item_focus(self, number: str) -> None:
        self.focus = self.visible()[int("".join(f"{ord(digit) - ord('a'):x}" for digit in number), 16)]

    def item_unfocus(self, _: str) -> None:
        self.focus = None

    def group_marked(self, name: str) -> None:
        assert re.fullmatch(r"\w+", name)
        assert self.loose == [self.focus]
        self.groups[name] = [self.loose.pop()]
        self.focus = name

    def group_fold_recursive(self, _: str) -> None:
        assert self.focus in self.groups
        self.folded.append(self.focus)
        self.focus = None

    def item_rename(self, label: str) -> None:
        assert self.focus is not None
        self.labels[self.focus] = label

    def item_set_format(self, name: str) -> None:
        assert name == "Unsigned"

    def item_set_analog(self, style: str) -> None:
        assert style == "step"
        assert self.focus is not None
        self.curves.append(self.focus)

    def item_set_height(self, factor: str) -> None:
        assert self.focus == self.curves[-1]
        assert float(factor) > 1

    def zoom_fit(self, _: str) -> None:
        assert not self.loose


@pytest.mark.parametrize("back_end", ["mixed_signal", "parallel"])
def test_save_files_show_nets_that_are_there_in_the_same_groups(
    back_end: str, trace: Trace, simulator_name: SimulatorName
) -> None:
    if back_end == "parallel" and simulator_name == "verilator":
        pytest.skip("nothing that the mixed-signal chip does not show, and a minute of compiling")
    case = chip_case(back_end)
    _, path = trace(case, simulator_name, back_end)
    nets = Waves.read(path).nets
    groups = gtkwave_groups(path.with_suffix(".gtkw"))
    for net in (net for shown in groups.values() for net in shown):
        name, _, bits = net.partition("[")
        kind, width = nets[name]
        assert bits == ("" if kind == "real" or width == 1 else f"{width - 1}:0]"), net
    surfer = Surfer()
    surfer.run(path.with_suffix(".sucl"))
    assert list(surfer.groups.values()) == [
        [net.partition("[")[0] for net in shown] for shown in groups.values()
    ]
    assert set(surfer.labels) == {net for shown in surfer.groups.values() for net in shown}
    reals = {name for name, (kind, _) in nets.items() if kind == "real"}
    assert bool(reals) == (back_end == "mixed_signal")
    unused = {net for net in reals if net.rpartition(".")[0] not in map(array_of, case.models)}
    assert set(surfer.curves) == reals - unused
    assert {"clock and step", "fabric events", "core (0, 1)"} <= set(groups)
    core_groups = [name for name in groups if name.startswith("core (1, 1)")]
    assert core_groups == [
        "core (1, 1)",
        *(
            f"core (1, 1) {what}"
            for what in ("input codes", "summing nodes in V", "ADC inputs in V", "output codes")
            if reals
        ),
    ]


def test_unusual_names_keep_their_backslash(trace: Trace, simulator_name: SimulatorName) -> None:
    """GTKWave refuses a file with names that begin otherwise."""
    _, path = trace(chip_case("mixed_signal"), simulator_name)
    head = path.read_bytes().partition(b"$enddefinitions")[0].decode()
    names = re.findall(r"\$var \w+ \d+ \S+ (\S+)", head)
    assert len(names) > 100
    assert all(re.match(r"[A-Za-z_\\]", name) for name in names)


def test_only_names_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "waves.vcd"
    path.write_text("$var wire 1 $ $auto$1 $end\n$var wire 1 a b$1 $end\n$enddefinitions $end\n#1\n1$\n")
    escape_names(path)
    assert path.read_text() == (
        "$var wire 1 $ \\$auto$1 $end\n$var wire 1 a b$1 $end\n$enddefinitions $end\n#1\n1$\n"
    )


# ---- what is asked for ----------------------------------------------------------------------------------


def test_only_a_run_with_waves_has_voltages_and_dumps(tmp_path: Path) -> None:
    case = chip_case("mixed_signal")
    engine = case.chip.tile.core.engine
    assert isinstance(engine, AnalogArrayParameters)
    assert "real" not in array_view(engine)
    declared = re.findall(r"real (\w+)_\d+ = 0;", array_view(engine, VOLTAGES))
    assert sorted(declared) == sorted([*VOLTAGES] * engine.n_neurons)
    assert "voltage" not in public_signals(case.chip, tmp_path / "public.vlt").read_text()
    public = public_signals(case.chip, tmp_path / "public.vlt", VOLTAGES).read_text()
    for name in VOLTAGES:
        assert f'-module "{engine.array_module}" -var "{name}_*"' in public
    assert "$dumpvars" not in render_harness(case.chip, ())
    assert '$dumpfile("w.vcd");' in render_harness(case.chip, (), waves="w.vcd")


@pytest.mark.parametrize("text", ["3", "3:", "a:b", "-1:3", "4:3", "1:2:3", ""])
def test_window_must_be_two_steps_in_order(text: str) -> None:
    message = f"^window: must be FIRST:LAST, two time steps from 0 on and in order, got '{re.escape(text)}'$"
    with pytest.raises(ValueError, match=message):
        Window.parse(text)


def test_window_may_be_one_step() -> None:
    assert Window.parse("12:12") == Window(first_step=12, last_step=12)
