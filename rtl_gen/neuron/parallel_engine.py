"""Parallel compute engine: all axons of a neuron at once, a neuron per cycle."""

from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from numpy.typing import NDArray

from ..memory import SramParameters, connect_load, pack_rows
from ..signatures import LoadTarget
from .axon_registers import AxonRegisters
from .engine import WEIGHT_WIDTH, EngineParameters
from .parallel_mac import ParallelMacParameters
from .register_file import RegisterFile
from .settings import Settings

__all__ = ["ParallelEngine", "ParallelEngineParameters"]


@dataclass(frozen=True, kw_only=True)
class ParallelEngineParameters(EngineParameters):
    """Size of a parallel engine. Row ``neuron`` of the synapse memory holds its weights, axon 0 low."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.synapse_sram

    @property
    def neuron(self) -> ParallelMacParameters:
        """The neuron that all neurons share in turn."""
        return ParallelMacParameters(
            n_inputs=self.n_axons,
            weight_width=WEIGHT_WIDTH,
            activation_width=self.event_format.activation_width,
            code_width=self.event_format.activation_width,
        )

    @property
    def synapse_sram(self) -> SramParameters:
        """The memory that holds the weights."""
        return SramParameters(depth=self.n_neurons, width=self.n_axons * WEIGHT_WIDTH)

    @property
    def synapse_row_width(self) -> int:
        return self.synapse_sram.width

    def synapse_rows(self, weights: NDArray[np.integer]) -> list[int]:
        return pack_rows(self._padded(weights), WEIGHT_WIDTH)

    def rows_read(self, axons: NDArray[np.integer], n_neurons: int) -> NDArray[np.bool]:
        return np.arange(self.n_neurons) < n_neurons

    def create(self) -> "ParallelEngine":
        return ParallelEngine(self)


class ParallelEngine(wiring.Component):
    """Parallel engine of interface :class:`EngineSignature` and a ``collision`` flag.

    Events are always accepted. Codes are finished ``neurons in use + latency of the neuron + 2`` cycles after
    ``step``. ``collision`` tells, until reset, that two events of one step met on one axon.

    Attributes
    ----------
    srams : tuple[SramParameters, ...]
        Memory macros placed.
    """

    def __init__(self, parameters: ParallelEngineParameters) -> None:
        self.parameters = parameters
        self.srams = (parameters.synapse_sram,)
        super().__init__({**parameters.signature.members, "collision": Out(1)})

    def elaborate(self, platform: object) -> Module:
        parameters = self.parameters
        event_format, n_neurons = parameters.event_format, parameters.n_neurons
        m = Module()

        m.submodules.settings = settings = Settings(n_neurons)
        m.submodules.axons = axons = AxonRegisters(event_format, parameters.n_axons, parameters.n_bias_axons)
        m.submodules.mac = mac = parameters.neuron.create()
        m.submodules.codes = codes = RegisterFile(unsigned(event_format.activation_width), n_neurons)
        synapses = parameters.synapse_sram.place(m, "synapses")

        wiring.connect(m, wiring.flipped(self.load), settings.load)
        wiring.connect(m, wiring.flipped(self.events), axons.events)
        connect_load(m, synapses, self.load, LoadTarget.SYNAPSES)

        n_read = Signal(range(n_neurons + 1))
        n_written = Signal(range(n_neurons + 1))
        reading = Signal()
        m.d.comb += [
            axons.step.eq(self.step),
            self.collision.eq(axons.collision),
            reading.eq(self.busy & (n_read != settings.neurons)),
            synapses.read_enable.eq(reading),
            synapses.read_row.eq(n_read),
            mac.weights.eq(synapses.read_data),
            mac.activations.eq(axons.activations),
            mac.gain.eq(settings.gain),
            mac.shift.eq(settings.shift),
            codes.write_enable.eq(mac.valid_out),
            codes.write_row.eq(n_written),
            codes.write_data.eq(mac.code),
            codes.read_row.eq(self.neuron),
            self.code.eq(codes.read_data),
            self.finished.eq(self.busy & (n_written == settings.neurons)),
        ]
        m.d.sync += [
            mac.valid_in.eq(reading),
            n_read.eq(n_read + reading),
            n_written.eq(n_written + mac.valid_out),
        ]
        with m.If(self.step):
            m.d.sync += [self.busy.eq(1), n_read.eq(0), n_written.eq(0)]
        with m.Elif(self.finished):
            m.d.sync += self.busy.eq(0)
        return m
