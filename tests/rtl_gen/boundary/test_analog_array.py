"""Digital side of analog arrays: its bench on both simulators, and one list of ports for all views."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from analog_models.views.verilog_stub import verilog_stub
from cosim.boundary import array_view
from rtl_gen.boundary import analog_array
from rtl_gen.boundary.analog_array import AnalogArrayParameters
from rtl_gen.emit import emit_verilog
from testbenches.boundary.analog_array_bench import ArrayStandIn, array_parameters
from testbenches.mutant import mutant

ARRAYS = {
    "two_words_a_row": {
        "payload_width": 8,
        "n_axons": 11,
        "n_bias_axons": 2,
        "n_neurons": 6,
        "reset_cycles": 2,
        "settle_cycles": 4,
        "convert_cycles": 5,
    },
    "binary_and_fast": {
        "payload_width": 0,
        "n_axons": 9,
        "n_bias_axons": 1,
        "n_neurons": 4,
        "reset_cycles": 1,
        "settle_cycles": 3,
        "convert_cycles": 1,
    },
}
MARKS = (pytest.mark.cosim, pytest.mark.icarus)
ICARUS = pytest.mark.parametrize("simulator_name", [pytest.param("icarus", marks=MARKS)], indirect=True)
BENCH = "testbenches.boundary.analog_array_bench"
FAULTS = {
    "a_cycle_less_of_evaluate": ("cycles.eq(next_cycles - 1)", "cycles.eq(max(0, next_cycles - 2))"),
    "trims_swapped": (
        "gain_trims.word_select(index, TRIM_WIDTH).eq(written.gain)",
        "gain_trims.word_select(index, TRIM_WIDTH).eq(written.offset)",
    ),
    "row_strobed_with_its_first_word": ("load.word == n_words - 1", "load.word == 0"),
    "works_without_neurons": ("self.step & (settings.neurons != 0)", "self.step"),
    "collision_not_reported": ("self.collision.eq(axons.collision)", "self.collision.eq(0)"),
    "codes_of_the_phase_before": ('if following == "IDLE":', 'if following == "CONVERT":'),
}


def run(bench: Callable[..., None], name: str) -> None:
    engine = array_parameters(**ARRAYS[name])
    top = engine.create()
    top.srams = (ArrayStandIn(engine),)
    bench(top, BENCH, ARRAYS[name])


def test_digital_side_of_an_array_works_in_every_simulator(bench: Callable[..., None]) -> None:
    run(bench, "two_words_a_row")


@ICARUS
def test_digital_side_of_a_binary_array_with_the_shortest_phases_works(bench: Callable[..., None]) -> None:
    run(bench, "binary_and_fast")


@pytest.mark.parametrize("fault", FAULTS)
def test_bench_sees_a_fault(
    fault: str, failing_bench: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = mutant(analog_array, *FAULTS[fault])
    monkeypatch.setattr(analog_array, "AnalogArrayEngine", faulty.AnalogArrayEngine)
    run(failing_bench, "two_words_a_row")


# ---- one list of ports ----------------------------------------------------------------------------------


def declared_ports(text: str) -> dict[str, tuple[str, int]]:
    ports = re.findall(r"^ *(input|output) +(?:wire +)?(?:\[(\d+):0\] +)?(\w+),?$", text, re.MULTILINE)
    return {name: (direction, int(high or 0) + 1) for direction, high, name in ports}


@pytest.mark.parametrize("name", ARRAYS)
def test_all_views_of_an_array_have_the_same_ports(name: str) -> None:
    engine = array_parameters(**ARRAYS[name])
    stub = verilog_stub(
        engine.array_module,
        engine.n_axons,
        engine.n_neurons,
        engine.mac.weight_width,
        engine.event_format.activation_width,
    )
    assert len(engine.array_ports) == 12
    assert declared_ports(stub) == engine.array_ports
    assert declared_ports(array_view(engine)) == engine.array_ports
    placed = emit_verilog(engine.create(), "top")["top.v"]
    instance = re.search(rf"^  {engine.array_module} array \((.*?)^  \);", placed, re.MULTILINE | re.DOTALL)
    assert instance is not None
    assert set(re.findall(r"^    \.(\w+)\(", instance[1], re.MULTILINE)) == set(engine.array_ports)


# ---- loading and sizes ----------------------------------------------------------------------------------


def test_synapse_rows_are_sign_magnitude_with_zeros_for_unused_neurons() -> None:
    engine = array_parameters(**ARRAYS["binary_and_fast"])
    weights = np.array([[-127, -1, 0, 1, 127, 5, -5, 64, -64], [1, 2, 3, 4, 5, 6, 7, 8, 9]])
    rows = engine.synapse_rows(weights)
    assert [row & 0xFF for row in rows] == [0xFF, 0x81, 0, 1, 127, 5, 0x85, 64, 0xC0]
    assert [row >> 8 for row in rows] == list(range(1, 10)), "neurons 2 and 3 are not in use"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reset_cycles": 0}, "reset_cycles must be 1 to 4096 cycles, got 0"),
        ({"settle_cycles": 2}, "settle_cycles must be 3 to 4096 cycles, got 2"),
        ({"convert_cycles": 4097}, "convert_cycles must be 1 to 4096 cycles, got 4097"),
    ],
)
def test_impossible_phases_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        array_parameters(**ARRAYS["binary_and_fast"] | change)


def test_arrays_of_one_size_share_a_black_box() -> None:
    first, second = (array_parameters(**ARRAYS["two_words_a_row"] | {"settle_cycles": n}) for n in (3, 9))
    assert isinstance(first, AnalogArrayParameters)
    assert first.array_module == second.array_module == "analog_array_11x6"
