"""Chip: a mesh of tiles, the time-step barrier and the host side. The top component."""

from dataclasses import dataclass
from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from .fabric.barrier import Barrier
from .fabric.mesh import mesh_addresses, wire_mesh
from .fabric.route import Address
from .formats import EventFormat
from .host.axi_lite import AxiLiteSignature, HostRegisters
from .host.event_port import AxiStreamSignature, EventEgress, EventIngress, beat_width
from .host.registers import RegisterMap, chip_registers
from .instance import place
from .signatures import TRIMS, CalibrationSignature, TileChoiceSignature, share
from .tile import TileParameters

__all__ = ["TILE_MODULE", "Chip", "ChipParameters", "tile_name"]

TILE_MODULE = "tile"
"""Verilog module of every tile."""


def tile_name(address: Address) -> str:
    """Return the instance name of the tile at ``address`` in the chip."""
    x, y = address
    return f"tile_{x}_{y}"


@dataclass(frozen=True, kw_only=True)
class ChipParameters:
    """Size of the mesh and what each of its tiles is; all tiles are alike."""

    mesh_width: int
    mesh_height: int
    tile: TileParameters

    def __post_init__(self) -> None:
        _ = self.tile_addresses

    @property
    def event_format(self) -> EventFormat:
        """Format of events and flits, the same everywhere on the chip."""
        return self.tile.core.engine.event_format

    @property
    def tile_addresses(self) -> list[Address]:
        """Addresses of all tiles, row by row."""
        return mesh_addresses(self.event_format, self.mesh_width, self.mesh_height)

    @property
    def register_map(self) -> RegisterMap:
        """The registers that the host sees."""
        engine = self.tile.core.engine
        return chip_registers(
            mesh_width=self.mesh_width,
            mesh_height=self.mesh_height,
            n_axons=engine.n_axons,
            n_neurons=engine.n_neurons,
            calibrated=engine.calibrated,
        )

    def create(self) -> "Chip":
        """Return the hardware."""
        return Chip(self)


class Chip(wiring.Component):
    """The top component.

    A time step ends when the host has closed it and no event, computation or result is under way anywhere.
    Every core then computes what its events of that step amount to, and its own events travel in the next.

    Members
    -------
    bus : In(AxiLiteSignature)
        Registers; see :func:`~rtl_gen.host.registers.chip_registers`. Memories are loaded through them
        before the first step.
    events_in, events_out : In, Out(AxiStreamSignature)
        Events, a packet per time step; see :mod:`rtl_gen.host.event_port`.
    step : Out(1)
        Strobe: a time step is over.
    """

    bus: wiring.PureInterface
    events_in: wiring.PureInterface
    events_out: wiring.PureInterface
    step: Signal

    def __init__(self, parameters: ChipParameters) -> None:
        self.parameters = parameters
        tile = parameters.tile.create()
        self._tile_signature = tile.signature
        self.emitted_apart = {TILE_MODULE: tile}
        events = AxiStreamSignature(beat_width(parameters.event_format))
        super().__init__(
            {
                "bus": In(AxiLiteSignature()),
                "events_in": In(events),
                "events_out": Out(events),
                "step": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        event_format = self.parameters.event_format
        m.submodules.registers = registers = HostRegisters(self.parameters.register_map)
        m.submodules.ingress = ingress = EventIngress(event_format)
        m.submodules.egress = egress = EventEgress(event_format)
        m.submodules.barrier = barrier = Barrier()
        tiles = {
            address: place(m, tile_name(address), TILE_MODULE, self._tile_signature)
            for address in self.parameters.tile_addresses
        }
        edge = wire_mesh(m, tiles)
        wiring.connect(m, wiring.flipped(self.bus), registers.bus)
        wiring.connect(m, wiring.flipped(self.events_in), ingress.axis)
        wiring.connect(m, ingress.events, edge.host_in)
        wiring.connect(m, edge.host_out, egress.events)
        wiring.connect(m, egress.axis, wiring.flipped(self.events_out))

        idle = Signal()
        m.d.comb += [
            idle.eq(ingress.idle & egress.idle & ~Cat(tile.busy for tile in tiles.values()).any()),
            barrier.closed.eq(ingress.closed),
            barrier.idle.eq(idle),
            self.step.eq(barrier.step),
            ingress.step.eq(barrier.step),
            egress.step.eq(barrier.step),
            ingress.clear_counters.eq(registers.clear_counters),
            egress.clear_counters.eq(registers.clear_counters),
            registers.busy.eq(~idle),
            registers.closed.eq(ingress.closed),
            registers.stray.eq(edge.stray),
            registers.collision.eq(Cat(tile.collision for tile in tiles.values()).any()),
            registers.steps.eq(egress.steps),
            registers.events_in.eq(ingress.count),
            registers.events_out.eq(egress.count),
        ]
        for tile in tiles.values():
            m.d.comb += tile.step.eq(barrier.step)
            share(m, registers.load, tile.load)
            share(m, registers.choice, tile.choice, TileChoiceSignature())
        if self.parameters.tile.core.engine.calibrated:
            trims = Signal(TRIMS.size)
            for tile in tiles.values():
                share(m, registers.calibration, tile.calibration, CalibrationSignature())
            addressed = (Value.cast(tile.calibration.trims) for tile in tiles.values())
            m.d.comb += [trims.eq(reduce(or_, addressed)), registers.calibration.trims.eq(trims)]
        return m
