"""W x H mesh: routers, or tiles with a router in them, side by side; the host at the north-west corner."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..formats import EventFormat
from ..instance import place
from .route import HOST, Address, Direction, neighbour
from .router import Router

__all__ = ["Mesh", "MeshEdge", "mesh_addresses", "wire_mesh"]


def mesh_addresses(event_format: EventFormat, width: int, height: int) -> list[Address]:
    """Return the addresses of a mesh's tiles, row by row: x from 0 to width - 1, y from 1 to height.

    Raises ValueError when an address does not fit a flit.
    """
    for name, size, limit in (
        ("width", width, 1 << event_format.x_width),
        ("height", height, (1 << event_format.y_width) - 1),
    ):
        if not 1 <= size <= limit:
            raise ValueError(f"mesh: {name} must be 1 to {limit} tiles, got {size}")
    return [(x, y) for y in range(1, height + 1) for x in range(width)]


@dataclass(frozen=True, kw_only=True)
class MeshEdge:
    """What is left open where a mesh ends."""

    host_in: Any
    """Stream that takes flits from the host: the ``north_in`` of tile (0, 1)."""
    host_out: Any
    """Stream that gives flits to the host: the ``north_out`` of tile (0, 1)."""
    stray: Signal
    """High in each cycle in which a flit leaves over another edge, where it is lost: a wrong destination."""


def wire_mesh(m: Module, nodes: Mapping[Address, Any]) -> MeshEdge:
    """Connect the links of neighbouring ``nodes`` in ``m``, set their straps, close the edges.

    A node is anything with a :class:`Router`'s straps and its north, east, south and west links. Nothing
    enters at the edges and whatever leaves there is taken at once and reported as ``stray``, so that a
    wrong destination cannot block the fabric.

    Raises ValueError unless the nodes fill a rectangle with x from 0 and y from 1.
    """
    width = 1 + max((x for x, _ in nodes), default=-1)
    height = max((y for _, y in nodes), default=0)
    rectangle = {(x, y) for y in range(1, height + 1) for x in range(width)}
    if not nodes or set(nodes) != rectangle:
        raise ValueError(f"mesh: nodes must fill a rectangle from (0, 1) on, got {sorted(nodes)}")

    strays: list[Value] = []
    for here, node in nodes.items():
        m.d.comb += [node.x.eq(here[0]), node.y.eq(here[1])]
        for direction in Direction:
            there = neighbour(here, direction)
            if direction is Direction.LOCAL or there == HOST:
                continue
            output = getattr(node, f"{direction.label}_out")
            if there in nodes:
                wiring.connect(m, output, getattr(nodes[there], f"{direction.opposite.label}_in"))
            else:
                m.d.comb += [getattr(node, f"{direction.label}_in").valid.eq(0), output.ready.eq(1)]
                strays.append(output.valid)
    stray = Signal()
    m.d.comb += stray.eq(Cat(strays).any())
    below_host = nodes[neighbour(HOST, Direction.SOUTH)]
    return MeshEdge(host_in=below_host.north_in, host_out=below_host.north_out, stray=stray)


class Mesh(wiring.Component):
    """A mesh of bare routers: each tile's local port is a port of the component.

    The routers are instances of one Verilog module ``router``, emitted apart. ``embedded=True`` makes them
    submodules instead, for Amaranth's own simulator, which cannot run instances.

    Members
    -------
    local_in_<x>_<y> : In(stream of EventFormat.flit)
        Flits from the core of tile (x, y).
    local_out_<x>_<y> : Out(stream of EventFormat.flit)
        Flits to the core of tile (x, y).
    host_in : In(stream of EventFormat.flit)
        Flits from the host.
    host_out : Out(stream of EventFormat.flit)
        Flits to the host, address (0, 0).
    idle : Out(1)
        No router stores a flit.
    stray : Out(1)
        A flit with a destination outside the mesh is lost in this cycle.
    """

    idle: Signal
    stray: Signal

    def __init__(
        self, event_format: EventFormat, width: int, height: int, queue_depth: int, *, embedded: bool = False
    ) -> None:
        self.event_format = event_format
        self.queue_depth = queue_depth
        self.embedded = embedded
        self.addresses = mesh_addresses(event_format, width, height)
        self.emitted_apart: dict[str, Router] = {}
        if not embedded:
            self.emitted_apart["router"] = Router(event_format, queue_depth)
        link = stream.Signature(event_format.flit)
        super().__init__(
            {
                **{f"local_in_{x}_{y}": In(link) for x, y in self.addresses},
                **{f"local_out_{x}_{y}": Out(link) for x, y in self.addresses},
                "host_in": In(link),
                "host_out": Out(link),
                "idle": Out(1),
                "stray": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        routers = {(x, y): self._add_router(m, f"router_{x}_{y}") for x, y in self.addresses}
        edge = wire_mesh(m, routers)
        wiring.connect(m, wiring.flipped(self.host_in), edge.host_in)
        wiring.connect(m, edge.host_out, wiring.flipped(self.host_out))
        for (x, y), router in routers.items():
            wiring.connect(m, wiring.flipped(getattr(self, f"local_in_{x}_{y}")), router.local_in)
            wiring.connect(m, router.local_out, wiring.flipped(getattr(self, f"local_out_{x}_{y}")))
        m.d.comb += [
            self.idle.eq(Cat(router.idle for router in routers.values()).all()),
            self.stray.eq(edge.stray),
        ]
        return m

    def _add_router(self, m: Module, name: str) -> Any:
        if self.embedded:
            m.submodules[name] = router = Router(self.event_format, self.queue_depth)
            return router
        return place(m, name, "router", self.emitted_apart["router"].signature)
