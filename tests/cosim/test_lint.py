"""The linters see what they are there for."""

import pytest

FAULTS = {
    "undeclared_net": ("assign y = a & forgotten;", {"icarus", "verilator", "yosys"}),
    "combinational_loop": (
        "wire p, q; assign p = q ^ a; assign q = p ^ a; assign y = q;",
        {"verilator", "yosys"},
    ),
    "cut_bits": ("wire [3:0] sum = {a, a, a, a} + 4'd1; assign y = sum;", {"verilator"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_linters_complain(linted, fault):
    body, sharp = FAULTS[fault]
    complaints = linted({"top.v": f"module top(input a, output y);\n  {body}\nendmodule\n"})
    assert {name for name, lines in complaints.items() if lines} == sharp & set(complaints)


def test_linters_accept_what_has_no_fault(linted):
    complaints = linted({"top.v": "module top(input a, output y);\n  assign y = a;\nendmodule\n"})
    assert not any(complaints.values())
