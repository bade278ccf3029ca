import numpy as np
import pytest
from amaranth.hdl import Signal

from rtl_gen.fabric.barrier import Barrier
from testbenches.playback import simulate


def test_barrier_steps_one_cycle_after_all_is_idle_and_closed():
    barrier = Barrier()

    async def testbench(ctx):
        for closed, idle in [(0, 0), (1, 0), (0, 1), (0, 0)]:
            ctx.set(barrier.closed, closed)
            ctx.set(barrier.idle, idle)
            await ctx.tick()
            assert not ctx.get(barrier.step)
        ctx.set(barrier.closed, 1)
        ctx.set(barrier.idle, 1)
        await ctx.tick()
        assert ctx.get(barrier.step)
        await ctx.tick()
        assert not ctx.get(barrier.step)

    simulate(barrier, testbench)


def test_barrier_steps_on_without_input_when_left_closed():
    barrier = Barrier()
    steps = []

    async def testbench(ctx):
        ctx.set(barrier.closed, 1)
        ctx.set(barrier.idle, 1)
        for _ in range(10):
            await ctx.tick()
            steps.append(ctx.get(barrier.step))

    simulate(barrier, testbench)
    assert steps == [1, 0, 0, 1, 0, 0, 1, 0, 0, 1]


@pytest.mark.parametrize("rise", [1, 2])
def test_barrier_never_steps_while_the_work_of_a_step_is_pending(rise):
    """``rise``: after how many cycles the work of a strobe shows; 1 is the rule, 2 a reserve."""
    barrier = Barrier()
    n_steps = 0

    async def testbench(ctx):
        nonlocal n_steps
        rng = np.random.default_rng(seed=1)
        closed, until_busy, left = 0, 0, 3
        for _ in range(2000):
            pending = bool(until_busy or left)
            ctx.set(barrier.closed, closed)
            ctx.set(barrier.idle, not left or bool(until_busy))
            if ctx.get(barrier.step):
                assert closed, "the host had not closed this step"
                assert not pending, "work of the last step was pending"
                n_steps += 1
                until_busy, left, closed = rise, int(rng.integers(1, 5)), 0
            if until_busy:
                until_busy -= 1
            else:
                left = max(0, left - 1)
                closed |= int(rng.random() < 0.5)
            await ctx.tick()

    simulate(barrier, testbench)
    assert n_steps > 100, "hardly a step was taken, so little is proved"


@pytest.mark.parametrize("n_cycles", [1, 2, 3])
def test_barrier_starts_anew_at_reset(n_cycles):
    barrier, reset = Barrier(), Signal()

    async def testbench(ctx):
        ctx.set(barrier.closed, 1)
        ctx.set(barrier.idle, 1)
        for _ in range(n_cycles):
            await ctx.tick()
        ctx.set(reset, 1)
        await ctx.tick()
        assert not ctx.get(barrier.step)
        ctx.set(reset, 0)
        await ctx.tick()
        assert ctx.get(barrier.step)

    simulate(barrier, testbench, reset)
