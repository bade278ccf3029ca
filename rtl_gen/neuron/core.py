"""Core: a compute engine and the sender of its events."""

from dataclasses import dataclass

from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from ..signatures import LoadSignature, calibration_port, share
from .engine import EngineParameters
from .sender import EventSenderParameters

__all__ = ["Core", "CoreParameters"]


@dataclass(frozen=True, kw_only=True)
class CoreParameters:
    """An engine, and how many destinations each of its neurons may have."""

    engine: EngineParameters
    fan_out: int

    @property
    def sender(self) -> EventSenderParameters:
        """Parameters of the event sender."""
        return EventSenderParameters(
            event_format=self.engine.event_format, n_neurons=self.engine.n_neurons, fan_out=self.fan_out
        )

    def create(self) -> "Core":
        """Return the hardware."""
        return Core(self)


class Core(wiring.Component):
    """Neurons of one tile: events in, events out.

    Members
    -------
    events : In(stream of EventFormat.event)
        What arrives for this core. Accepted within a bounded time, even while ``flits`` is stalled: that
        keeps cores that send to each other from deadlock.
    flits : Out(stream of EventFormat.flit)
        What the core sends after a step.
    step : In(1)
        Strobe: the time step is over. Only while not ``busy``.
    busy : Out(1)
        Something is still to be computed or sent.
    collision : Out(1)
        Two events met on one axon in one step; stays until reset.
    load : In(LoadSignature)
        Fills the core's memories and settings.
    calibration : In(CalibrationSignature)
        Of the engine; only if that is calibrated.
    """

    def __init__(self, parameters: CoreParameters) -> None:
        self.parameters = parameters
        self._engine = parameters.engine.create()
        self._sender = parameters.sender.create()
        self.srams = (*getattr(self._engine, "srams", ()), *self._sender.srams)
        self.emitted_apart = getattr(self._engine, "emitted_apart", {})
        event_format = parameters.engine.event_format
        super().__init__(
            {
                "events": In(stream.Signature(event_format.event)),
                "flits": Out(stream.Signature(event_format.flit)),
                "step": In(1),
                "busy": Out(1),
                "collision": Out(1),
                "load": In(LoadSignature()),
                **calibration_port(parameters.engine.calibrated),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.engine = engine = self._engine
        m.submodules.sender = sender = self._sender
        wiring.connect(m, wiring.flipped(self.events), engine.events)
        wiring.connect(m, sender.flits, wiring.flipped(self.flits))
        m.d.comb += [
            engine.step.eq(self.step),
            sender.start.eq(engine.finished),
            engine.neuron.eq(sender.neuron),
            sender.code.eq(engine.code),
            self.busy.eq(engine.busy | sender.busy),
            self.collision.eq(getattr(engine, "collision", 0)),
        ]
        if self.parameters.engine.calibrated:
            wiring.connect(m, wiring.flipped(self.calibration), engine.calibration)
        for block in (engine, sender):
            share(m, self.load, block.load)
        return m
