"""The inventory: what drives a net, how large cells are, what is one net under several names."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cosim.activity import CountedNet
from neuromix.energy.netlist import Inventory, YosysNotFoundError, read_inventory
from neuromix.energy.toggles import choose_nets

Read = Callable[[str], Inventory]

pytestmark = pytest.mark.yosys

SRAM = """
module sram_64x40(input clk, input read_enable, input [5:0] read_row, output reg [39:0] read_data,
                  input write_enable, input [31:0] write_data);
  reg [39:0] rows [0:63];
  always @(posedge clk) begin
    if (read_enable) read_data <= rows[read_row];
    if (write_enable) rows[read_row][31:0] <= write_data;
  end
endmodule
"""


@pytest.fixture
def read(tmp_path: Path) -> Read:
    if shutil.which("yosys") is None:
        pytest.skip("yosys: program must be on the PATH, got none")

    def read_text(text: str) -> Inventory:
        path = tmp_path / "chip.v"
        path.write_text(text)
        return read_inventory([path], "chip")

    return read_text


def test_cells_are_counted_by_class_and_size(read: Read) -> None:
    inventory = read("""
        module chip(input clk, input [7:0] a, b, input signed [3:0] c, output reg [15:0] q, output less, any);
          wire [8:0] sum = a + b;
          wire signed [15:0] product = $signed({1'b0, a}) * c;
          wire [15:0] chosen = less ? product : {7'b0, sum};
          assign less = a < b;
          assign any = |a;
          always @(posedge clk) q <= chosen;
        endmodule
    """)
    assert inventory.nets_by_class == {
        "input": 20,
        "clock": 1,
        "register": 16,
        "adder": 9,
        "multiplier": 16,
        "comparator": 1,
        "logic": 17,
        "register_file": 0,
        "memory": 0,
        "analog": 0,
    }
    assert inventory.cell_totals == {
        "flip_flop": 16,
        "full_adder": 9 + 8 * 4 + 8,  # adder, multiplier without the extension of its operands, comparator
        "nand2": 1.5 * 8 * 4 + 2.5 * 9 + 1.5 * 7 + 1.5 * 8,  # product, chosen (7 bits against 0), any
    }
    assert inventory.clocked.tolist() == [16]


def test_a_net_counts_once_under_all_its_names(read: Read) -> None:
    inventory = read("""
        module child(input clk, input [3:0] d, output [3:0] same, output [3:0] q, output high);
          reg [3:0] state;
          always @(posedge clk) state <= d;
          assign q = state;
          assign same = d;
          assign high = 1'b1;
        endmodule
        module chip(input clk, input [3:0] in, output [3:0] out, output [3:0] copy);
          wire high;
          wire [3:0] alias_of_in;
          child \\left[0] (.clk(clk), .d(in), .same(alias_of_in), .q(out), .high(high));
          assign copy = alias_of_in & {4{high}};
        endmodule
    """)
    names = inventory.names
    assert inventory.instances == ((), ("left[0]",))
    for path, name in (((), "alias_of_in"), (("left[0]",), "d"), (("left[0]",), "same")):
        np.testing.assert_array_equal(names[path, name], names[(), "in"])
    np.testing.assert_array_equal(names[("left[0]",), "state"], names[(), "out"])
    assert names[(), "high"].tolist() == [1], "a net tied in a child must be the constant 1"
    assert inventory.n_nets == 4 + 4 + 4 + 1  # in, out, copy, clk
    assert inventory.net_instance[names[(), "out"]].tolist() == [1] * 4, "the flip-flops are in the child"


def test_every_priced_net_is_counted_under_one_name_where_it_is_driven(read: Read) -> None:
    inventory = read("""
        module child(input clk, input [3:0] d, output [3:0] q, output [7:0] wide);
          reg [3:0] state;
          always @(posedge clk) state <= d;
          assign q = state;
          assign wide = {d[1:0], {2{state[3]}}, state};
        endmodule
        module chip(input clk, input [3:0] in, output [3:0] out, output [7:0] wide);
          wire [3:0] between, unread;
          child first(.clk(clk), .d(in), .q(between));
          child second(.clk(clk), .d(between), .q(out), .wide(wide));
          assign unread = ~out;
        endmodule
    """)
    assert set(choose_nets(inventory)) == {
        CountedNet(module="chip", instance=(), name="in", by_step=0b1111),
        *(
            CountedNet(module="child", instance=(name,), name="wide", by_step=0b1111)
            for name in ("first", "second")
        ),
    }


def test_wires_inside_a_selector_are_part_of_it(read: Read) -> None:
    inventory = read("""
        module chip(input clk, input clear, write, flip, input [7:0] d, output reg [7:0] q);
          reg [7:0] next;
          always @* begin
            next = q;
            if (write) next = d;
            if (flip) next = d ^ q;
            if (clear) next = 8'd0;
          end
          always @(posedge clk) q <= next;
        endmodule
    """)
    named = np.unique(np.concatenate(list(inventory.names.values())))
    assert inventory.n_nets == len(named) == 1 + 3 + 8 + 8 + 8, "all nets must be traceable"
    of_next = np.isin(inventory.charge_net, inventory.names[(), "next"])
    # Two multiplexers, an exclusive or and the clearing gate toggle with the selector's output.
    assert inventory.charge_weight[of_next].sum() == 8 * (2.5 + 2.5 + 2.5 + 1.5)


def test_a_named_wire_is_never_part_of_a_selector(read: Read) -> None:
    inventory = read("""
        module chip(input clk, input clear, write, input [7:0] d, e, f, output [7:0] y);
          wire [7:0] kept = write ? d : e;
          assign y = clear ? f : kept;
        endmodule
    """)
    assert inventory.nets_by_class["logic"] == 16
    assert np.isin(inventory.names[(), "kept"], inventory.charge_net).all()


def test_bits_without_a_reader_are_not_built(read: Read) -> None:
    inventory = read("""
        module chip(input clk, input [7:0] a, output [7:0] y);
          wire [15:0] product = a * a;
          assign y = product[15:8];
        endmodule
    """)
    assert inventory.nets_by_class["multiplier"] == 8
    assert len(inventory.charge_net) == 8


def test_memories_are_macros_or_register_files(read: Read) -> None:
    inventory = read(
        SRAM
        + """
        module analog_array_4(input start, output [7:0] codes);
        endmodule
        module chip(input clk, input enable, input [1:0] row, input [7:0] data, output [7:0] small,
                    output [39:0] big, output [7:0] codes);
          reg [7:0] file [0:3];
          always @(posedge clk) if (enable) file[row] <= data;
          assign small = file[row];
          analog_array_4 array(.start(enable), .codes(codes));
          sram_64x40 weights(.clk(clk), .read_enable(enable), .read_row({4'b0, row}), .read_data(big),
                             .write_enable(1'b0), .write_data({24'b0, data}));
        endmodule
    """
    )
    assert inventory.nets_by_class["register_file"] == 8
    assert inventory.nets_by_class["memory"] == 40
    assert inventory.nets_by_class["analog"] == 8
    assert inventory.cell_totals["sram_bit"] == 64 * 40
    assert inventory.cell_totals["flip_flop"] == 32
    (memory,) = inventory.memories
    assert (memory.path, memory.depth, memory.width, memory.write_width) == (("weights",), 64, 40, 32)
    assert memory.read_enable == inventory.names[(), "enable"][0]
    assert memory.write_enable == 0
    (file,) = inventory.register_files
    assert file.write_enable.tolist() == [memory.read_enable] * 8
    assert (("weights",), "read_enable") in inventory.names, "pins of macros must be named"


def test_a_cell_without_a_model_is_an_error(read: Read) -> None:
    with pytest.raises(
        ValueError, match=r"netlist: cell of chip\..*must be one with an energy model, got \$div$"
    ):
        read("module chip(input clk, input [3:0] a, b, output [3:0] y); assign y = a / b; endmodule")


def test_bad_verilog_or_clock_is_an_error(read: Read) -> None:
    with pytest.raises(ValueError, match=r"netlist: Verilog must be readable by Yosys, got .*syntax error"):
        read("module chip(input clk; endmodule")
    with pytest.raises(ValueError, match=r"netlist: clock must be a port of chip, got clk$"):
        read("module chip(input a, output y); assign y = a; endmodule")


def test_yosys_is_asked_for_when_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(YosysNotFoundError, match=r"^yosys: program must be on the PATH, got none"):
        read_inventory([tmp_path / "chip.v"], "chip")
