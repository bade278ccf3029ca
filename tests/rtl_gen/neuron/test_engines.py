"""Both digital engines: synapse memory layout, software twin, and the contract bench on their Verilog."""

from collections.abc import Callable

import numpy as np
import pytest

from rtl_gen.emit import emit_verilog
from rtl_gen.neuron import event_engine, requantizer, serial_mac
from rtl_gen.neuron.engine import EngineParameters
from testbenches.mutant import mutant
from testbenches.neuron.engine_bench import engine_parameters

COMMON = {"n_axons": 13, "n_bias_axons": 2, "axon_width": 4, "payload_width": 8}
ENGINES: dict[str, dict[str, object]] = {
    "event_1_lane": COMMON | {"kind": "event", "n_neurons": 5, "lanes": 1},
    "event_4_lanes": COMMON | {"kind": "event", "n_neurons": 12, "lanes": 4},
    "event_all_lanes": COMMON | {"kind": "event", "n_neurons": 8, "lanes": 8, "n_bias_axons": 1},
    "event_binary": COMMON | {"kind": "event", "n_neurons": 6, "lanes": 2, "payload_width": 0},
    "parallel": COMMON | {"kind": "parallel", "n_neurons": 6},
    "parallel_binary": COMMON
    | {"kind": "parallel", "n_neurons": 5, "n_axons": 40, "axon_width": 6, "payload_width": 0},
}

FAULTS = {
    "saturation_one_late": (requantizer, "rounded > code_max", "rounded > code_max + 1"),
    "no_rounding": (requantizer, "(doubled + 1) >> 1", "doubled >> 1"),
    "accumulator_one_bit_narrow": (serial_mac, "mac.accumulator_width)", "mac.accumulator_width - 1)"),
    "accumulator_not_cleared": (serial_mac, "Mux(self.flush, 0, total)", "total"),
    "last_group_skipped": (event_engine, "m.If(group == groups_in_use)", "m.If(next_group == groups_in_use)"),
    "not_cleared_after_reset": (event_engine, "flush.eq(flushing | clearing)", "flush.eq(flushing)"),
}
FAULTY_CLASS = {
    requantizer: (serial_mac, "Requantizer"),
    serial_mac: (serial_mac, "SerialMac"),
    event_engine: (event_engine, "EventEngine"),
}


@pytest.fixture(params=ENGINES)
def engine_arguments(request: pytest.FixtureRequest) -> dict[str, object]:
    return ENGINES[request.param]


@pytest.fixture
def engine(engine_arguments: dict[str, object]) -> EngineParameters:
    return engine_parameters(**engine_arguments)


def test_engine_keeps_its_contract(bench: Callable[..., None], engine_arguments: dict[str, object]) -> None:
    bench(
        top=engine_parameters(**engine_arguments).create(),
        module="testbenches.neuron.engine_bench",
        parameters=engine_arguments,
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_contract_bench_sees_a_fault(
    fault: str, failing_bench: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    module, old, new = FAULTS[fault]
    user, name = FAULTY_CLASS[module]
    monkeypatch.setattr(user, name, getattr(mutant(module, old, new), name))
    arguments = ENGINES["event_4_lanes"]
    failing_bench(engine_parameters(**arguments).create(), "testbenches.neuron.engine_bench", arguments)


def test_twin_adds_bias_axons_to_the_sum(engine: EngineParameters) -> None:
    rng = np.random.default_rng(seed=1)
    code_max = engine.event_format.payload_max
    weights = rng.integers(-127, 128, (engine.n_neurons, engine.n_axons))
    inputs = rng.integers(0, code_max + 1, (20, engine.n_event_axons))
    for array in (weights, inputs):
        array.flags.writeable = False
    expected = np.zeros((20, engine.n_neurons), dtype=np.int64)
    for step, post in np.ndindex(expected.shape):
        total = sum(int(w) * int(a) for w, a in zip(weights[post], inputs[step], strict=False))
        total += code_max * int(weights[post, engine.n_event_axons :].sum())
        expected[step, post] = min(max((total * 77 + (1 << 12)) >> 13, 0), code_max)
    actual = engine.simulate(inputs, weights, gain=77, shift=13)
    assert expected.any()
    np.testing.assert_array_equal(actual, expected)
    np.testing.assert_array_equal(engine.simulate(inputs[3:4], weights, 77, 13), expected[3:4])


def test_synapse_rows_hold_each_weight_once_and_zeros_for_unused_neurons(engine: EngineParameters) -> None:
    weights = np.random.default_rng(seed=2).integers(1, 128, (engine.n_neurons - 1, engine.n_axons))
    rows = engine.synapse_rows(weights)
    assert len(rows) == engine.synapse_sram.depth
    assert max(rows) < 1 << engine.synapse_sram.width
    stored = [byte for row in rows for byte in row.to_bytes(engine.synapse_sram.width // 8, "little")]
    assert stored.count(0) == engine.n_axons
    assert sorted(byte for byte in stored if byte) == sorted(weights.ravel())


def test_verilog_is_the_same_twice(engine: EngineParameters) -> None:
    assert emit_verilog(engine.create(), "top") == emit_verilog(engine.create(), "top")


def test_verilog_lints_clean(lint_clean: Callable[..., None], engine: EngineParameters) -> None:
    lint_clean(engine.create())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lanes": 3}, r"^lanes must be a power of two that divides n_neurons = 12, got 3$"),
        ({"lanes": 8}, r"^lanes must be a power of two that divides n_neurons = 12, got 8$"),
        ({"lanes": 0}, r"^lanes must be a power of two that divides n_neurons = 12, got 0$"),
        ({"n_neurons": 0}, r"^n_neurons must be 1 to 65536, got 0$"),
        ({"n_bias_axons": 13}, r"^n_bias_axons must be 0 to n_axons - 1 = 12, got 13$"),
        ({"n_axons": 19}, r"^n_axons - n_bias_axons must be at most 16, which events can address, got 17$"),
    ],
)
def test_impossible_sizes_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        engine_parameters(**ENGINES["event_4_lanes"] | change)


def test_weights_that_do_not_fit_are_refused() -> None:
    engine = engine_parameters(**ENGINES["parallel"])
    with pytest.raises(ValueError, match=r"^weights must be -127 to 127, got -128 to 0$"):
        engine.synapse_rows(np.full((1, 13), -128) * np.eye(1, 13, dtype=np.int64))
    with pytest.raises(ValueError, match=r"^weights must have at most 6 rows and 13 columns, got 7 and 13$"):
        engine.synapse_rows(np.zeros((7, 13), dtype=np.int64))
