import re
import shutil
import subprocess
from pathlib import Path

import pytest

from analog_models.views.verilog_stub import verilog_stub

SHAPES = [(64, 10, 8, 8), (786, 100, 8, 8), (1, 1, 2, 1)]


def ports(text: str) -> dict[str, tuple[str, int]]:
    """Return direction and width by port name."""
    declared = re.findall(r"(input|output) +wire (?:\[(\d+):0\] )?(\w+)", text)
    return {name: (direction, int(high or 0) + 1) for direction, high, name in declared}


def test_ports_have_the_widths_of_the_array() -> None:
    assert ports(verilog_stub("array", 786, 100, 8, 4)) == {
        "reset": ("input", 1),
        "evaluate": ("input", 1),
        "convert": ("input", 1),
        "row_strobe": ("input", 1),
        "row": ("input", 10),
        "row_weights": ("input", 800),
        "input_codes": ("input", 3144),
        "offset_trims": ("input", 800),
        "gain_trims": ("input", 800),
        "gain": ("input", 16),
        "shift": ("input", 6),
        "output_codes": ("output", 400),
    }


def test_text_is_the_same_every_time() -> None:
    assert verilog_stub("array", 64, 10, 8, 8) == verilog_stub("array", 64, 10, 8, 8)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("2bad", 1, 1, 8, 8), r"module must be a Verilog identifier, got '2bad'$"),
        (("array", 0, 1, 8, 8), r"n_axons must be at least 1, got 0$"),
        (("array", 1, 0, 8, 8), r"n_neurons must be at least 1, got 0$"),
        (("array", 1, 1, 1, 8), r"weight_width must be 2 to 8 bits, got 1$"),
        (("array", 1, 1, 8, 9), r"activation_width must be 1 to 8 bits, got 9$"),
    ],
)
def test_impossible_arrays_are_refused(arguments: tuple[str, int, int, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^verilog stub: {message}"):
        verilog_stub(*arguments)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["iverilog", "-Wall", "-o", "array.out", "array.v"], marks=pytest.mark.icarus),
        pytest.param(
            ["yosys", "-q", "-p", "read_verilog array.v; hierarchy -check"], marks=pytest.mark.yosys
        ),
    ],
    ids=["icarus", "yosys"],
)
def test_tools_take_the_stub_without_a_word(
    command: list[str], shape: tuple[int, int, int, int], tmp_path: Path
) -> None:
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    (tmp_path / "array.v").write_text(verilog_stub("array", *shape))
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
