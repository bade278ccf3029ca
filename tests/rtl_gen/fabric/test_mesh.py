from dataclasses import asdict
from types import SimpleNamespace

import numpy as np
import pytest
from amaranth.hdl import Module

from rtl_gen.emit import emit_verilog
from rtl_gen.fabric.mesh import Mesh, mesh_addresses, wire_mesh
from rtl_gen.fabric.route import HOST, path
from rtl_gen.formats import EventFormat
from testbenches.fabric.traffic import mesh_traffic, pack
from testbenches.playback import exchange, simulate

FORMAT = EventFormat(x_width=2, y_width=2, axon_width=8, payload_width=8)


def outputs_of(mesh: Mesh) -> list[str]:
    return ["host_out", *(f"local_out_{x}_{y}" for x, y in mesh.addresses)]


@pytest.mark.parametrize(("width", "height"), [(1, 1), (2, 2), (3, 2)])
@pytest.mark.parametrize(("pause", "stall"), [(0.0, 0.0), (0.5, 0.7)])
def test_mesh_delivers_each_flit_once_and_in_order(width, height, pause, stall):
    mesh = Mesh(FORMAT, width, height, 2, embedded=True)
    rng = np.random.default_rng(seed=1)
    traffic = mesh_traffic(FORMAT, mesh.addresses, 12, rng)

    async def testbench(ctx):
        received = await exchange(
            ctx, mesh, traffic.sent, outputs_of(mesh), idle=mesh.idle, rng=rng, pause=pause, stall=stall
        )
        traffic.check({name: [flit for _, flit in arrivals] for name, arrivals in received.items()})
        assert ctx.get(mesh.idle)

    simulate(mesh, testbench)


def test_mesh_takes_one_cycle_per_router():
    mesh = Mesh(FORMAT, 3, 2, 2, embedded=True)

    async def testbench(ctx):
        for source, destination in [(HOST, (2, 2)), ((2, 2), HOST), ((0, 1), (2, 1)), ((1, 2), (1, 2))]:
            entry = "host_in" if source == HOST else f"local_in_{source[0]}_{source[1]}"
            exit_ = "host_out" if destination == HOST else f"local_out_{destination[0]}_{destination[1]}"
            flit = pack(FORMAT, destination, axon=1)
            received = await exchange(
                ctx,
                mesh,
                {entry: [flit]},
                outputs_of(mesh),
                idle=mesh.idle,
                rng=np.random.default_rng(seed=0),
            )
            n_routers = len([address for address in path(source, destination) if address != HOST])
            assert received[exit_] == [(n_routers, flit)]

    simulate(mesh, testbench)


@pytest.mark.parametrize(
    ("entry", "destination"),
    [
        ("host_in", (3, 1)),
        ("host_in", (1, 0)),
        ("host_in", (0, 3)),
        ("local_in_0_2", (3, 1)),
        ("local_in_1_1", (1, 3)),
        ("local_in_1_1", (3, 3)),
    ],
)
def test_mesh_flags_and_drops_a_flit_for_an_address_outside(entry, destination):
    mesh = Mesh(FORMAT, 2, 2, 2, embedded=True)
    n_stray = 0

    async def testbench(ctx):
        nonlocal n_stray
        source = getattr(mesh, entry)
        ctx.set(source.payload, {"x": destination[0], "y": destination[1]})
        ctx.set(source.valid, 1)
        await ctx.tick()
        ctx.set(source.valid, 0)
        for _ in range(10):
            n_stray += ctx.get(mesh.stray)
            await ctx.tick()
            assert not any(ctx.get(getattr(mesh, name).valid) for name in outputs_of(mesh))
        assert ctx.get(mesh.idle)

    simulate(mesh, testbench)
    assert n_stray == 1


@pytest.mark.parametrize(
    ("width", "height", "message"),
    [
        (0, 1, "width must be 1 to 4 tiles, got 0"),
        (5, 1, "width must be 1 to 4 tiles, got 5"),
        (1, 4, "height must be 1 to 3 tiles, got 4"),
    ],
)
def test_mesh_refuses_tiles_that_have_no_address(width, height, message):
    with pytest.raises(ValueError, match=rf"^mesh: {message}$"):
        mesh_addresses(FORMAT, width, height)


@pytest.mark.usefixtures("half_made")
@pytest.mark.parametrize("addresses", [[], [(0, 0)], [(0, 1), (1, 2)], [(1, 1)]])
def test_wire_mesh_refuses_holes(addresses):
    with pytest.raises(ValueError, match=r"^mesh: nodes must fill a rectangle from \(0, 1\) on, got \["):
        wire_mesh(Module(), dict.fromkeys(addresses, SimpleNamespace()))


def test_mesh_verilog_holds_one_router_and_is_the_same_every_time():
    first, second = (emit_verilog(Mesh(FORMAT, 2, 2, 2), "top") for _ in range(2))
    assert first == second
    assert list(first) == ["router.v", "top.v"]
    assert first["top.v"].count("  router router_") == 4


def test_mesh_works_in_every_simulator(bench):
    bench(
        top=Mesh(FORMAT, 2, 2, 2),
        module="testbenches.fabric.mesh_bench",
        parameters={"event_format": asdict(FORMAT), "width": 2, "height": 2, "seed": 9},
    )


def test_mesh_verilog_lints_clean(lint_clean):
    """No UNOPTFLAT of Verilator also says: no combinational loop."""
    lint_clean(Mesh(FORMAT, 2, 2, 2))
