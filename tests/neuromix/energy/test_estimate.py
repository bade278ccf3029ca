"""The energy report: hand-computed, conserved, scaled with time, honest about what is missing."""

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from cosim.activity import Activity, InstancePath
from neuromix.energy.estimate import LIMITS, EnergyReport, estimate_energy
from neuromix.energy.netlist import Inventory, read_inventory
from neuromix.energy.prices import MissingPriceError, load_table

pytestmark = pytest.mark.yosys

approx = partial(pytest.approx, rel=1e-6, abs=0)  # the default, abs=1e-12, would pass any small joules

CYCLES = 16
GENERAL = load_table("ptm65-gp")

COUNTER = """
module chip(input clk, output reg [3:0] count);
  wire [3:0] next = count + 4'd1;
  always @(posedge clk) count <= next;
endmodule
"""
COUNTER_TOGGLES = [16, 8, 4, 2]  # of bit 0 to 3 in 16 cycles

WITH_MEMORY = """
module sram_64x40(input clk, input read_enable, output [39:0] read_data, input write_enable,
                  input [31:0] write_data);
endmodule
module core(input clk, input read, write, input [31:0] data, output [39:0] row);
  sram_64x40 weights(.clk(clk), .read_enable(read), .read_data(row), .write_enable(write), .write_data(data));
endmodule
module tile(input clk, input read, write, input [31:0] data, output [39:0] row);
  core core(.clk(clk), .read(read), .write(write), .data(data), .row(row));
endmodule
module chip(input clk, input read, write, input [31:0] data, output [39:0] row);
  tile tile_0(.clk(clk), .read(read), .write(write), .data(data), .row(row));
endmodule
"""


def inventory_of(text: str, folder: Path) -> Inventory:
    if shutil.which("yosys") is None:
        pytest.skip("yosys: program must be on the PATH, got none")
    path = folder / "chip.v"
    path.write_text(text)
    return read_inventory([path], "chip")


def activity_of(
    nets: dict[tuple[InstancePath, str], list[int]],
    high: dict[tuple[InstancePath, str], list[float]] | None = None,
) -> Activity:
    index, toggles, cycles_high = {}, [], []
    for net, counts in nets.items():
        index[net] = slice(len(toggles), len(toggles) + len(counts))
        toggles += counts
        cycles_high += (high or {}).get(net, [0.0] * len(counts))
    return Activity(
        cycles=CYCLES,
        clock_period=1e-8,
        toggles=np.array(toggles),
        cycles_high=np.array(cycles_high),
        index=index,
    )


COUNTER_ACTIVITY = activity_of(
    {((), "clk"): [2 * CYCLES], ((), "count"): COUNTER_TOGGLES, ((), "next"): COUNTER_TOGGLES}
)


@pytest.fixture
def counter(tmp_path: Path) -> Inventory:
    return inventory_of(COUNTER, tmp_path)


def estimate(inventory: Inventory, activity: Activity = COUNTER_ACTIVITY, **changes: object) -> EnergyReport:
    settings = {"clock_hz": 100e6, "n_inferences": 2, "n_macs": 0, "n_sops": 8, "table": GENERAL} | changes
    table = settings.pop("table")
    return estimate_energy(activity, inventory, table, **settings)  # type: ignore[arg-type]


def test_counter_costs_what_a_hand_calculation_gives(counter: Inventory) -> None:
    report = estimate(counter)
    toggles, duration = sum(COUNTER_TOGGLES), CYCLES / 100e6
    expected = {
        "registers": toggles * 11.2e-15,
        "adders": toggles * 9.6e-15,
        "wires": 2 * toggles * 2.65e-15,
        "clock": 4 * CYCLES * (5.4e-15 + 5.3e-15),
        "leakage_registers": 4 * 118e-9 * duration,
        "leakage_arithmetic": 4 * 62e-9 * duration,
    }
    assert report.by_component == approx(expected)
    assert report.total == approx(sum(expected.values()))
    assert report.per_inference == approx(report.total / 2)
    assert report.per_sop == approx(report.total / 8)
    assert report.per_mac is None, "no MAC was done"
    assert report.annotated_share == 1
    assert report.toggles_by_class["register"] == report.toggles_by_class["adder"] == toggles


def test_parts_add_up_to_the_total(tmp_path: Path) -> None:
    pins = {
        ((), "read"): [4],
        ((), "write"): [2],
        ((), "data"): [3] * 32,
        ((), "row"): [5] * 40,
    }
    inventory = inventory_of(WITH_MEMORY, tmp_path)
    report = estimate(inventory, activity_of(pins), analog_energy={"adc": 3e-12, "mdac": 1e-12})
    assert report.total > 0
    assert sum(report.by_component.values()) == approx(report.total)
    assert sum(sum(parts.values()) for parts in report.by_instance.values()) == approx(report.total)
    data = report.to_dict()
    assert sum(data["by_component_energy_pj"].values()) == approx(data["energy_pj"])
    assert data["by_component_energy_pj"]["analog_adc"] == approx(3)
    assert data["limits"] == list(LIMITS)
    assert json.loads(json.dumps(data)) == data


def test_memory_accesses_are_the_strobes_cycles(tmp_path: Path) -> None:
    inventory = inventory_of(WITH_MEMORY, tmp_path)
    pins = (("tile_0", "core", "weights"), "read_enable"), (("tile_0",), "write")
    activity = activity_of({pin: [2] for pin in pins}, {pins[0]: [5.0], pins[1]: [3.0]})
    report = estimate(inventory, activity)
    per_bit = 278.6e-15 * (64 * 40 / 65536) ** 0.5
    assert report.by_component["memory_reads"] == approx(5 * 40 * per_bit)
    assert report.by_component["memory_writes"] == approx(3 * 32 * per_bit)
    assert report.accesses == {"memory_reads": 5, "memory_writes": 3}
    assert report.by_instance["tile_0/core"]["memory_reads"] == report.by_component["memory_reads"]
    assert report.by_component["leakage_memory"] == approx(64 * 40 * 16.5e-9 * CYCLES / 100e6)


def test_an_untraced_memory_strobe_is_an_error(tmp_path: Path) -> None:
    inventory = inventory_of(WITH_MEMORY, tmp_path)
    with pytest.raises(
        ValueError, match=r"energy: tile_0\.core\.weights\.read_enable must be traced, got no activity$"
    ):
        estimate(inventory, activity_of({((), "write"): [2]}))


def test_register_file_writes_are_the_enables_cycles(tmp_path: Path) -> None:
    inventory = inventory_of(
        """
        module chip(input clk, input enable, input [1:0] row, input [7:0] data, output [7:0] q);
          reg [7:0] file [0:3];
          always @(posedge clk) if (enable) file[row] <= data;
          assign q = file[row];
        endmodule
        """,
        tmp_path,
    )
    enable, q = ((), "enable"), ((), "q")
    report = estimate(inventory, activity_of({enable: [4], q: [10] + [0] * 7}, {enable: [6.0]}))
    read_path = 10 * 2.5 * 2 * 1.371e-15  # two levels of multiplexers
    assert report.by_component["register_files"] == approx(6 * 8 * 11e-15 + read_path)
    with pytest.raises(ValueError, match=r"energy: write enable of a memory in chip must be traced"):
        estimate(inventory, activity_of({q: [1] * 8}))


def test_a_missing_price_is_an_error(counter: Inventory) -> None:
    for key in ("adder", "wire", "clock_pin", "leakage_full_adder"):
        prices = {name: price for name, price in GENERAL.prices.items() if name != key}
        with pytest.raises(MissingPriceError, match=rf"^price table ptm65-gp: no price for {key}$"):
            estimate(counter, table=replace(GENERAL, prices=prices))


def leakage(report: EnergyReport) -> float:
    return sum(energy for name, energy in report.by_component.items() if name.startswith("leakage"))


def test_doubling_the_frequency_halves_leakage_and_nothing_else(counter: Inventory) -> None:
    slow, fast = estimate(counter, clock_hz=50e6), estimate(counter, clock_hz=100e6)
    assert leakage(fast) == approx(leakage(slow) / 2)
    assert fast.total - leakage(fast) == approx(slow.total - leakage(slow))


def test_leakage_grows_with_the_length_of_the_run(counter: Inventory) -> None:
    longer = replace(COUNTER_ACTIVITY, cycles=3 * CYCLES)
    assert leakage(estimate(counter, longer)) == approx(3 * leakage(estimate(counter)))


def test_supply_and_temperature_scale_as_the_table_says(counter: Inventory) -> None:
    base = estimate(counter)
    low = estimate(counter, supply=0.5)
    assert low.total - leakage(low) == approx((base.total - leakage(base)) / 4)
    hot = estimate(counter, temperature=327.0)
    assert leakage(hot) == approx(2 * leakage(base))
    assert hot.total - leakage(hot) == approx(base.total - leakage(base))


def test_low_power_cells_leak_less_and_switch_the_same(counter: Inventory) -> None:
    general, low = estimate(counter), estimate(counter, table=load_table("ptm65-lp"))
    assert leakage(low) == approx(leakage(general) / 500)
    assert low.by_component["adders"] == general.by_component["adders"]


def test_untraced_nets_are_charged_nothing_and_reported(counter: Inventory) -> None:
    report = estimate(counter, activity_of({((), "count"): COUNTER_TOGGLES}))
    assert report.annotated_share == 0.5
    assert "adders" not in report.by_component
    assert any("charged nothing" in limit for limit in LIMITS)


def test_activity_of_another_chip_is_refused(counter: Inventory) -> None:
    with pytest.raises(ValueError, match=r"energy: activity must be that of the chip in the inventory"):
        estimate(counter, activity_of({((), "other"): [1]}))
    with pytest.raises(ValueError, match=r"energy: count must be 4 bits wide, got 3$"):
        estimate(counter, activity_of({((), "count"): [1, 2, 3]}))


def test_conditions_must_be_physical(counter: Inventory) -> None:
    with pytest.raises(ValueError, match=r"energy: clock_hz must be above 0, got 0$"):
        estimate(counter, clock_hz=0)


def test_the_documented_limits_are_those_of_the_report() -> None:
    text = (Path(__file__).parents[3] / "docs" / "energy.md").read_text()
    for limit in LIMITS:
        assert f"- {limit}\n" in text
