"""Axon registers: what a step brought is held still while the next one arrives."""

import numpy as np
import pytest

from rtl_gen.formats import EventFormat
from rtl_gen.neuron.axon_registers import AxonRegisters
from testbenches.playback import simulate


async def send(ctx, dut: AxonRegisters, event: dict[str, int]) -> None:
    assert ctx.get(dut.events.ready)
    ctx.set(dut.events.valid, 1)
    ctx.set(dut.events.payload, event)
    await ctx.tick()
    ctx.set(dut.events.valid, 0)


async def step(ctx, dut: AxonRegisters) -> list[int]:
    ctx.set(dut.step, 1)
    await ctx.tick()
    ctx.set(dut.step, 0)
    return activations(ctx, dut)


def activations(ctx, dut: AxonRegisters) -> list[int]:
    codes = ctx.get(dut.activations)
    return [codes[axon] for axon in range(len(dut.activations))]


@pytest.mark.parametrize(("n_axons", "n_bias", "axon_width"), [(3, 0, 2), (5, 1, 3), (40, 2, 6), (70, 3, 8)])
def test_events_appear_after_the_step_and_only_once(n_axons: int, n_bias: int, axon_width: int) -> None:
    event_format = EventFormat(x_width=1, y_width=1, axon_width=axon_width, payload_width=8)
    dut = AxonRegisters(event_format, n_axons, n_bias)
    n_driven = n_axons - n_bias
    rng = np.random.default_rng(seed=6)
    inputs = rng.integers(1, 256, (6, n_driven)) * rng.integers(0, 2, (6, n_driven))
    inputs[0], inputs[2] = 255, 0

    async def bench(ctx):
        shown = [0] * n_driven + [255] * n_bias
        for codes in inputs:
            for axon in rng.permutation(np.flatnonzero(codes)):
                await send(ctx, dut, {"axon": int(axon), "payload": int(codes[axon])})
                assert activations(ctx, dut) == shown
            for axon in range(n_driven, 1 << axon_width):
                await send(ctx, dut, {"axon": axon, "payload": 1})
            shown = [*codes.tolist(), *[255] * n_bias]
            assert await step(ctx, dut) == shown
        assert not ctx.get(dut.collision)

    simulate(dut, bench)


def test_binary_events_count_one() -> None:
    event_format = EventFormat(x_width=1, y_width=1, axon_width=3, payload_width=0)
    dut = AxonRegisters(event_format, 6, 1)

    async def bench(ctx):
        await send(ctx, dut, {"axon": 3})
        assert await step(ctx, dut) == [0, 0, 0, 1, 0, 1]

    simulate(dut, bench)


def test_second_event_on_an_axon_in_one_step_is_a_collision() -> None:
    event_format = EventFormat(x_width=1, y_width=1, axon_width=3, payload_width=8)
    dut = AxonRegisters(event_format, 6, 1)

    async def bench(ctx):
        await send(ctx, dut, {"axon": 4, "payload": 9})
        ctx.set(dut.step, 1)
        await send(ctx, dut, {"axon": 4, "payload": 7})
        ctx.set(dut.step, 0)
        assert activations(ctx, dut)[4] == 9
        assert not ctx.get(dut.collision), "an event in the cycle of the step is of the new step"
        await send(ctx, dut, {"axon": 3, "payload": 7})
        assert not ctx.get(dut.collision)
        await send(ctx, dut, {"axon": 4, "payload": 8})
        await step(ctx, dut)
        assert ctx.get(dut.collision), "a collision must be remembered"

    simulate(dut, bench)
