"""Emitted Verilog: the same text every time, every module once, and the documents that go with it."""

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl_gen.chip import ChipParameters
from rtl_gen.emit import RtlBundle, emit_chip, emit_verilog
from rtl_gen.formats import EventFormat
from rtl_gen.neuron.core import CoreParameters
from rtl_gen.neuron.event_engine import EventEngineParameters
from rtl_gen.tile import TileParameters

FORMAT = EventFormat(x_width=3, y_width=3, axon_width=4, payload_width=8)
PLAIN = re.compile(r"[a-z][a-z0-9_]*")
MODULE = re.compile(r"^module +(\S+?) ?\(", re.MULTILINE)
PORT = re.compile(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", re.MULTILINE)


def chip(width: int = 2, height: int = 2, lanes: int = 2) -> ChipParameters:
    engine = EventEngineParameters(event_format=FORMAT, n_axons=9, n_bias_axons=1, n_neurons=4, lanes=lanes)
    core = CoreParameters(engine=engine, fan_out=2)
    return ChipParameters(mesh_width=width, mesh_height=height, tile=TileParameters(core=core, queue_depth=2))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> RtlBundle:
    stub = {"macro.v": "module macro(input wire a);\nendmodule\n"}
    return emit_chip(chip(), tmp_path_factory.mktemp("chip"), stub)


def text_of(bundle: RtlBundle) -> str:
    return "".join(path.read_text() for path in bundle.sources)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_chip_is_the_same_twice_in_one_process(bundle: RtlBundle, tmp_path: Path) -> None:
    stub = {path.name: path.read_text() for path in bundle.stubs}
    assert contents(emit_chip(chip(), tmp_path, stub).folder) == contents(bundle.folder)


def test_chip_is_the_same_in_other_processes(bundle: RtlBundle) -> None:
    program = """
import hashlib, runpy, sys
from pathlib import Path
from rtl_gen.emit import emit_verilog
chip = runpy.run_path(sys.argv[1])["chip"]()
print(hashlib.sha256("".join(emit_verilog(chip.create(), "chip").values()).encode()).hexdigest())
"""
    digests = [
        subprocess.run(
            [sys.executable, "-c", program, __file__],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert digests == [hashlib.sha256(text_of(bundle).encode()).hexdigest()] * 2


def test_each_module_is_emitted_once_under_a_plain_name(bundle: RtlBundle) -> None:
    modules = MODULE.findall(text_of(bundle))
    assert len(modules) > 20
    assert sorted(modules) == sorted(set(modules))
    assert [name for name in modules if not PLAIN.fullmatch(name)] == []
    assert len([name for name in modules if re.fullmatch(r"serial_mac_[0-9a-z]+_w8a8c8", name)]) == 1
    assert len(re.findall(r"^  serial_mac_\S+ lane_\d \($", text_of(bundle), re.MULTILINE)) == 2


def test_a_larger_mesh_is_more_tiles_but_hardly_more_text(bundle: RtlBundle, tmp_path: Path) -> None:
    small = text_of(bundle)
    large = text_of(emit_chip(chip(4, 4), tmp_path))
    assert (small.count("\n  tile tile_"), large.count("\n  tile tile_")) == (4, 16)
    assert large.count("\nmodule tile(") == 1
    grown = (len(large) - len(small)) / 12
    tile = len((bundle.folder / "tile.v").read_text())
    assert grown < 0.1 * tile, "a further tile must cost its connections only"
    assert (tmp_path / "tile.v").read_bytes() == (bundle.folder / "tile.v").read_bytes()


class Inverter(wiring.Component):
    a: In(3)
    b: Out(3)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        state = Signal(3, name="top.mac[0]")  # looks like a module of Top
        m.d.sync += state.eq(~self.a)
        m.d.comb += self.b.eq(state)
        return m


class Top(wiring.Component):
    """Submodules with troublesome names: brackets, dots, capitals, none, and what they are turned into."""

    a: In(3)
    b: Out(3)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        state = Signal(3, name="top.mac[1]")
        m.d.sync += state.eq(self.a)
        total = self.a
        for name in ("mac[0]", "mac_0_", "mac[1]", "mac.0.", "MAC", "mac", None):
            block = Inverter()
            if name is None:
                m.submodules += block
            else:
                m.submodules[name] = block
            m.d.comb += block.a.eq(self.a ^ state)
            total = total + block.b
        m.d.comb += self.b.eq(total)
        return m


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(
            ["iverilog", "-g2005", "-Wall", "-Wno-timescale", "-s", "top", "-o", "top.vvp", "top.v"],
            marks=pytest.mark.icarus,
        ),
        pytest.param(
            ["yosys", "-q", "-p", "read_verilog top.v; hierarchy -check -top top; proc; check -assert"],
            marks=pytest.mark.yosys,
        ),
    ],
    ids=["icarus", "yosys"],
)
def test_names_of_submodules_never_make_invalid_verilog(command: list[str], tmp_path: Path) -> None:
    text = emit_verilog(Top(), "top")["top.v"]
    modules = MODULE.findall(text)
    assert len(set(modules)) == len(modules) == 8
    assert [name for name in modules if not PLAIN.fullmatch(name)] == []
    (tmp_path / "top.v").write_text(text)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_manifest_tells_what_the_verilog_is(bundle: RtlBundle) -> None:
    manifest = json.loads((bundle.folder / "manifest.json").read_text())
    text = (bundle.folder / "chip.v").read_text()
    top = text[text.index("module chip(") : text.index("endmodule")]
    declared = {name: (direction, int(high or 0) + 1) for direction, high, name in PORT.findall(top)}
    listed = {port["name"]: (port["direction"], port["width"]) for port in manifest["ports"]}
    assert listed == declared
    assert len(listed) == len(manifest["ports"]) == len(bundle.ports) > 20
    assert manifest["top"] == "chip"
    assert manifest["files"] == list(bundle.files)
    assert manifest["black_boxes"] == ["macro.v"]
    parameters = manifest["parameters"]
    assert (parameters["mesh_width"], parameters["mesh_height"]) == (2, 2)
    assert parameters["engine"] == "EventEngineParameters"
    assert parameters["tile"]["core"]["engine"]["event_format"]["payload_width"] == 8
    assert manifest["hierarchy"]["tile_1_2"] == {"module": "tile", "x": 1, "y": 2}
    assert set(manifest["hierarchy"]) == set(re.findall(r"^  tile (\w+) \($", text, re.MULTILINE))


def test_source_hash_changes_with_the_source(bundle: RtlBundle, tmp_path: Path) -> None:
    def source_hash(name: str, parameters: ChipParameters, stubs: dict[str, str]) -> str:
        emit_chip(parameters, tmp_path / name, stubs)
        return json.loads((tmp_path / name / "manifest.json").read_text())["source_sha256"]

    stub = {path.name: path.read_text() for path in bundle.stubs}
    first = json.loads((bundle.folder / "manifest.json").read_text())["source_sha256"]
    assert source_hash("one_lane", chip(lanes=1), stub) != first
    assert source_hash("stub", chip(), {"macro.v": stub["macro.v"] + "\n"}) != first


def test_register_map_comes_in_three_forms(bundle: RtlBundle) -> None:
    registers = json.loads((bundle.folder / "registers.json").read_text())
    assert registers
    for name in ("registers.h", "registers.md"):
        assert "load_data" in (bundle.folder / name).read_text().lower()


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["iverilog", "-g2005", "-o", "chip.vvp", "-c", "chip.f"], marks=pytest.mark.icarus),
        pytest.param(["yosys", "-q", "-p"], marks=pytest.mark.yosys),
    ],
    ids=["icarus", "yosys"],
)
def test_files_can_be_read_in_the_order_of_the_list(
    bundle: RtlBundle, command: list[str], tmp_path: Path
) -> None:
    listed = (bundle.folder / "chip.f").read_text().splitlines()
    assert listed == list(bundle.files)
    assert listed[-1] == "chip.v"
    for name, content in contents(bundle.folder).items():
        (tmp_path / name).write_bytes(content)
    if command[0] == "yosys":
        reads = "; ".join(f"read_verilog {name}" for name in listed)
        command = [*command, f"{reads}; hierarchy -check -top chip"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_module_only_names_modules_of_earlier_files(bundle: RtlBundle) -> None:
    known: set[str] = set()
    for path in bundle.sources:
        text = path.read_text()
        known |= set(MODULE.findall(text))
        placed = re.findall(r"^  (\w+) \S+ +\($", text, re.MULTILINE)
        assert set(placed) <= known, path.name
    assert {"tile", "sram_18x16"} <= known


def test_black_boxes_are_kept_apart_from_behaviour(bundle: RtlBundle) -> None:
    assert [path.name for path in bundle.stubs] == ["macro.v"]
    assert not set(bundle.stubs) & set(bundle.sources)
