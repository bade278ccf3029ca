"""The serial neuron against its twin."""

import numpy as np
import pytest

from rtl_gen.neuron.serial_mac import SerialMac, SerialMacParameters
from testbenches.playback import simulate


def simulate_cleared(dut: SerialMac, bench) -> None:
    async def cleared(ctx):
        ctx.set(dut.flush, 1)
        for context in range(dut.parameters.n_contexts):
            ctx.set(dut.context, context)
            await ctx.tick()
        ctx.set(dut.flush, 0)
        await bench(ctx)

    simulate(dut, cleared)


async def accumulate(ctx, dut: SerialMac, context: int, weight: int, activation: int) -> None:
    ctx.set(dut.accumulate, 1)
    ctx.set(dut.context, context)
    ctx.set(dut.weight, weight)
    ctx.set(dut.activation, activation)
    await ctx.tick()
    ctx.set(dut.accumulate, 0)


async def flush(ctx, dut: SerialMac, context: int) -> int:
    ctx.set(dut.flush, 1)
    ctx.set(dut.context, context)
    await ctx.tick()
    ctx.set(dut.flush, 0)
    return int(ctx.get(dut.code))


@pytest.mark.parametrize("n_contexts", [1, 3, 4])
def test_codes_equal_twin_when_contexts_are_interleaved(n_contexts: int) -> None:
    parameters = SerialMacParameters(n_inputs=9, n_contexts=n_contexts)
    dut = parameters.create()
    rng = np.random.default_rng(seed=4)
    weights = rng.integers(-127, 128, (n_contexts, 9))
    activations = rng.integers(0, 256, (12, 9))
    activations[0] = 0
    expected = parameters.simulate(weights, activations, gain=300, shift=16)
    assert (expected == 0).any()
    assert (expected > 0).any()

    async def bench(ctx):
        ctx.set(dut.gain, 300)
        ctx.set(dut.shift, 16)
        for step, codes in zip(activations, expected, strict=True):
            for pre, context in rng.permutation([*np.ndindex(9, n_contexts)]):
                await accumulate(ctx, dut, int(context), int(weights[context, pre]), int(step[pre]))
            assert [await flush(ctx, dut, context) for context in range(n_contexts)] == codes.tolist()

    simulate_cleared(dut, bench)


@pytest.mark.parametrize("n_inputs", [1, 2, 5, 129])
def test_accumulator_holds_the_largest_sums_and_has_no_bit_to_spare(n_inputs: int) -> None:
    """Read the whole sum back, eight bits at a time, after the largest inputs of either sign."""
    parameters = SerialMacParameters(n_inputs=n_inputs, n_contexts=2)
    dut = parameters.create()
    mac = parameters.mac
    assert mac.accumulator_max > (1 << (mac.accumulator_width - 2)) - 1, "one bit less would do as well"

    async def bench(ctx):
        ctx.set(dut.gain, 1)
        shift = max(mac.accumulator_width - 9, 0)  # the largest sum then nearly fills the code
        ctx.set(dut.shift, shift)
        for context, weight in enumerate((mac.weight_max, -mac.weight_max)):
            for _ in range(n_inputs):
                await accumulate(ctx, dut, context, weight, mac.activation_max)
        expected = min((mac.accumulator_max + (1 << shift >> 1)) >> shift, 255)
        assert expected > 127
        assert await flush(ctx, dut, 0) == expected
        assert await flush(ctx, dut, 1) == 0
        assert await flush(ctx, dut, 0) == 0, "flush must clear the accumulator"

    simulate_cleared(dut, bench)


def test_different_parameters_give_different_modules() -> None:
    variants = [
        SerialMacParameters(n_inputs=4),
        SerialMacParameters(n_inputs=5),
        SerialMacParameters(n_inputs=4, n_contexts=2),
        SerialMacParameters(n_inputs=4, weight_width=4),
        SerialMacParameters(n_inputs=4, activation_width=1),
        SerialMacParameters(n_inputs=4, code_width=1),
    ]
    assert len({parameters.module for parameters in variants}) == len(variants)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"n_inputs": 0}, r"^n_inputs must be 1 to 65536, got 0$"),
        ({"n_inputs": 1, "n_contexts": 0}, r"^n_contexts must be 1 to 65536, got 0$"),
        ({"n_inputs": 1, "code_width": 9}, r"^code_width must be 1 to 8, got 9$"),
    ],
)
def test_impossible_sizes_are_refused(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SerialMacParameters(**sizes)
