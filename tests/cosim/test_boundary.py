"""The harness and what of it is public."""

import re
from pathlib import Path

import pytest

from cosim.boundary import array_view, public_signals, render_harness
from rtl_gen.boundary.analog_array import AnalogArrayParameters
from rtl_gen.emit import Port
from testbenches.chip_bench import BACK_ENDS, chip_case

PORTS = (
    Port(name="clk", direction="input", width=1),
    Port(name="rst", direction="input", width=1),
    Port(name="wide", direction="input", width=12),
    Port(name="answer", direction="output", width=3),
)


@pytest.mark.parametrize("back_end", BACK_ENDS)
def test_every_public_signal_is_declared_in_the_harness(back_end: str, tmp_path: Path) -> None:
    chip = chip_case(back_end).chip
    harness = render_harness(chip, PORTS)
    public = re.findall(
        r'-module "harness" -var "(\w+)"', public_signals(chip, tmp_path / "p.vlt").read_text()
    )
    declared = re.findall(r"^  (?:reg|wire|integer)(?: \[\d+:0\])? (\w+)", harness, re.MULTILINE)
    assert len(public) > 5
    assert set(public) <= set(declared)
    is_analog = isinstance(chip.tile.core.engine, AnalogArrayParameters)
    assert any(name.startswith("seen_1_2") for name in public) == is_analog


def test_what_python_reads_and_writes_is_public(tmp_path: Path) -> None:
    """A signal that is not public cannot be found in a Verilator simulation."""
    chip = chip_case("mixed_signal").chip
    public = public_signals(chip, tmp_path / "p.vlt").read_text()
    driver = (Path(__file__).parents[2] / "cosim" / "driver.py").read_text()
    used = re.findall(r"dut\.(\w+)", driver) + re.findall(r'f"(\w+)_\{job\.suffix\}"', driver)
    assert len(set(used)) > 8
    for name in set(used):
        assert f'"{name}"' in public or f'"{name}_0_1"' in public, name


def test_every_port_of_the_chip_is_connected_and_every_tile_is_logged() -> None:
    chip = chip_case("parallel").chip
    harness = render_harness(chip, PORTS)
    assert re.findall(r"\.(\w+)\((\w+)\),?$", harness, re.MULTILINE) == [
        (port.name, port.name) for port in PORTS
    ]
    assert "reg [11:0] wide = 0;" in harness
    assert "wire [2:0] answer;" in harness
    for x, y in chip.tile_addresses:
        for strobe in ("sent", "received"):
            assert f"if (chip.tile_{x}_{y}.{strobe})" in harness


def test_only_a_harness_that_is_asked_to_dumps() -> None:
    chip = chip_case("parallel").chip
    assert "$dumpvars" not in render_harness(chip, PORTS)
    assert '$dumpfile("activity.vcd");' in render_harness(chip, PORTS, dump=True)


def test_an_array_shows_the_codes_of_its_model() -> None:
    engine = chip_case("mixed_signal").chip.tile.core.engine
    assert isinstance(engine, AnalogArrayParameters)
    view = array_view(engine)
    assert f"module {engine.array_module} (" in view
    assert "assign output_codes = model_codes;" in view
