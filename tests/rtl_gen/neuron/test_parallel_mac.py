"""The parallel neuron against its twin."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rtl_gen.memory import pack_rows
from rtl_gen.neuron.parallel_mac import ParallelMacParameters
from testbenches.playback import simulate


def run(
    parameters: ParallelMacParameters,
    weights: NDArray[np.int64],
    activations: NDArray[np.int64],
    gain: int,
    shift: int,
    valid: NDArray[np.bool_],
) -> list[tuple[int, int]]:
    """Return (cycle, code) of each valid output; row ``n`` of the inputs is applied in cycle ``n``."""
    dut = parameters.create()
    outputs = []

    async def bench(ctx):
        ctx.set(dut.gain, gain)
        ctx.set(dut.shift, shift)
        rows = zip(
            pack_rows(weights, parameters.weight_width),
            pack_rows(activations, parameters.activation_width),
            valid,
            strict=True,
        )
        idle = [(0, 0, False)] * parameters.latency
        for cycle, (weight_row, activation_row, is_valid) in enumerate([*rows, *idle]):
            ctx.set(dut.weights, weight_row)
            ctx.set(dut.activations, activation_row)
            ctx.set(dut.valid_in, int(is_valid))
            await ctx.tick()
            if ctx.get(dut.valid_out):
                outputs.append((cycle + 1, int(ctx.get(dut.code))))

    simulate(dut, bench)
    return outputs


@pytest.mark.parametrize("n_inputs", [1, 2, 3, 4, 5, 8, 9, 17, 31])
def test_a_neuron_per_cycle_equals_twin_after_the_latency(n_inputs: int) -> None:
    parameters = ParallelMacParameters(n_inputs=n_inputs)
    rng = np.random.default_rng(seed=n_inputs)
    weights, activations = rng.integers(-127, 128, (40, n_inputs)), rng.integers(0, 256, (40, n_inputs))
    weights[0], weights[1], activations[:2] = 127, -127, 255
    valid = rng.random(40) < 0.7
    valid[:4] = True
    gain, shift = 3000, 19 + (n_inputs.bit_length() + 1) // 2
    expected = np.array(
        [
            parameters.simulate(w[np.newaxis], a, gain, shift)[0]
            for w, a in zip(weights, activations, strict=True)
        ]
    )
    assert (expected[valid] == 0).any()
    assert (expected[valid] > 0).any()
    wanted = [(int(cycle) + parameters.latency, int(expected[cycle])) for cycle in np.flatnonzero(valid)]
    assert run(parameters, weights, activations, gain, shift, valid) == wanted


@pytest.mark.parametrize("n_inputs", [1, 2, 3, 7, 12])
def test_largest_sums_fit_the_tree(n_inputs: int) -> None:
    parameters = ParallelMacParameters(n_inputs=n_inputs)
    mac = parameters.mac
    shift = mac.accumulator_width - 9
    weights = np.array([[mac.weight_max], [-mac.weight_max]]) * np.ones((2, n_inputs), dtype=np.int64)
    activations = np.full((2, n_inputs), mac.activation_max)
    expected = min((mac.accumulator_max + (1 << shift >> 1)) >> shift, 255)
    assert expected > 127
    outputs = run(parameters, weights, activations, 1, shift, np.ones(2, dtype=bool))
    assert [code for _, code in outputs] == [expected, 0]


def test_narrow_formats_equal_twin() -> None:
    parameters = ParallelMacParameters(n_inputs=6, weight_width=4, activation_width=1, code_width=1)
    rng = np.random.default_rng(seed=5)
    weights, activations = rng.integers(-7, 8, (30, 6)), rng.integers(0, 2, (30, 6))
    expected = [
        int(parameters.simulate(w[None], a, 1, 3)[0]) for w, a in zip(weights, activations, strict=True)
    ]
    assert set(expected) == {0, 1}
    outputs = run(parameters, weights, activations, 1, 3, np.ones(30, dtype=bool))
    assert [code for _, code in outputs] == expected


def test_impossible_code_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^code_width must be 1 to 8, got 0$"):
        ParallelMacParameters(n_inputs=2, code_width=0)
