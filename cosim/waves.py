"""What the waves of a run show, and files that open them in GTKWave and Surfer with the right nets in view.

The groups are the same in both viewers: clock and step, the events of the fabric, and for each core its
phases, the codes that come in, the voltages of its neurons as curves, the codes that go out.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from vcd.gtkw import GTKWFlag, GTKWSave

from rtl_gen.boundary.analog_array import AnalogArrayParameters
from rtl_gen.chip import ChipParameters, tile_name
from rtl_gen.fabric.route import Address
from rtl_gen.host.event_port import beat_width

from .boundary import array_path

__all__ = ["GTKWAVE_FILE", "SURFER_FILE", "WAVES_FILE", "Window", "escape_names", "write_save_files"]

WAVES_FILE = "waves.vcd"
GTKWAVE_FILE = "waves.gtkw"
SURFER_FILE = "waves.sucl"

_TOP = "harness"
_CURVE_ROWS = 3
"""Height of a curve, in rows of text."""

_HEADINGS = {
    "node_voltage": ("summing nodes in V", "node"),
    "adc_voltage": ("ADC inputs in V", "ADC"),
    "membrane_voltage": ("membranes in V", "membrane"),
    "output_code": ("output codes", "neuron"),
}
"""Of a group with one net per neuron: its name, and what each net is called."""

_SIZE = (1400, 900)
_SHOWN = 4.0
"""GTKWave's window [pixels], and how many of its units of 200 pixels the waves get there."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """Time steps that are looked at, ``first_step`` and ``last_step`` among them."""

    first_step: int
    last_step: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the window that ``text`` means, such as ``3:5``; raise ValueError if it means none."""
        match = re.fullmatch(r"(\d+):(\d+)", text)
        if match is None or int(match[1]) > int(match[2]):
            raise ValueError(
                f"window: must be FIRST:LAST, two time steps from 0 on and in order, got {text!r}"
            )
        return cls(first_step=int(match[1]), last_step=int(match[2]))


@dataclass(frozen=True, kw_only=True)
class _Net:
    """A row of a viewer: which net, what it is called there, and ``hex``, ``dec`` or ``real``, a curve."""

    path: str
    label: str
    width: int = 1
    form: str = "hex"


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Rows under a heading, to be opened by the reader if ``closed``."""

    name: str
    nets: tuple[_Net, ...]
    closed: bool = True


def write_save_files(
    chip: ChipParameters, cores: Iterable[Address], trace: Path, voltages: Sequence[str] = ()
) -> None:
    """Write the files that open ``trace`` in the viewers, beside it.

    ``cores`` are those with neurons, ``voltages`` what their arrays show of each, as an evaluation names it.
    """
    groups = [*_groups(chip, sorted(cores), voltages)]
    _write_gtkwave(groups, trace)
    (trace.parent / SURFER_FILE).write_text("\n".join(_surfer_commands(groups)) + "\n")


def escape_names(trace: Path) -> None:
    """Write the backslash of unusual names in ``trace``, which Verilator leaves out and GTKWave needs."""
    head, mark, rest = trace.read_bytes().partition(b"$enddefinitions")
    trace.write_bytes(re.sub(rb"(\$var \w+ \d+ \S+ )(?=\$)", rb"\1\\", head) + mark + rest)


def _write_gtkwave(groups: Iterable[_Group], trace: Path) -> None:
    curve = GTKWFlag.analog_step | GTKWFlag.analog_fullscale
    start, end = _times(trace)
    with (trace.parent / GTKWAVE_FILE).open("w") as file:
        save = GTKWSave(file)
        save.dumpfile(trace.name, abspath=False)
        save.size(*_SIZE)
        save.timestart(start)
        save.zoom_markers(-math.log2((end - start) / _SHOWN))
        for group in groups:
            with save.group(group.name, closed=group.closed):
                for net in group.nets:
                    is_curve = net.form == "real"
                    save.trace(
                        f"{net.path}[{net.width - 1}:0]" if net.width > 1 else net.path,
                        net.label,
                        datafmt=net.form,
                        extraflags=curve if is_curve else GTKWFlag(0),
                    )
                    for _ in range(1, _CURVE_ROWS if is_curve else 1):
                        save.blank(analog_extend=True)


def _times(trace: Path) -> tuple[int, int]:
    """Return the first and the last time in ``trace`` [ps]."""
    values = trace.read_bytes().partition(b"$enddefinitions")[2]
    times = re.findall(rb"^#(\d+)", values, re.MULTILINE)
    return int(times[0]), int(times[-1])


def _surfer_commands(groups: Iterable[_Group]) -> Iterator[str]:
    """Yield Surfer's commands. They act on the row in focus, so each row's number has to be known.

    A row comes after the one in focus, in its group; a group is made around the row in focus. Without a
    focus a row comes last, outside all groups. Rows of folded groups have no number.
    """
    row = 0
    for group in groups:
        heading = row
        for index, net in enumerate(group.nets):
            row += 1
            yield f"variable_add {net.path}"
            if index == 0:
                yield f"item_focus {_surfer_number(heading)}"
                yield f"group_marked {re.sub(r'[^0-9A-Za-z]+', '_', group.name).strip('_')}"
            yield f"item_focus {_surfer_number(row)}"
            yield f"item_rename {net.label}"
            if net.form == "dec":
                yield "item_set_format Unsigned"
            if net.form == "real":
                yield "item_set_analog step"
                yield f"item_set_height {_CURVE_ROWS}"
        row += 1
        if group.closed:
            yield f"item_focus {_surfer_number(heading)}"
            yield "group_fold_recursive"
            row = heading + 1
        yield "item_unfocus"
    yield "zoom_fit"


def _surfer_number(row: int) -> str:
    """Return how Surfer writes the number of a row: hexadecimal, with a to p as digits."""
    return "".join(chr(ord("a") + int(digit, 16)) for digit in f"{row:x}")


def _groups(chip: ChipParameters, cores: list[Address], voltages: Sequence[str]) -> Iterator[_Group]:
    yield _Group(
        name="clock and step",
        nets=(
            _Net(path=f"{_TOP}.clk", label="clock"),
            _Net(path=f"{_TOP}.n_steps_done", label="time step", width=32, form="dec"),
            _Net(path=f"{_TOP}.step", label="end of step"),
        ),
        closed=False,
    )
    yield _Group(name="fabric events", nets=tuple(_event_nets(chip)), closed=False)
    for address in cores:
        yield from _core_groups(chip, address, voltages, closed=address != cores[0])


def _event_nets(chip: ChipParameters) -> Iterator[_Net]:
    event_format = chip.event_format
    beat = {"tvalid": 1, "tready": 1, "tlast": 1, "tdata": beat_width(event_format)}
    for port, label in (("events_in", "host in"), ("events_out", "host out")):
        for signal, width in beat.items():
            yield _Net(path=f"{_TOP}.{port}__{signal}", label=f"{label} {signal[1:]}", width=width)
    probes = {
        "sent": 1,
        "sent_flit": event_format.flit_width,
        "received": 1,
        "received_event": event_format.event.size,
    }
    for address in chip.tile_addresses:
        tile = tile_name(address)
        for signal, width in probes.items():
            label = f"{tile} {signal.replace('_', ' ')}"
            yield _Net(path=f"{_TOP}.chip.{tile}.{signal}", label=label, width=width)


def _core_groups(
    chip: ChipParameters, address: Address, voltages: Sequence[str], *, closed: bool
) -> Iterator[_Group]:
    core = "core ({}, {})".format(*address)
    busy = _Net(path=f"{_TOP}.chip.{tile_name(address)}.core.busy", label="busy")
    engine = chip.tile.core.engine
    if not isinstance(engine, AnalogArrayParameters):
        yield _Group(name=core, nets=(busy,), closed=False)
        return
    array = f"{_TOP}.{array_path(address)}"

    def nets(name: str, label: str, count: int, form: str) -> tuple[_Net, ...]:
        width = 1 if form == "real" else engine.event_format.activation_width
        return tuple(
            _Net(path=f"{array}.{name}_{index}", label=f"{label} {index}", width=width, form=form)
            for index in range(count)
        )

    phases = (_Net(path=f"{array}.{phase}", label=phase) for phase in ("reset", "evaluate", "convert"))
    yield _Group(name=core, nets=(busy, *phases), closed=False)
    yield _Group(name=f"{core} input codes", nets=nets("input_code", "axon", engine.n_axons, "dec"))
    for name in (*voltages, "output_code"):
        heading, label = _HEADINGS[name]
        form = "real" if name in voltages else "dec"
        yield _Group(name=f"{core} {heading}", nets=nets(name, label, engine.n_neurons, form), closed=closed)
