import numpy as np
import pytest
from amaranth.hdl import Signal, unsigned

from rtl_gen.formats import EventFormat
from rtl_gen.stream import Queue, RoundRobin
from testbenches.playback import exchange, simulate


def pass_through(queue: Queue, payloads: list[int], pause: float, stall: float) -> list[tuple[int, int]]:
    received = []

    async def testbench(ctx):
        rng = np.random.default_rng(seed=7)
        outputs = await exchange(
            ctx, queue, {"input": payloads}, ["output"], idle=queue.empty, rng=rng, pause=pause, stall=stall
        )
        received.extend(outputs["output"])

    simulate(queue, testbench)
    return received


@pytest.mark.parametrize("depth", [2, 3, 4, 16])
@pytest.mark.parametrize("pause", [0.0, 0.6])
@pytest.mark.parametrize("stall", [0.0, 0.6])
def test_queue_hands_on_every_payload_in_order(depth, pause, stall):
    payloads = np.random.default_rng(seed=1).integers(256, size=120).tolist()
    received = pass_through(Queue(unsigned(8), depth), payloads, pause, stall)
    assert [payload for _, payload in received] == payloads


@pytest.mark.parametrize("payload_width", [0, 8])
def test_queue_carries_events_with_and_without_payload(payload_width):
    event_format = EventFormat(x_width=2, y_width=2, axon_width=4, payload_width=payload_width)
    rng = np.random.default_rng(seed=2)
    payloads = rng.integers(1 << event_format.flit_width, size=60).tolist()
    received = pass_through(Queue(event_format.flit, 2), payloads, 0.3, 0.3)
    assert [payload for _, payload in received] == payloads


def test_queue_carries_payloads_of_no_width():
    received = pass_through(Queue(unsigned(0), 2), [0] * 10, 0.5, 0.5)
    assert len(received) == 10


@pytest.mark.parametrize("depth", [2, 3])
def test_queue_moves_one_payload_per_cycle(depth):
    received = pass_through(Queue(unsigned(8), depth), list(range(50)), 0.0, 0.0)
    assert [cycle for cycle, _ in received] == list(range(1, 51))


@pytest.mark.parametrize("depth", [2, 5])
def test_queue_fills_to_its_depth_and_reports_its_level(depth):
    queue = Queue(unsigned(8), depth)

    async def testbench(ctx):
        assert ctx.get(queue.empty)
        for level in range(depth):
            assert ctx.get(queue.level) == level
            assert ctx.get(queue.input.ready)
            ctx.set(queue.input.valid, 1)
            ctx.set(queue.input.payload, level)
            await ctx.tick()
            assert not ctx.get(queue.empty)
        assert ctx.get(queue.level) == depth
        # Full: not ready, even while the output moves.
        ctx.set(queue.output.ready, 1)
        assert not ctx.get(queue.input.ready)
        ctx.set(queue.input.valid, 0)
        for level in range(depth):
            assert ctx.get(queue.output.payload) == level
            await ctx.tick()
        assert ctx.get(queue.empty)

    simulate(queue, testbench)


def test_queue_is_empty_after_reset_in_mid_transfer():
    queue, reset = Queue(unsigned(8), 3), Signal()

    async def testbench(ctx):
        rng = np.random.default_rng(seed=3)
        await exchange(
            ctx, queue, {"input": [1, 2, 3, 4]}, ["output"], idle=queue.empty, rng=rng, stall=1.0, n_cycles=6
        )
        assert ctx.get(queue.level) == 3
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        assert ctx.get(queue.empty)
        outputs = await exchange(
            ctx, queue, {"input": [5, 6, 7]}, ["output"], idle=queue.empty, rng=rng, stall=0.5
        )
        assert [payload for _, payload in outputs["output"]] == [5, 6, 7]

    simulate(queue, testbench, reset)


@pytest.mark.parametrize("depth", [1, 17])
@pytest.mark.usefixtures("half_made")
def test_queue_refuses_depth_out_of_range(depth):
    with pytest.raises(ValueError, match=rf"^queue: depth must be 2 to 16, got {depth}$"):
        Queue(unsigned(8), depth)


def expected_grant(requests: int, favourite: int, n: int) -> int:
    return next(i % n for i in range(favourite, favourite + n) if requests >> (i % n) & 1)


@pytest.mark.parametrize("n", [1, 2, 4, 5])
def test_round_robin_serves_in_turn_and_starves_nobody(n):
    arbiter = RoundRobin(n)
    longest_wait = 0

    async def testbench(ctx):
        nonlocal longest_wait
        rng = np.random.default_rng(seed=4)
        requests, favourite = 0, 0
        passed = [0] * n  # how many others were served since each raised its request
        for _ in range(600):
            requests |= int(rng.integers(1 << n)) & int(rng.integers(1 << n))
            take = int(rng.random() < 0.6)
            ctx.set(arbiter.requests, requests)
            ctx.set(arbiter.next, take)
            grant = ctx.get(arbiter.grant)
            await ctx.tick()
            if not requests:
                continue
            assert grant == expected_grant(requests, favourite, n)
            favourite = (grant + take) % n
            if take:
                passed = [p + 1 if requests >> i & 1 and i != grant else 0 for i, p in enumerate(passed)]
                requests &= ~(1 << grant)
                longest_wait = max(longest_wait, *passed)

    simulate(arbiter, testbench)
    assert longest_wait == n - 1, "the stimulus must reach the bound, and nothing may exceed it"


def test_round_robin_shares_equally_when_everybody_asks():
    arbiter = RoundRobin(5)

    async def testbench(ctx):
        ctx.set(arbiter.requests, 0b11111)
        ctx.set(arbiter.next, 1)
        for cycle in range(15):
            assert ctx.get(arbiter.grant) == cycle % 5
            await ctx.tick()

    simulate(arbiter, testbench)


def test_round_robin_keeps_its_grant_until_it_is_taken():
    arbiter = RoundRobin(3)

    async def testbench(ctx):
        ctx.set(arbiter.requests, 0b100)
        await ctx.tick()
        ctx.set(arbiter.requests, 0b111)
        for _ in range(3):
            assert ctx.get(arbiter.grant) == 2
            await ctx.tick()
        ctx.set(arbiter.next, 1)
        await ctx.tick()
        assert ctx.get(arbiter.grant) == 0

    simulate(arbiter, testbench)
