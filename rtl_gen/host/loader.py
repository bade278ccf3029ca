"""How software uses a chip's registers: it fills memories, starts calibrations and reads the trims found."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from ..boundary.calibration import TrimSearch
from ..signatures import LOAD_WORD_WIDTH, TILE_COORDINATE_WIDTH, LoadTarget
from .registers import HostAddress, RegisterMap

__all__ = ["Access", "AccessKind", "MemoryImage", "load_writes", "search_accesses", "trim_reads", "writes"]


_ALSO = 1 << 2 * TILE_COORDINATE_WIDTH


class AccessKind(IntEnum):
    """What software does with a register."""

    WRITE = 0
    """Write ``value``."""
    WAIT = 1
    """Read until all bits in ``value`` are 0."""
    READ = 2
    """Read, and keep what was read; ``value`` does not matter."""


class Access(NamedTuple):
    """One use of the register at byte ``address``."""

    kind: AccessKind
    address: int
    value: int


@dataclass(frozen=True, kw_only=True)
class MemoryImage:
    """What one memory of the tile at ``x``, ``y`` is to hold, from ``first_row`` on.

    ``target`` is a :class:`rtl_gen.signatures.LoadTarget`; a row is an unsigned number of ``row_width`` bits,
    or None if nothing reads it: then it is not loaded.
    """

    x: int
    y: int
    target: int
    row_width: int
    rows: Sequence[int | None]
    first_row: int = 0

    def __post_init__(self) -> None:
        for name, low, high in (
            ("x", 0, 255),
            ("y", 1, 255),
            ("target", 0, (1 << LoadTarget.WIDTH) - 1),
            ("row_width", 1, LOAD_WORD_WIDTH << 10),
            ("first_row", 0, (1 << 20) - len(self.rows)),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise ValueError(f"{self.where}: {name} must be {low} to {high}, got {value}")
        for row, value in self.loaded():
            if value < 0 or value >> self.row_width:
                raise ValueError(
                    f"{self.where}, row {row}: value must fit {self.row_width} unsigned bits, got {value:#x}"
                )

    def loaded(self) -> Iterator[tuple[int, int]]:
        """Yield the number and the value of each row that is loaded."""
        for row, value in enumerate(self.rows, self.first_row):
            if value is not None:
                yield row, int(value)

    @property
    def where(self) -> str:
        """Which memory this is, for messages."""
        return f"tile ({self.x}, {self.y}), load target {self.target}"


def load_writes(images: Iterable[MemoryImage]) -> Iterator[tuple[int, int]]:
    """Yield (byte address, value) of the register writes that load ``images``.

    What several tiles hold alike is written to all of them at once. Only while STATUS shows the chip not
    busy.
    """
    alike: dict[tuple[object, ...], list[MemoryImage]] = {}
    for image in images:
        key = (image.target, image.row_width, image.first_row, *image.rows)
        alike.setdefault(key, []).append(image)
    for image, *others in alike.values():
        yield HostAddress.LOAD_TILE, _tile(image.x, image.y)
        for other in others:
            yield HostAddress.LOAD_TILE, _tile(other.x, other.y) | _ALSO
        yield HostAddress.LOAD_TARGET, image.target
        for row, value in image.loaded():
            yield HostAddress.LOAD_ROW, row
            for low_bit in range(0, image.row_width, LOAD_WORD_WIDTH):
                yield HostAddress.LOAD_DATA, value >> low_bit & ((1 << LOAD_WORD_WIDTH) - 1)


def _tile(x: int, y: int) -> int:
    return y << TILE_COORDINATE_WIDTH | x


def writes(pairs: Iterable[tuple[int, int]]) -> Iterator[Access]:
    """Yield a write for each (byte address, value)."""
    for address, value in pairs:
        yield Access(AccessKind.WRITE, address, value)


def search_accesses(registers: RegisterMap, search: TrimSearch) -> Iterator[Access]:
    """Yield what starts ``search`` in all tiles and waits for its end; weights and settings are loaded."""
    parameters = registers["CALIBRATION"].pack(
        trim=search.trim,
        repeats_log2=search.repeats_log2,
        threshold=search.threshold,
        lowered_by=search.lowered_by,
    )
    yield Access(AccessKind.WRITE, HostAddress.CALIBRATION, parameters)
    yield Access(AccessKind.WRITE, HostAddress.CONTROL, registers["CONTROL"].pack(calibrate=1))
    yield Access(AccessKind.WAIT, HostAddress.STATUS, registers["STATUS"].pack(busy=1))


def trim_reads(x: int, y: int, n_neurons: int) -> Iterator[Access]:
    """Yield what reads the trims of the first ``n_neurons`` neurons of the tile at ``x``, ``y``."""
    yield Access(AccessKind.WRITE, HostAddress.LOAD_TILE, _tile(x, y))
    for neuron in range(n_neurons):
        yield Access(AccessKind.WRITE, HostAddress.LOAD_ROW, neuron)
        yield Access(AccessKind.READ, HostAddress.TRIMS, 0)
