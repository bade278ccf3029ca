"""The host's register map: declared once; read by the RTL, exported as JSON, C header and Markdown."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import IntEnum
from typing import Literal

from ..signatures import REPEATS_LOG2_WIDTH, TILE_COORDINATE_WIDTH, TRIM_WIDTH, LoadTarget

__all__ = [
    "ADDRESS_WIDTH",
    "REGISTER_WIDTH",
    "Access",
    "Field",
    "HostAddress",
    "Register",
    "RegisterMap",
    "chip_registers",
]

REGISTER_WIDTH = 32
"""Width of every register [bits]."""

ADDRESS_WIDTH = 12
"""Width of a byte address on the register bus: one 4 KiB page [bits]."""

REGISTER_BYTES = REGISTER_WIDTH // 8

Access = Literal["rw", "ro", "wo"]


@dataclass(frozen=True, kw_only=True)
class Field:
    """Bits ``offset`` to ``offset + width - 1`` of a register.

    ``reset`` is the value after reset; a read-only field that nothing drives keeps it for ever.
    """

    name: str
    offset: int
    width: int
    reset: int = 0
    description: str

    def __post_init__(self) -> None:
        last_offset = REGISTER_WIDTH - 1
        if not 0 <= self.offset <= last_offset:
            raise ValueError(f"{self.name}: offset must be 0 to {last_offset}, got {self.offset}")
        if not 1 <= self.width <= REGISTER_WIDTH - self.offset:
            raise ValueError(
                f"{self.name}: width must be 1 to {REGISTER_WIDTH - self.offset} bits, got {self.width}"
            )
        largest = (1 << self.width) - 1
        if not 0 <= self.reset <= largest:
            raise ValueError(f"{self.name}: reset must be 0 to {largest}, got {self.reset}")

    @property
    def mask(self) -> int:
        """The field's bits in its register."""
        return ((1 << self.width) - 1) << self.offset

    @property
    def bits(self) -> str:
        """The field's bits as ``high:low``, or one number for one bit."""
        return f"{self.offset + self.width - 1}:{self.offset}" if self.width > 1 else f"{self.offset}"


@dataclass(frozen=True, kw_only=True)
class Register:
    """A register at byte address ``address``; bits in no field read as 0 and ignore writes."""

    name: str
    address: int
    access: Access
    description: str
    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        last_address = (1 << ADDRESS_WIDTH) - REGISTER_BYTES
        if not 0 <= self.address <= last_address or self.address % REGISTER_BYTES:
            raise ValueError(
                f"{self.name}: address must be 0 to {last_address:#x} in steps of {REGISTER_BYTES}, "
                f"got {self.address:#x}"
            )
        owners: dict[int, Field] = {}
        for field in self.fields:
            for bit in range(field.offset, field.offset + field.width):
                if bit in owners:
                    raise ValueError(
                        f"{self.name}.{field.name}: bits must be free of other fields, "
                        f"got bit {bit} of {owners[bit].name}"
                    )
                owners[bit] = field
        _check_unique(self.name, "field names", [field.name for field in self.fields])

    def pack(self, **values: int) -> int:
        """Return the value of the whole register; fields that are not named are 0."""
        fields = {field.name: field for field in self.fields}
        word = 0
        for name, value in values.items():
            if not 0 <= value <= (largest := (1 << fields[name].width) - 1):
                raise ValueError(f"{self.name}.{name}: value must be 0 to {largest}, got {value}")
            word |= value << fields[name].offset
        return word

    @property
    def reset(self) -> int:
        """Value of the whole register after reset."""
        return sum(field.reset << field.offset for field in self.fields)


@dataclass(frozen=True, kw_only=True)
class RegisterMap:
    """Registers of one bus, in the order of their addresses."""

    name: str
    registers: tuple[Register, ...]

    def __post_init__(self) -> None:
        _check_unique(self.name, "register names", [register.name for register in self.registers])
        _check_unique(self.name, "addresses", [f"{register.address:#x}" for register in self.registers])

    def __iter__(self) -> Iterator[Register]:
        return iter(self.registers)

    def __getitem__(self, name: str) -> Register:
        return next(register for register in self.registers if register.name == name)

    def to_json(self) -> str:
        """Return the map as JSON text; the names are those of the Python fields."""
        header = {"register_width": REGISTER_WIDTH, "address_width": ADDRESS_WIDTH}
        return json.dumps(header | asdict(self), indent=2) + "\n"

    def to_c_header(self) -> str:
        """Return a C header with address, shift, mask and reset of everything."""
        guard = f"{self.name.upper()}_REGISTERS_H"
        lines = [f"#ifndef {guard}", f"#define {guard}"]
        for register in self:
            prefix = f"{self.name}_{register.name}".upper()
            lines += [
                "",
                f"/* {register.access}: {register.description} */",
                f"#define {prefix}_ADDRESS {register.address:#05x}u",
                f"#define {prefix}_RESET {register.reset:#010x}u",
            ]
            for field in register.fields:
                field_prefix = f"{prefix}_{field.name.upper()}"
                lines += [
                    f"#define {field_prefix}_SHIFT {field.offset}u /* {field.description} */",
                    f"#define {field_prefix}_MASK {field.mask:#010x}u",
                ]
        return "\n".join([*lines, "", f"#endif /* {guard} */", ""])

    def to_markdown(self) -> str:
        """Return the map as a Markdown document: a table of registers, then each register's fields."""
        lines = [
            f"# Registers of {self.name}",
            "",
            f"All registers are {REGISTER_WIDTH} bits wide; addresses count bytes.",
            "`rw` can be read and written, `ro` only read, `wo` only written.",
            "",
            "| address | register | access | reset | |",
            "|---|---|---|---|---|",
        ]
        lines += [
            f"| `{register.address:#05x}` | [{register.name}](#{register.name.lower()}) | {register.access} "
            f"| `{register.reset:#010x}` | {register.description} |"
            for register in self
        ]
        for register in self:
            lines += ["", f"## {register.name}", "", "| bits | field | reset | |", "|---|---|---|---|"]
            lines += [
                f"| {field.bits} | {field.name} | `{field.reset:#x}` | {field.description} |"
                for field in register.fields
            ]
        return "\n".join([*lines, ""])


def _check_unique(where: str, what: str, values: list[str]) -> None:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{where}: {what} must be different, got {value} twice")


class HostAddress(IntEnum):
    """Byte addresses of a chip's registers, the same for every chip; not every chip has the last two."""

    ID = 0x00
    VERSION = 0x04
    GEOMETRY = 0x08
    CORE = 0x0C
    CONTROL = 0x10
    STATUS = 0x14
    STEPS = 0x18
    EVENTS_IN = 0x1C
    EVENTS_OUT = 0x20
    LOAD_TILE = 0x24
    LOAD_TARGET = 0x28
    LOAD_ROW = 0x2C
    LOAD_DATA = 0x30
    CALIBRATION = 0x34
    TRIMS = 0x38


def chip_registers(
    *, mesh_width: int, mesh_height: int, n_axons: int, n_neurons: int, calibrated: bool = True
) -> RegisterMap:
    """Return the register map of a chip of ``mesh_width`` x ``mesh_height`` tiles with cores of one size.

    What is for calibration is left out of a chip that is not ``calibrated``.
    """

    def register(address: HostAddress, access: Access, description: str, *fields: Field) -> Register:
        return Register(
            name=address.name,
            address=int(address),
            access=access,
            description=description,
            fields=fields,
        )

    def field(name: str, offset: int, width: int, description: str, reset: int = 0) -> Field:
        return Field(name=name, offset=offset, width=width, description=description, reset=reset)

    calibration = (
        register(
            HostAddress.CALIBRATION,
            "rw",
            "What CONTROL.calibrate searches, the same in all tiles. Only while not busy.",
            field("trim", 0, 1, "0 offset, 1 gain; a gain search drives every axon with the largest code"),
            field("repeats_log2", 1, REPEATS_LOG2_WIDTH, "evaluations per bit, as a power of two"),
            field("threshold", 8, 8, "output code that the neurons are brought to the edge of"),
            field("lowered_by", 16, 8, "subtracted from the trim code found"),
        ),
        register(
            HostAddress.TRIMS,
            "ro",
            "Trims of the neuron LOAD_ROW of the tile last written to LOAD_TILE; 0 where there is no tile.",
            field("offset", 0, TRIM_WIDTH, "two's complement"),
            field("gain", TRIM_WIDTH, TRIM_WIDTH, "two's complement"),
        ),
    )
    calibrate = field("calibrate", 2, 1, "search trims as CALIBRATION says; STATUS.busy until they are found")
    return RegisterMap(
        name="neuromix",
        registers=(
            register(
                HostAddress.ID,
                "ro",
                "Which chip this is.",
                field("letters", 0, 32, 'ASCII "NMIX", first letter highest', int.from_bytes(b"NMIX")),
            ),
            register(
                HostAddress.VERSION,
                "ro",
                "Version of this register map; a new major version breaks drivers.",
                field("minor", 0, 16, "counts additions", 2),
                field("major", 16, 16, "counts incompatible changes", 1),
            ),
            register(
                HostAddress.GEOMETRY,
                "ro",
                "Size of the mesh. Tiles have x from 0 and y from 1; the host is (0, 0).",
                field("width", 0, 16, "tiles in x", mesh_width),
                field("height", 16, 16, "tiles in y", mesh_height),
            ),
            register(
                HostAddress.CORE,
                "ro",
                "Size of every core.",
                field("axons", 0, 16, "axons of a core", n_axons),
                field("neurons", 16, 16, "neurons of a core", n_neurons),
            ),
            register(
                HostAddress.CONTROL,
                "wo",
                "Strobes: a 1 acts once, a 0 does nothing.",
                field("clear_counters", 0, 1, "set STEPS, EVENTS_IN and EVENTS_OUT to 0"),
                field("clear_flags", 1, 1, "set the sticky bits of STATUS to 0"),
                *([calibrate] if calibrated else []),
            ),
            register(
                HostAddress.STATUS,
                "ro",
                "What the chip is doing, and what went wrong.",
                field("busy", 0, 1, "an event or a computation is under way"),
                field("closed", 1, 1, "the event input has closed its time step and waits for the chip"),
                field("stray", 2, 1, "sticky: an event arrived where it does not belong"),
                field("collision", 3, 1, "sticky: two events met at one axon in one time step"),
            ),
            register(
                HostAddress.STEPS,
                "ro",
                "Time steps completed; wraps.",
                field("count", 0, 32, "steps"),
            ),
            register(
                HostAddress.EVENTS_IN,
                "ro",
                "Events accepted from the host; wraps.",
                field("count", 0, 32, "events"),
            ),
            register(
                HostAddress.EVENTS_OUT,
                "ro",
                "Events delivered to the host; wraps.",
                field("count", 0, 32, "events"),
            ),
            register(
                HostAddress.LOAD_TILE,
                "rw",
                "The tile that LOAD_DATA writes to, or one more of several that are written to at once.",
                field("x", 0, TILE_COORDINATE_WIDTH, "column, from 0"),
                field("y", TILE_COORDINATE_WIDTH, TILE_COORDINATE_WIDTH, "row of tiles, from 1"),
                field("also", 16, 1, "1: the tiles written to before stay chosen, too"),
            ),
            register(
                HostAddress.LOAD_TARGET,
                "rw",
                "The memory that LOAD_DATA writes to.",
                field("target", 0, LoadTarget.WIDTH, "0 synapses, 1 routes, 2 settings, 3 trims"),
            ),
            register(
                HostAddress.LOAD_ROW,
                "rw",
                "The row that LOAD_DATA writes to. A write also returns to the row's first word.",
                field("row", 0, 20, "row of the memory"),
            ),
            register(
                HostAddress.LOAD_DATA,
                "wo",
                "Writes one word of the row, low word first, and goes on to the next. Only while not busy.",
                field("data", 0, 32, "the word"),
            ),
            *(calibration if calibrated else ()),
        ),
    )
