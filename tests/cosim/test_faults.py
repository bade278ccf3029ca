"""Deliberate faults in the hardware: the comparison of a chip with the golden model sees each of them."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

from cosim.events import event_keys
from rtl_gen import stream, tile
from rtl_gen.boundary import analog_array, calibration
from rtl_gen.emit import emit_chip
from rtl_gen.fabric import barrier, router
from rtl_gen.host import event_port
from rtl_gen.neuron import axon_registers, requantizer, sender, serial_mac
from testbenches.chip_bench import Played, chip_case
from testbenches.mutant import mutant

Play = Callable[..., Played]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """``new`` stands for ``old`` in ``module``, which the chip gets as ``used_as``."""

    module: ModuleType
    old: str
    new: str
    used_as: str
    back_end: str = "parallel"
    seen_as: str = "differences"


FAULTS = {
    "saturation_off": Fault(
        module=requantizer,
        old="Mux(rounded > code_max, code_max, rounded)",
        new="rounded",
        used_as="rtl_gen.neuron.serial_mac.Requantizer",
        back_end="serial",
    ),
    "accumulator_not_cleared": Fault(
        module=serial_mac,
        old="Mux(self.flush, 0, total)",
        new="Mux(self.flush, accumulators.read_data, total)",
        used_as="rtl_gen.neuron.serial_mac.SerialMac",
        back_end="serial",
    ),
    "flit_dropped_on_contention": Fault(
        module=router,
        old="output.ready & (turn.grant == direction.value)",
        new="output.ready",
        used_as="rtl_gen.tile.Router",
        seen_as="lost",
    ),
    "x_and_y_swapped": Fault(
        module=router,
        old="head.x, head.y",
        new="head.y, head.x",
        used_as="rtl_gen.tile.Router",
        seen_as="lost",
    ),
    "event_lost_when_stalled": Fault(
        module=event_port,
        old="self.axis.tready.eq(queue.input.ready & ~self.closed)",
        new="self.axis.tready.eq(~self.closed)",
        used_as="rtl_gen.chip.EventIngress",
        seen_as="lost",
    ),
    "event_sent_twice": Fault(
        module=sender,
        old="m.If(entry == fan_out - 1)",
        new="m.If((entry == fan_out - 1) & ((neuron != 2) | (row == 0)))",
        used_as="rtl_gen.neuron.sender.EventSender",
    ),
    "event_received_twice": Fault(
        module=stream,
        old="""\
            pop.eq(self.output.valid & self.output.ready),
        ]
""",
        new="""\
            pop.eq(self.output.valid & self.output.ready & (again := Signal(name="again"))),
        ]
        m.d.sync += again.eq(again ^ (self.output.valid & self.output.ready))
""",
        used_as="rtl_gen.fabric.router.Queue",
        seen_as="duplicated",
    ),
    "barrier_too_early": Fault(
        module=barrier,
        old="self.closed & self.idle &",
        new="self.closed &",
        used_as="rtl_gen.chip.Barrier",
        back_end="serial",
    ),
    "codes_sampled_too_early": Fault(
        module=analog_array,
        old="""\
                        if following == "IDLE":
                            m.d.comb += converted.eq(1)
                            m.d.sync += codes.eq(ports["output_codes"])
""",
        new="""\
                        if following == "IDLE":
                            m.d.comb += converted.eq(1)
                    if following == "IDLE":
                        with m.If(cycles == 1):
                            m.d.sync += codes.eq(ports["output_codes"])
""",
        used_as="rtl_gen.boundary.analog_array.AnalogArrayEngine",
        back_end="mixed_signal",
    ),
    "trim_search_skips_a_bit": Fault(
        module=calibration,
        old="found | mask >> 1",
        new="found | mask >> 2",
        used_as="rtl_gen.boundary.analog_array.Calibrator",
        back_end="calibrated",
    ),
    "tile_stays_chosen": Fault(
        module=tile,
        old="choice.also & chosen",
        new="chosen",
        used_as="rtl_gen.tile.Tile",
    ),
    "bias_axons_off": Fault(
        module=axon_registers,
        old="bias = Const(event_format.payload_max, code_width)",
        new="bias = Const(0, code_width)",
        used_as="rtl_gen.neuron.parallel_engine.AxonRegisters",
    ),
}


@pytest.fixture
def play_faulty(play: Play, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Played]:
    def run(name: str) -> Played:
        fault = FAULTS[name]
        faulty = mutant(fault.module, fault.old, fault.new)
        monkeypatch.setattr(fault.used_as, getattr(faulty, fault.used_as.rpartition(".")[2]))
        case = chip_case(fault.back_end)
        return play(case, "icarus", bundle=emit_chip(case.chip, tmp_path))

    return run


@pytest.mark.cosim
@pytest.mark.icarus
@pytest.mark.parametrize("name", [name for name in FAULTS if name != "saturation_off"])
def test_a_fault_is_seen(name: str, play_faulty: Callable[[str], Played]) -> None:
    comparison = play_faulty(name).comparison
    assert not comparison.equal
    assert getattr(comparison, FAULTS[name].seen_as) > 0
    assert comparison.located


@pytest.mark.cosim
@pytest.mark.icarus
def test_a_wrong_code_is_located_with_both_values(play_faulty: Callable[[str], Played]) -> None:
    played = play_faulty("saturation_off")
    first = {"step": 1, "source_x": 0, "source_y": 1, "x": 0, "y": 2, "axon": 0}
    assert event_keys(**first, payload=255) in played.reference.events
    assert event_keys(**first, payload=63) in played.result.sent
    assert played.comparison.located[0] == (
        "sample 0, step 1, core (0, 1), neuron 0, to axon 0 of core (0, 2): golden model 255, chip 63"
    )
    assert (played.comparison.lost, played.comparison.duplicated) == (0, 0)
