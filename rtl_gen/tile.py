"""Tile: a router and a core. Every tile of a chip is the same module; straps tell it where it is."""

from dataclasses import dataclass

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from .fabric.router import Router
from .neuron.core import Core, CoreParameters
from .signatures import CalibrationSignature, LoadSignature, TileChoiceSignature, calibration_port, share

__all__ = ["LINKS", "Tile", "TileParameters"]

LINKS = ("north", "east", "south", "west")


@dataclass(frozen=True, kw_only=True)
class TileParameters:
    """A core and the depth of its router's input queues."""

    core: CoreParameters
    queue_depth: int

    def create(self) -> "Tile":
        """Return the hardware."""
        return Tile(self)


class Tile(wiring.Component):
    """One node of the mesh.

    Members
    -------
    x, y : In
        Where the tile is: straps, constant while the chip runs.
    north_in, north_out, ... : In, Out(stream of EventFormat.flit)
        Links to the neighbours.
    step : In(1)
        Strobe: the time step is over.
    busy : Out(1)
        The core works or the router holds a flit.
    collision : Out(1)
        See :class:`~rtl_gen.neuron.core.Core`.
    load : In(LoadSignature)
        The load bus, which writes to the tiles that are chosen; after reset none is.
    choice : In(TileChoiceSignature)
        Chooses them.
    calibration : In(CalibrationSignature)
        Only with a core that is calibrated. Starts in every tile; shows trims, or 0 in tiles that ``choice``
        does not address.
    sent, sent_flit, received, received_event : Out
        Probes for verification: strobes, and the events that enter and leave the fabric at this tile.
    """

    x: Signal
    y: Signal

    def __init__(self, parameters: TileParameters) -> None:
        self.parameters = parameters
        event_format = parameters.core.engine.event_format
        self._router = Router(event_format, parameters.queue_depth)
        self._core: Core = parameters.core.create()
        self.srams = self._core.srams
        self.emitted_apart = self._core.emitted_apart
        flits = stream.Signature(event_format.flit)
        super().__init__(
            {
                "x": In(unsigned(event_format.x_width)),
                "y": In(unsigned(event_format.y_width)),
                **{f"{link}_in": In(flits) for link in LINKS},
                **{f"{link}_out": Out(flits) for link in LINKS},
                "step": In(1),
                "busy": Out(1),
                "collision": Out(1),
                "load": In(LoadSignature()),
                "choice": In(TileChoiceSignature()),
                "sent": Out(1),
                "sent_flit": Out(unsigned(event_format.flit_width)),
                "received": Out(1),
                "received_event": Out(unsigned(event_format.event.size)),
                **calibration_port(parameters.core.engine.calibrated),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.router = router = self._router
        m.submodules.core = core = self._core
        for link in LINKS:
            wiring.connect(m, wiring.flipped(getattr(self, f"{link}_in")), getattr(router, f"{link}_in"))
            wiring.connect(m, getattr(router, f"{link}_out"), wiring.flipped(getattr(self, f"{link}_out")))
        wiring.connect(m, core.flits, router.local_in)
        arrived = router.local_out
        m.d.comb += [
            core.events.valid.eq(arrived.valid),
            arrived.ready.eq(core.events.ready),
            # An event is the low part of a flit: what is left when the destination is reached.
            core.events.payload.as_value().eq(arrived.payload.as_value()),
            router.x.eq(self.x),
            router.y.eq(self.y),
            core.step.eq(self.step),
            self.busy.eq(core.busy | ~router.idle),
            self.collision.eq(core.collision),
            self.sent.eq(core.flits.valid & core.flits.ready),
            self.sent_flit.eq(core.flits.payload),
            self.received.eq(arrived.valid & arrived.ready),
            self.received_event.eq(core.events.payload),
        ]
        choice = self.choice
        addressed = Signal()
        chosen = Signal()
        m.d.comb += addressed.eq((choice.x == self.x) & (choice.y == self.y))
        with m.If(choice.choose):
            m.d.sync += chosen.eq(addressed | (choice.also & chosen))
        share(m, self.load, core.load)
        m.d.comb += core.load.strobe.eq(self.load.strobe & chosen)
        if self.parameters.core.engine.calibrated:
            share(m, self.calibration, core.calibration, CalibrationSignature())
            with m.If(addressed):
                m.d.comb += self.calibration.trims.eq(core.calibration.trims)
        return m
