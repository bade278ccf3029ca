from dataclasses import asdict, replace

import numpy as np
import pytest
from amaranth.hdl import Signal, Value

from rtl_gen.fabric.route import Direction
from rtl_gen.fabric.router import Router
from rtl_gen.formats import EventFormat
from testbenches.fabric.traffic import contending_traffic, pack, router_traffic
from testbenches.playback import exchange, simulate

HERE = (1, 2)
OUTPUTS = [f"{direction.label}_out" for direction in Direction]
FORMAT = EventFormat(x_width=2, y_width=2, axon_width=9, payload_width=8)


def place_here(ctx, router: Router) -> None:
    ctx.set(router.x, HERE[0])
    ctx.set(router.y, HERE[1])


def flits_only(received: dict[str, list[tuple[int, int]]]) -> dict[str, list[int]]:
    return {name: [flit for _, flit in arrivals] for name, arrivals in received.items()}


@pytest.mark.parametrize("pause", [0.0, 0.7])
@pytest.mark.parametrize("stall", [0.0, 0.7])
@pytest.mark.parametrize(("payload_width", "queue_depth"), [(0, 2), (8, 2), (8, 3)])
def test_router_delivers_each_flit_once_and_in_order(pause, stall, payload_width, queue_depth):
    event_format = EventFormat(x_width=2, y_width=2, axon_width=9, payload_width=payload_width)
    router = Router(event_format, queue_depth)
    rng = np.random.default_rng(seed=1)
    traffic = router_traffic(event_format, HERE, 30, rng)

    async def testbench(ctx):
        place_here(ctx, router)
        received = await exchange(
            ctx, router, traffic.sent, OUTPUTS, idle=router.idle, rng=rng, pause=pause, stall=stall
        )
        traffic.check(flits_only(received))
        assert ctx.get(router.idle)

    simulate(router, testbench)


@pytest.mark.parametrize("source", Direction)
def test_router_forwards_from_every_port_to_every_port_in_one_cycle(source):
    router = Router(FORMAT, 2)
    beyond = {
        "north_out": (1, 1),
        "east_out": (2, 2),
        "south_out": (1, 3),
        "west_out": (0, 2),
        "local_out": (1, 2),
    }

    async def testbench(ctx):
        place_here(ctx, router)
        for output, destination in beyond.items():
            flit = pack(FORMAT, destination, axon=5, payload=9)
            received = await exchange(
                ctx,
                router,
                {f"{source.label}_in": [flit]},
                OUTPUTS,
                idle=router.idle,
                rng=np.random.default_rng(seed=0),
            )
            assert received.pop(output) == [(1, flit)]
            assert not any(received.values())

    simulate(router, testbench)


def test_router_moves_a_flit_per_cycle_on_all_ports_at_once():
    router = Router(FORMAT, 2)
    # A rotation of the ports: nobody wants what another wants.
    targets = {
        "north_in": (2, 2),
        "east_in": (1, 3),
        "south_in": (0, 2),
        "west_in": (1, 2),
        "local_in": (1, 1),
    }
    sent = {name: [pack(FORMAT, target, axon) for axon in range(20)] for name, target in targets.items()}

    async def testbench(ctx):
        place_here(ctx, router)
        received = await exchange(
            ctx, router, sent, OUTPUTS, idle=router.idle, rng=np.random.default_rng(seed=0)
        )
        for arrivals in received.values():
            assert [cycle for cycle, _ in arrivals] == list(range(1, 21))

    simulate(router, testbench)


def test_router_lets_nobody_wait_for_more_than_four_others():
    router = Router(FORMAT, 2)
    traffic = contending_traffic(FORMAT, HERE, 20)

    async def testbench(ctx):
        place_here(ctx, router)
        rng = np.random.default_rng(seed=5)
        received = await exchange(ctx, router, traffic.sent, OUTPUTS, idle=router.idle, rng=rng, stall=0.4)
        traffic.check(flits_only(received))
        traffic.check_turns(flits_only(received)["local_out"])

    simulate(router, testbench)


def test_router_holds_what_it_cannot_deliver_and_is_not_idle():
    router = Router(FORMAT, 2)
    flits = [pack(FORMAT, HERE, axon) for axon in range(4)]

    async def testbench(ctx):
        place_here(ctx, router)
        assert ctx.get(router.idle)
        await exchange(
            ctx,
            router,
            {"west_in": flits},
            OUTPUTS,
            idle=router.idle,
            rng=np.random.default_rng(seed=0),
            stall=1.0,
            n_cycles=8,
        )
        assert not ctx.get(router.west_in.ready)
        for direction in (Direction.NORTH, Direction.EAST, Direction.SOUTH, Direction.LOCAL):
            assert ctx.get(getattr(router, f"{direction.label}_in").ready)
        # Room shows only after the clock edge: no path leads from an output to an input.
        ctx.set(router.local_out.ready, 1)
        assert not ctx.get(router.west_in.ready)
        assert not ctx.get(router.idle)

    simulate(router, testbench)


def test_router_keeps_links_at_zero_where_it_offers_nothing():
    router = Router(FORMAT, 2)
    flit = pack(FORMAT, HERE, axon=0x155, payload=0xFF)
    sent = {"north_in": [flit], "west_in": [flit]}

    async def testbench(ctx):
        place_here(ctx, router)
        await exchange(
            ctx,
            router,
            sent,
            OUTPUTS,
            idle=router.idle,
            rng=np.random.default_rng(seed=0),
            stall=1.0,
            n_cycles=4,
        )
        offers = {name: ctx.get(Value.cast(getattr(router, name).payload)) for name in OUTPUTS}
        assert offers == dict.fromkeys(OUTPUTS, 0) | {"local_out": flit}

    simulate(router, testbench)


def test_router_is_empty_after_reset_in_mid_transfer():
    router, reset = Router(FORMAT, 2), Signal()
    rng = np.random.default_rng(seed=6)
    before, after = (router_traffic(FORMAT, HERE, 20, rng) for _ in range(2))

    async def testbench(ctx):
        place_here(ctx, router)
        await exchange(ctx, router, before.sent, OUTPUTS, idle=router.idle, rng=rng, stall=0.7, n_cycles=12)
        assert not ctx.get(router.idle)
        for direction in Direction:
            ctx.set(getattr(router, f"{direction.label}_in").valid, 0)
        ctx.set(reset, 1)
        await ctx.tick()
        ctx.set(reset, 0)
        assert ctx.get(router.idle)
        after.check(
            flits_only(await exchange(ctx, router, after.sent, OUTPUTS, idle=router.idle, rng=rng, stall=0.7))
        )

    simulate(router, testbench, reset)


@pytest.mark.usefixtures("half_made")
def test_router_refuses_depth_out_of_range():
    with pytest.raises(ValueError, match=r"^queue: depth must be 2 to 16, got 1$"):
        Router(FORMAT, 1)


@pytest.mark.parametrize("payload_width", [0, 8])
def test_router_works_in_every_simulator(bench, payload_width):
    event_format = replace(FORMAT, payload_width=payload_width)
    bench(
        top=Router(event_format, 2),
        module="testbenches.fabric.router_bench",
        parameters={"event_format": asdict(event_format), "here": HERE, "seed": 8},
    )
