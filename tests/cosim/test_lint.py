"""Emitted chips are clean for three tools, and each tool sees what is planted."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from analog_models.views.verilog_stub import verilog_stub
from cosim.lint import LINTERS, lint
from rtl_gen.boundary.analog_array import AnalogArrayParameters
from rtl_gen.chip import ChipParameters
from rtl_gen.emit import RtlBundle
from testbenches.chip_bench import BACK_ENDS, chip_case

pytestmark = [pytest.mark.icarus, pytest.mark.verilator, pytest.mark.yosys]
Emitted = Callable[[ChipParameters], RtlBundle]

PLANTED = {
    "implicit_wire": ("assign planted = clk;", {"icarus", "verilator", "yosys"}),
    "undriven_wire": ("wire planted;\n  wire planted_too = ~planted;", {"verilator", "yosys"}),
    "combinational_loop": ("wire planted;\n  assign planted = planted ^ clk;", {"yosys"}),
    "cut_off_sum": ("wire [3:0] planted = {clk, rst, clk, rst, clk};", {"verilator"}),
    "missing_bits": ("wire [3:0] planted;\n  sram_8x8 planted_sram(.read_data(planted));", {"icarus"}),
    "syntax_error": ("wire planted", {"icarus", "verilator", "yosys"}),
}
"""What is planted, and which tools must mention it; the others may."""


@pytest.fixture
def bundle(emitted: Emitted, tmp_path: Path) -> Callable[[str], RtlBundle]:
    def with_stub(back_end: str) -> RtlBundle:
        engine = chip_case(back_end).chip.tile.core.engine
        original = emitted(chip_case(back_end).chip)
        shutil.copytree(original.folder, tmp_path / "rtl")
        stubs = {}
        if isinstance(engine, AnalogArrayParameters):
            stubs[f"{engine.array_module}.v"] = verilog_stub(
                engine.array_module,
                engine.n_axons,
                engine.n_neurons,
                engine.mac.weight_width,
                engine.event_format.activation_width,
            )
        for name, text in stubs.items():
            (tmp_path / "rtl" / name).write_text(text)
        return replace(original, folder=tmp_path / "rtl", black_boxes=tuple(stubs))

    return with_stub


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_chip_is_clean(back_end: str, bundle: Callable[[str], RtlBundle], tmp_path: Path) -> None:
    assert lint(bundle(back_end), tmp_path / "lint") == {
        name: () for name in LINTERS if name != "yosys" or shutil.which(name)
    }


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_seen(name: str, bundle: Callable[[str], RtlBundle], tmp_path: Path) -> None:
    planted, seen_by = PLANTED[name]
    chip = bundle("parallel")
    source = chip.folder / "chip.v"
    text = source.read_text()
    source.write_text(text.replace("endmodule", f"  {planted}\nendmodule", 1))
    complaints = lint(chip, tmp_path / "lint")
    assert {tool for tool, lines in complaints.items() if lines} >= seen_by & complaints.keys()


def test_a_tool_that_fails_without_a_word_is_not_clean(
    bundle: Callable[[str], RtlBundle], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "yosys").write_text("#!/bin/sh\nexit 3\n")
    (tmp_path / "yosys").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert lint(bundle("parallel"), tmp_path / "lint")["yosys"] == ("yosys ended with exit code 3",)
