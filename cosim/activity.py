"""How often every net bit of a simulated chip toggled and how long it was high: counted, or from VCD or SAIF.

All readers give the same names and the same numbers for the same run. What they have to level out:

- A SAIF of Verilator counts from the start of the run, and every bit starts at 0 there, so a bit that settles
  to 1 at time 0 has one toggle more than its net ever makes. ``read_vcd`` counts in the same way unless it is
  given ``start``. To leave out the reset from a SAIF, subtract that of a run that stopped there: ``since``.
- Icarus writes escaped names with their backslash, Verilator without it. Names are kept without it.
- Verilator writes aliases (a port and the net connected to it) as nets of their own. They stay: whoever
  prices toggles knows from the netlist which names are one net.
- Both end at the last change: Icarus also writes when the run ended, Verilator does not.
- What the program counts has one window and no dump. It samples once per cycle, when all has settled. It may
  be told which names to count, because a wire need not be looked at under all of them.
- Neither writes memories of more than 32 rows; smaller ones only Verilator does, as nets ``memory[row]``.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "PHASES",
    "Activity",
    "CountedNet",
    "InstancePath",
    "StepToggles",
    "compare",
    "read_counts",
    "read_saif",
    "read_steps",
    "read_vcd",
]

InstancePath = tuple[str, ...]
"""Instance names from the chip (the empty path) down to an instance."""

Entry = TypeVar("Entry")

_HARNESS_PERIOD = 10e-9
"""Of the harness's clock [s]."""

_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "ps": 1e-12, "fs": 1e-15}


@dataclass(frozen=True, kw_only=True, eq=False)
class Activity:
    """What every net bit of a chip did during a simulated time.

    Attributes
    ----------
    cycles
        Rising edges of the clock.
    clock_period
        Time from one rising edge to the next [s].
    toggles
        Changes 0 to 1 and 1 to 0, shape [bit]. Changes from and to unknown do not count.
    cycles_high
        Time at 1 in clock cycles, shape [bit].
    index
        Where the bits of a net lie in the arrays, least significant bit first.
    """

    cycles: int
    clock_period: float
    toggles: NDArray[np.int64]
    cycles_high: NDArray[np.float64]
    index: Mapping[tuple[InstancePath, str], slice]

    def since(self, earlier: "Activity") -> "Activity":
        """Return what happened after ``earlier``, the activity of the beginning of the same run.

        Raises ValueError when ``earlier`` has other nets.
        """
        if earlier.index != self.index:
            raise ValueError("activity: earlier part of the run must have the same nets, got others")
        return Activity(
            cycles=self.cycles - earlier.cycles,
            clock_period=self.clock_period,
            toggles=self.toggles - earlier.toggles,
            cycles_high=self.cycles_high - earlier.cycles_high,
            index=self.index,
        )

    def save(self, path: Path) -> None:
        """Write to ``path``, a compressed npz file."""
        names = [[*instance, name, bits.start, bits.stop] for (instance, name), bits in self.index.items()]
        with path.open("wb") as file:
            np.savez_compressed(
                file,
                cycles=self.cycles,
                clock_period=self.clock_period,
                toggles=self.toggles,
                cycles_high=self.cycles_high,
                names=json.dumps(names),
            )

    @classmethod
    def load(cls, path: Path) -> "Activity":
        """Read what ``save`` wrote."""
        with np.load(path) as data:
            return Activity(
                cycles=int(data["cycles"]),
                clock_period=float(data["clock_period"]),
                toggles=data["toggles"],
                cycles_high=data["cycles_high"],
                index={
                    (tuple(instance), name): slice(start, stop)
                    for *instance, name, start, stop in json.loads(str(data["names"]))
                },
            )


def compare(a: Activity, b: Activity) -> list[tuple[InstancePath, str]]:
    """Return the nets that both have and that did not behave the same: other width, toggles or time high.

    Times high may differ by the thousandth of a cycle that rounding costs.
    """
    differing = []
    for net, bits in a.index.items():
        if (others := b.index.get(net)) is None:
            continue
        if (
            bits.stop - bits.start != others.stop - others.start
            or not np.array_equal(a.toggles[bits], b.toggles[others])
            or not np.allclose(a.cycles_high[bits], b.cycles_high[others], rtol=0, atol=1e-3)
        ):
            differing.append(net)
    return differing


def read_vcd(path: Path, top: str, clock: str = "clk", *, start: float | None = None) -> Activity:
    """Count the toggles in a value change dump.

    ``top`` is the instance name of the chip (where it occurs first in the file); ``clock`` its clock port.
    ``start`` [s] is when counting begins: values at that time are where nets start from. Without it every
    net starts at 0 before time 0, as in a SAIF.

    Raises ValueError for a file without ``top`` or ``clock``, or with less than two rising edges.
    """
    with path.open("rb") as file:
        tick, declared = _vcd_header(file)
        nets = _below(top, declared, path)
        start_tick = None if start is None else round(start / tick)
        traces = {code: _Trace(width, start_tick) for code, width in nets.values()}
        end = _play(file, traces)
    for trace in traces.values():
        trace.finish(end)
    clock_code, _ = _clock_entry(nets, top, clock, path)
    edges = traces[clock_code].rises
    period = _period(edges[-1] - edges[0] if edges else 0, len(edges) - 1, f"{path}: {top}.{clock}")

    slices, offset = {}, 0
    for code, trace in traces.items():
        slices[code] = slice(offset, offset + trace.width)
        offset += trace.width
    return Activity(
        cycles=len(edges),
        clock_period=period * tick,
        toggles=np.concatenate([trace.toggles for trace in traces.values()]),
        cycles_high=np.concatenate([trace.high for trace in traces.values()]) / period,
        index={net: slices[code] for net, (code, _) in nets.items()},
    )


def read_saif(path: Path, top: str, clock: str = "clk") -> Activity:
    """Read the toggles in a switching activity file; arguments and errors as of :func:`read_vcd`.

    The clock must start low and be as long high as low: its period is derived from these times.
    """
    tick, declared = _saif_nets(path.read_text())
    nets = _below(top, declared, path)
    low, high, changes = _clock_entry(nets, top, clock, path)[0]
    rises = (changes + 1) // 2
    # The phase in which the run ended is cut short, so the period comes from the other one.
    period = _period(2 * (low if changes % 2 else high), rises, f"{path}: {top}.{clock}")

    index: dict[tuple[InstancePath, str], slice] = {}
    rows: list[tuple[int, int, int]] = []
    for net, bits in nets.items():
        index[net] = slice(len(rows), len(rows) + len(bits))
        rows += [bits[bit] for bit in range(len(bits))]
    counts = np.array(rows, dtype=np.int64)
    return Activity(
        cycles=rises,
        clock_period=period * tick,
        toggles=counts[:, 2],
        cycles_high=counts[:, 1] / period,
        index=index,
    )


def _below(
    top: str, declared: Mapping[tuple[InstancePath, str], Entry], path: Path
) -> dict[tuple[InstancePath, str], Entry]:
    """Return the nets at and below instance ``top``, with paths that start there."""
    for instance, _ in declared:
        if top in instance:
            prefix = instance[: instance.index(top) + 1]
            break
    else:
        raise ValueError(f"{path}: instance {top} must have nets, got none; was it traced?")
    depth = len(prefix)
    return {
        (instance[depth:], name): entry
        for (instance, name), entry in declared.items()
        if instance[:depth] == prefix
    }


def _clock_entry(nets: Mapping[tuple[InstancePath, str], Entry], top: str, clock: str, path: Path) -> Entry:
    try:
        return nets[(), clock]
    except KeyError:
        raise ValueError(f"{path}: clock must be a net of {top}, got {clock}") from None


def _period(duration: float, periods: int, where: str) -> float:
    if periods < 1 or not duration:
        raise ValueError(f"{where} must be a running clock, got one that never completes a cycle")
    return duration / periods


PHASES = ("loading", "moving events", "computing")
"""What the chip does in a cycle: the host loads it, events move and arrive, or some core computes."""


@dataclass(frozen=True, kw_only=True)
class CountedNet:
    """A name to count, in one instance of a module; whoever names it must name it in all of them.

    ``by_step`` has a 1 for every bit that counts by time step as well: a wire with several names should under
    one of them.
    """

    module: str
    instance: InstancePath
    name: str
    by_step: int


@dataclass(frozen=True, kw_only=True, eq=False)
class StepToggles:
    """Toggles of every counted time step by phase and instance, clocks left out.

    ``toggles`` is [step, phase, instance], phases as in :data:`PHASES`. Bits count as every
    :class:`CountedNet` says, or else under every name.
    """

    toggles: NDArray[np.int64]
    instances: tuple[InstancePath, ...]


# ---- Counts ----------------------------------------------------------------------------------------------


def read_counts(path: Path) -> Activity:
    """Return what was counted into ``path`` (``activity.counts``); clocks that were named are added.

    Raises ValueError for a file that breaks off.
    """
    bits_by_net: dict[tuple[InstancePath, str], slice] = {}
    n_bits, clocks = 0, []
    for line in path.with_suffix(".nets").read_text().splitlines():
        first, count, instance, name = line.split("\t")
        net = (_instance(instance), _plain(name.encode()))
        if int(count):
            bits_by_net[net] = slice(int(first), int(first) + int(count))
            n_bits = max(n_bits, int(first) + int(count))
        else:
            clocks.append(net)
    counts = np.fromfile(path, np.int64)
    if len(counts) != 1 + 2 * n_bits:
        raise ValueError(f"{path}: must hold counts of {n_bits} bits, got {len(counts)} numbers")
    cycles, (toggles, high) = counts[0], counts[1:].reshape(-1, 2).T
    return Activity(
        cycles=int(cycles),
        clock_period=_HARNESS_PERIOD,
        toggles=np.append(toggles, 2 * cycles),
        cycles_high=np.append(high.astype(np.float64), cycles / 2),
        index=bits_by_net | dict.fromkeys(clocks, slice(n_bits, n_bits + 1)),
    )


def read_steps(path: Path) -> StepToggles:
    """Return the toggles by step that were counted along with ``path`` (``activity.counts``)."""
    lines = path.with_suffix(".instances").read_text().splitlines()
    counts = np.fromfile(path.with_suffix(".steps"), np.int64)
    return StepToggles(
        toggles=counts.reshape(-1, len(PHASES), len(lines)),
        instances=tuple(_instance(line) for line in lines),
    )


def _instance(path: str) -> InstancePath:
    """Return the instance that Verilator's tables call ``path``."""
    return tuple(_plain(part.encode()) for part in path.split(".")[1:])


# ---- VCD --------------------------------------------------------------------------------------------------
# Read by hand, because pywellen 0.25 takes `$var wire 1 a x[0]` for a bit of an array `x`, and pyvcd 0.4
# refuses Verilator's names that start with a dollar sign; Amaranth emits both kinds.

_NOT_NETS = {b"event", b"parameter", b"real", b"realtime", b"time", b"string"}
_UNKNOWN_AS_ZERO = bytes.maketrans(b"xXzZ", b"0000")
_KNOWN_AS_ONE = bytes.maketrans(b"01xXzZ", b"110000")
_CHUNK = 4096  # changes of one net that are counted at a time: bounds memory at 4096 rows of 8 bytes a bit


class _Trace:
    """Running toggle count of one VCD identifier code."""

    def __init__(self, width: int, start: int | None) -> None:
        self.width = width
        self.toggles = np.zeros(width, np.int64)
        self.high = np.zeros(width, np.int64)
        self.rises: list[int] = []
        every_bit = (1 << width) - 1
        self._start = start
        self._times = [start or 0]
        self._values = [0]
        self._known = [every_bit if start is None else 0]
        self._every_bit = every_bit

    def change(self, time: int, digits: bytes) -> None:
        """Take the new value ``digits``, most significant first; leading zeros (or x) may be left out."""
        try:
            value, known = int(digits, 2), self._every_bit
        except ValueError:
            first = digits[:1]
            padded = digits.rjust(self.width, b"0" if first == b"1" else first)
            value = int(padded.translate(_UNKNOWN_AS_ZERO), 2)
            known = int(padded.translate(_KNOWN_AS_ONE), 2)
        if self._start is not None and time <= self._start:
            self._values, self._known = [value], [known]
            return
        self._times.append(time)
        self._values.append(value)
        self._known.append(known)
        if len(self._times) >= _CHUNK:
            self._count()

    def finish(self, end: int) -> None:
        """Count up to time ``end``."""
        self._times.append(max(end, self._times[-1]))
        self._values.append(self._values[-1])
        self._known.append(self._known[-1])
        self._count()

    def _count(self) -> None:
        values, known = self._bits(self._values), self._bits(self._known)
        changed = (values[1:] != values[:-1]) & known[1:] & known[:-1]
        self.toggles += changed.sum(axis=0, dtype=np.int64)
        self.high += np.diff(self._times) @ values[:-1].astype(np.int64)
        if self.width == 1:
            rising = np.flatnonzero(changed[:, 0] & values[1:, 0])
            self.rises += [self._times[row + 1] for row in rising]
        for history in (self._times, self._values, self._known):
            del history[:-1]

    def _bits(self, words: list[int]) -> NDArray[np.uint8]:
        n_bytes = (self.width + 7) // 8
        packed = np.frombuffer(b"".join(word.to_bytes(n_bytes, "little") for word in words), np.uint8)
        return np.unpackbits(packed.reshape(len(words), n_bytes), axis=1, bitorder="little")[:, : self.width]


def _vcd_header(file: BinaryIO) -> tuple[float, dict[tuple[InstancePath, str], tuple[bytes, int]]]:
    """Return the tick [s] and the code and width of every net, having read up to the first value."""
    tick = 1e-9
    scopes: list[str] = []
    nets = {}
    words: list[bytes] = []
    for line in file:
        words += line.split()
        if not words or words[-1] != b"$end":
            continue
        match words[0]:
            case b"$timescale":
                tick = _seconds(b"".join(words[1:-1]).decode())
            case b"$scope":
                scopes.append(_plain(words[2]))
            case b"$upscope":
                scopes.pop()
            case b"$var" if words[1] not in _NOT_NETS:
                nets[tuple(scopes), _plain(words[4])] = (words[3], int(words[2]))
            case b"$enddefinitions":
                break
        words = []
    return tick, nets


def _play(file: BinaryIO, traces: Mapping[bytes, _Trace]) -> int:
    """Hand every value change to its trace; return the time of the last one."""
    time = end = 0
    for line in file:
        kind = line[:1]
        if kind == b"#":
            time = int(line[1:])
            continue
        end = time
        if kind in b"bB":
            digits, code = line[1:].split()
            if code in traces:
                traces[code].change(time, digits)
        elif kind in b"01xXzZ" and (code := line[1:].strip()) in traces:
            traces[code].change(time, kind)
    return end


def _plain(name: bytes) -> str:
    return name.decode().strip().removeprefix("\\")


def _seconds(timescale: str) -> float:
    match = re.fullmatch(r"(10{0,2})\s*([munpf]?s)", timescale.strip())
    if match is None:
        raise ValueError(f"timescale must be 1, 10 or 100 of s to fs, got {timescale}")
    return int(match[1]) * _SECONDS[match[2]]


# ---- SAIF -------------------------------------------------------------------------------------------------
# One regular expression instead of sexpdata: Verilator writes names with unescaped brackets, which are not
# S-expressions, and 100,000 bits take 0.7 s instead of 9 s.

_SAIF_TOKEN = re.compile(
    r"\(\s*INSTANCE\s+(?P<instance>[^\s()]+)"
    r"|\(\s*TIMESCALE\s+(?P<timescale>[^)]+)\)"
    r"|\(\s*(?P<net>\S+)\s+(?P<counts>\(\s*T[01XZB]\s[^()]*\)(?:\s*\([^()]*\))*)\s*\)"
    r"|(?P<open>\()|(?P<close>\))"
)
_SAIF_COUNT = re.compile(r"\(\s*(T0|T1|TC)\s+(\d+)\s*\)")
_SAIF_BIT = re.compile(r"(.+)\\\[(\d+)\\\]")


def _saif_nets(text: str) -> tuple[float, dict[tuple[InstancePath, str], dict[int, tuple[int, int, int]]]]:
    """Return the tick [s] and, for every bit of every net, the times low and high and the changes."""
    tick = 1e-9
    opened: list[str | None] = []  # instance name for each open parenthesis that begins an instance
    instance: InstancePath = ()
    nets: dict[tuple[InstancePath, str], dict[int, tuple[int, int, int]]] = {}
    for token in _SAIF_TOKEN.finditer(text):
        if token["net"] is not None:
            bit = _SAIF_BIT.fullmatch(token["net"])
            name, position = (bit[1], int(bit[2])) if bit else (token["net"], 0)
            counts = dict(_SAIF_COUNT.findall(token["counts"]))
            nets.setdefault((instance, name.replace("\\", "")), {})[position] = (
                int(counts["T0"]),
                int(counts["T1"]),
                int(counts["TC"]),
            )
        elif token["close"] is not None:
            if opened.pop() is not None:
                instance = instance[:-1]
        elif token["timescale"] is not None:
            tick = _seconds(token["timescale"])
        else:
            opened.append(token["instance"])
            if token["instance"] is not None:
                instance = (*instance, token["instance"].replace("\\", ""))
    return tick, nets
