"""Toggles read from VCD and SAIF: counted right, and the same for the same run."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from amaranth.back import verilog
from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from cosim import simulator
from cosim.activity import Activity, compare, read_saif, read_vcd

approx = partial(pytest.approx, rel=1e-6, abs=0)  # the default, abs=1e-12, would pass any period

VCD = r"""$timescale 1ns $end
$scope module harness $end
$var wire 1 ! clk $end
$scope module chip $end
$var wire 1 ! clk $end
$var wire 2 " \count[0] [1:0] $end
$var wire 1 # \flag[3] $end
$scope module inner $end
$var wire 2 " $1 [1:0] $end
$var reg 70 $ wide [69:0] $end
$var real 64 % level $end
$upscope $end
$upscope $end
$upscope $end
$enddefinitions $end
#0
$dumpvars
0!
b0 "
x#
b1 $
r0.5 %
$end
#5
1!
b1 "
1#
#10
0!
b1000000000000000000000000000000000000000000000000000000000000000000001 $
#15
1!
b10 "
#20
0!
0#
bx0 "
#25
1!
b11 "
#30
0!
"""


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "dump.vcd"
    path.write_text(VCD)
    return path


def bits(activity: Activity, name: str, *instance: str) -> slice:
    return activity.index[instance, name]


def test_vcd_toggles_are_those_counted_by_hand(dump: Path) -> None:
    activity = read_vcd(dump, "chip")
    assert activity.cycles == 3
    assert activity.clock_period == approx(10e-9)
    # 00, 01, 10, x0, 11: bit 1 rises once and then becomes unknown, bit 0 changes three times.
    assert activity.toggles[bits(activity, "count[0]")].tolist() == [3, 1]
    np.testing.assert_allclose(activity.cycles_high[bits(activity, "count[0]")], [1.5, 1.0])
    assert activity.toggles[bits(activity, "flag[3]")].tolist() == [1], "x to 1 must not count"
    wide = activity.toggles[bits(activity, "wide", "inner")]
    assert np.flatnonzero(wide).tolist() == [0, 69], "a net that starts at 1 rises from 0, as in a SAIF"


def test_vcd_counts_from_the_start_time_when_one_is_given(dump: Path) -> None:
    activity = read_vcd(dump, "chip", start=12e-9)
    assert activity.cycles == 2
    assert activity.toggles[bits(activity, "count[0]")].tolist() == [2, 1]
    assert activity.toggles[bits(activity, "wide", "inner")].sum() == 0
    np.testing.assert_allclose(activity.cycles_high[bits(activity, "flag[3]")], [0.8])


def test_aliases_share_their_bits(dump: Path) -> None:
    activity = read_vcd(dump, "chip")
    assert bits(activity, "$1", "inner") == bits(activity, "count[0]")


def test_activity_survives_its_file(dump: Path, tmp_path: Path) -> None:
    activity = read_vcd(dump, "chip")
    activity.save(tmp_path / "activity.npz")
    loaded = Activity.load(tmp_path / "activity.npz")
    assert loaded.index == activity.index
    assert (loaded.cycles, loaded.clock_period) == (activity.cycles, activity.clock_period)
    np.testing.assert_array_equal(loaded.toggles, activity.toggles)
    np.testing.assert_array_equal(loaded.cycles_high, activity.cycles_high)


def test_a_missing_instance_or_clock_is_named(dump: Path) -> None:
    with pytest.raises(
        ValueError, match=r"dump.vcd: instance tile must have nets, got none; was it traced\?"
    ):
        read_vcd(dump, "tile")
    with pytest.raises(ValueError, match=r"dump.vcd: clock must be a net of chip, got clock$"):
        read_vcd(dump, "chip", "clock")
    with pytest.raises(ValueError, match=r"dump.vcd: chip.flag\[3\] must be a running clock"):
        read_vcd(dump, "chip", "flag[3]")


def test_saif_entries_are_read_as_written(tmp_path: Path) -> None:
    path = tmp_path / "run.saif"
    path.write_text(
        r"""// comment
(SAIFILE (SAIFVERSION "2.0") (DIRECTION "backward") (DIVIDER / ) (TIMESCALE 1ps) (DURATION 32000)
 (INSTANCE harness
  (INSTANCE chip
   (NET
    (clk (T0 17000) (T1 15000) (TZ 0) (TX 0) (TB 0) (TC 6))
    ($1\[0\] (T0 22000) (T1 10000) (TZ 0) (TX 0) (TB 0) (TC 2))
    ($1\[1\] (T0 2000) (T1 30000) (TZ 0) (TX 0) (TB 0) (TC 1))
    (arr[2]\[0\] (T0 32000) (T1 0) (TZ 0) (TX 0) (TB 0) (TC 0))
   )
   (INSTANCE mac[0] (NET (odd.name (T0 27000) (T1 5000) (TZ 0) (TX 0) (TB 0) (TC 2))))
  )))
"""
    )
    activity = read_saif(path, "chip")
    assert activity.cycles == 3
    assert activity.clock_period == approx(10e-9)
    assert activity.toggles[bits(activity, "$1")].tolist() == [2, 1]
    np.testing.assert_allclose(activity.cycles_high[bits(activity, "$1")], [1, 3])
    assert set(activity.index) == {
        ((), "clk"),
        ((), "$1"),
        ((), "arr[2]"),
        (("mac[0]",), "odd.name"),
    }


class Mac(wiring.Component):
    """Multiply-accumulate."""

    a: In(signed(8))
    b: In(8)
    total: Out(signed(20))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        product = Signal(signed(16))
        m.d.comb += product.eq(self.a * self.b)
        m.d.sync += self.total.eq(self.total + product)
        return m


class Chip(wiring.Component):
    """A counter that drives two multiply-accumulates, with names of every awkward kind."""

    total: Out(signed(20))
    wide: Out(70)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(8)
        flags = [Signal(name=f"flag[{index}]") for index in range(3)]
        dotted = Signal(3, init=5, name="dotted.name")
        macs = [Mac(), Mac()]
        m.submodules["mac[0]"], m.submodules["dotted.mac"] = macs
        m.d.comb += Cat(flags).eq(count[2:])
        m.d.comb += [macs[0].a.eq(count * 5), macs[0].b.eq(count ^ 0x5A)]
        m.d.comb += [macs[1].a.eq(count * 3), macs[1].b.eq(~count)]
        m.d.comb += self.total.eq(macs[0].total ^ macs[1].total)
        m.d.sync += [dotted.eq(dotted + count), self.wide.eq((self.wide << 7) ^ (self.wide + dotted))]
        with m.If(flags[1]):
            m.d.sync += count.eq(count + 7)
        with m.Else():
            m.d.sync += count.eq(count + 3)
        return m


HARNESS = """
/* verilator tracing_off */
module harness;
  reg clk = 0, rst = 1;
  wire [19:0] total;
  wire [69:0] wide;
  /* verilator tracing_on */
  chip chip (.clk(clk), .rst(rst), .total(total), .wide(wide));
  always #5 clk = !clk;
  initial begin
`ifdef __ICARUS__
    $dumpfile("icarus.vcd");
    $dumpvars(0, chip);
`endif
    #42 rst = 0;
  end
endmodule
"""
BENCH = """
import os
import cocotb
from cocotb.triggers import Timer

@cocotb.test()
async def run(dut):
    await Timer(int(os.environ["RUN_NS"]), "ns")
"""


@pytest.mark.cosim
@pytest.mark.icarus
@pytest.mark.verilator
def test_vcd_and_saif_of_one_run_agree_on_every_net(
    test_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in simulator.SIMULATORS:
        try:
            simulator.find_simulator(name)
        except simulator.SimulatorNotFoundError as error:
            pytest.skip(str(error))
    sources = []
    for name, text in {"chip.v": verilog.convert(Chip(), name="chip"), "harness.v": HARNESS}.items():
        sources.append(test_folder / name)
        sources[-1].write_text(text)
    (test_folder / "run_for_a_while.py").write_text(BENCH)
    monkeypatch.syspath_prepend(test_folder)
    monkeypatch.setenv("SIM_CMD_SUFFIX", "-vcd")  # cocotb turns dumps of Icarus off otherwise

    def trace(name: simulator.SimulatorName, kind: simulator.TraceFormat, run_ns: int) -> Path:
        built = simulator.build(
            name, sources=sources, top="harness", cache=test_folder.parent / "simulators", trace=kind
        )
        folder = test_folder / f"{name}-{kind}-{run_ns}"
        file = folder / f"{name}.{kind}"
        simulator.run(
            built,
            test_module="run_for_a_while",
            folder=folder,
            environment={"RUN_NS": str(run_ns)},
            trace_file=file,
        )
        return file

    # The clock changes every 5 ns. A run ends between two changes: what happens at its very end is in the
    # dump of Icarus, but no more in that of Verilator.
    reset_ns, run_ns = 40, 10040
    icarus = trace("icarus", "vcd", run_ns + 1)
    verilator_vcd = trace("verilator", "vcd", run_ns + 1)
    saif = read_saif(trace("verilator", "saif", run_ns + 1), "chip")
    reset = read_saif(trace("verilator", "saif", reset_ns + 1), "chip")

    assert saif.cycles == 1004
    assert (saif.toggles > 100).sum() > 150, "the stimulus must move most of the nets"
    assert len(saif.index) > 30
    for vcd, of_saif in (
        (read_vcd(verilator_vcd, "chip"), saif),
        (read_vcd(icarus, "chip"), saif),
        (read_vcd(icarus, "chip", start=reset_ns * 1e-9), saif.since(reset)),
        (read_vcd(verilator_vcd, "chip", start=reset_ns * 1e-9), saif.since(reset)),
    ):
        assert set(vcd.index) == set(of_saif.index)
        assert compare(vcd, of_saif) == []
        assert vcd.cycles == of_saif.cycles
        assert vcd.clock_period == approx(of_saif.clock_period, rel=1e-9)


def test_compare_finds_the_net_that_differs(dump: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.vcd"
    other.write_text(VCD.replace('b10 "', 'b11 "'))
    assert compare(read_vcd(dump, "chip"), read_vcd(other, "chip")) == [
        ((), "count[0]"),
        (("inner",), "$1"),
    ]
