"""The register map and its exports."""

import json
import re
import shutil
import subprocess

import pytest

from rtl_gen.host.registers import Field, HostAddress, Register, RegisterMap, chip_registers

REGISTERS = chip_registers(mesh_width=3, mesh_height=2, n_axons=64, n_neurons=33)


def field(**changes):
    return Field(**{"name": "count", "offset": 4, "width": 8, "description": "things"} | changes)


def register(**changes):
    arguments = {
        "name": "COUNT",
        "address": 8,
        "access": "rw",
        "description": "Counts.",
        "fields": (field(),),
    }
    return Register(**arguments | changes)


def register_map(*registers):
    return RegisterMap(name="test", registers=registers)


def test_every_address_has_a_register_and_no_register_another():
    assert {register.name: register.address for register in REGISTERS} == HostAddress.__members__


def test_constants_tell_the_chip():
    assert REGISTERS["ID"].reset.to_bytes(4, "big") == b"NMIX"
    assert REGISTERS["GEOMETRY"].reset == 2 << 16 | 3
    assert REGISTERS["CORE"].reset == 33 << 16 | 64


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: field(offset=32), r"^count: offset must be 0 to 31, got 32$"),
        (lambda: field(offset=-1), r"^count: offset must be 0 to 31, got -1$"),
        (lambda: field(width=0), r"^count: width must be 1 to 28 bits, got 0$"),
        (lambda: field(width=29), r"^count: width must be 1 to 28 bits, got 29$"),
        (lambda: field(reset=256), r"^count: reset must be 0 to 255, got 256$"),
        (lambda: register(address=6), r"^COUNT: address must be 0 to 0xffc in steps of 4, got 0x6$"),
        (lambda: register(address=0x1000), r"^COUNT: address must be 0 to 0xffc in steps of 4, got 0x1000$"),
        (
            lambda: register(fields=(field(), field(name="more", offset=11))),
            r"^COUNT\.more: bits must be free of other fields, got bit 11 of count$",
        ),
        (
            lambda: register(fields=(field(), field(offset=12))),
            r"^COUNT: field names must be different, got count twice$",
        ),
        (
            lambda: register_map(register(), register(name="OTHER")),
            r"^test: addresses must be different, got 0x8 twice$",
        ),
        (
            lambda: register_map(register(), register(address=0)),
            r"^test: register names must be different, got COUNT twice$",
        ),
        (
            lambda: chip_registers(mesh_width=1, mesh_height=1, n_axons=1 << 16, n_neurons=1),
            r"^axons: reset must be 0 to 65535, got 65536$",
        ),
    ],
)
def test_impossible_maps_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_largest_fields_and_addresses_are_accepted():
    whole = field(offset=0, width=32, reset=0xFFFFFFFF)
    assert register(address=0xFFC, fields=(whole,)).reset == 0xFFFFFFFF
    assert register(fields=(field(), field(name="more", offset=12))).reset == 0


def test_json_holds_the_whole_map():
    parsed = json.loads(REGISTERS.to_json())
    rebuilt = RegisterMap(
        name=parsed["name"],
        registers=tuple(
            Register(**entry | {"fields": tuple(Field(**field) for field in entry["fields"])})
            for entry in parsed["registers"]
        ),
    )
    assert rebuilt == REGISTERS
    assert (parsed["register_width"], parsed["address_width"]) == (32, 12)


def test_c_header_compiles_to_the_map(test_folder):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler, cc")
    header = REGISTERS.to_c_header()
    (test_folder / "registers.h").write_text(header)
    names = re.findall(r"#define (\w+) \S", header)
    assert len(set(names)) == len(names) > 2 * len(REGISTERS.registers)
    prints = "".join(f'printf("{name} %u\\n", {name});' for name in names)
    program = test_folder / "program.c"
    # Included twice: the guard must hold.
    include = '#include "registers.h"\n'
    program.write_text(f"#include <stdio.h>\n{include}{include}int main(void) {{ {prints} return 0; }}\n")
    subprocess.run([compiler, "-Wall", "-Werror", "-o", program.with_suffix(""), program], check=True)
    output = subprocess.run([program.with_suffix("")], check=True, capture_output=True, text=True).stdout
    values = {name: int(value) for name, value in (line.split() for line in output.splitlines())}
    expected = {}
    for entry in REGISTERS:
        prefix = f"NEUROMIX_{entry.name}"
        expected |= {f"{prefix}_ADDRESS": entry.address, f"{prefix}_RESET": entry.reset}
        for part in entry.fields:
            name = f"{prefix}_{part.name.upper()}"
            expected |= {f"{name}_SHIFT": part.offset, f"{name}_MASK": part.mask}
    assert values == expected


def test_markdown_has_every_register_and_field_in_tables():
    lines = REGISTERS.to_markdown().splitlines()
    for entry in REGISTERS:
        (row,) = [line for line in lines if line.startswith(f"| `{entry.address:#05x}` ")]
        assert f"[{entry.name}](#{entry.name.lower()}) | {entry.access} | `{entry.reset:#010x}`" in row
        section = lines[lines.index(f"## {entry.name}") :]
        table = section[4 : 4 + len(entry.fields)]
        for part, line in zip(entry.fields, table, strict=True):
            cells = [part.bits, part.name, f"`{part.reset:#x}`", part.description]
            assert line == f"| {' | '.join(cells)} |"


def test_packed_fields_stand_in_their_places_and_others_are_zero():
    calibration = REGISTERS["CALIBRATION"]
    assert calibration.pack() == 0
    assert calibration.pack(trim=1, repeats_log2=7, threshold=0xA5, lowered_by=2) == 0x02A50F
    with pytest.raises(ValueError, match=r"^CALIBRATION\.trim: value must be 0 to 1, got 2$"):
        calibration.pack(trim=2)


def test_a_chip_without_calibration_has_nothing_of_it():
    plain = chip_registers(mesh_width=3, mesh_height=2, n_axons=64, n_neurons=33, calibrated=False)
    assert [entry.name for entry in plain] == [entry.name for entry in REGISTERS][:-2]
    assert {entry.name for entry in REGISTERS} - {entry.name for entry in plain} == {"CALIBRATION", "TRIMS"}
    assert "calibrate" not in {part.name for part in plain["CONTROL"].fields}
