"""Event-driven compute engine: each event walks the neurons on a few serial multiply-accumulate lanes."""

from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from numpy.typing import NDArray

from ..formats import bits_for_count
from ..instance import place
from ..memory import SramParameters, connect_load, pack_rows
from ..signatures import LoadTarget
from .engine import WEIGHT_WIDTH, EngineParameters
from .register_file import RegisterFile
from .serial_mac import SerialMacParameters
from .settings import Settings

__all__ = ["EventEngine", "EventEngineParameters"]


@dataclass(frozen=True, kw_only=True)
class EventEngineParameters(EngineParameters):
    """Size of an event-driven engine with ``lanes`` multiply-accumulate lanes.

    Neuron ``n`` is context ``n // lanes`` of lane ``n % lanes``; neurons of one context are a group. Row
    ``axon * n_groups + group`` of the synapse memory holds the weights from an axon to a group, lane 0 low.
    """

    lanes: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lanes < 1 or self.lanes & (self.lanes - 1) or self.n_neurons % self.lanes:
            raise ValueError(
                f"lanes must be a power of two that divides n_neurons = {self.n_neurons}, got {self.lanes}"
            )
        _ = self.synapse_sram

    @property
    def n_groups(self) -> int:
        """Groups of neurons that are accumulated together."""
        return self.n_neurons // self.lanes

    @property
    def lane(self) -> SerialMacParameters:
        """One lane."""
        return SerialMacParameters(
            n_inputs=self.n_axons,
            n_contexts=self.n_groups,
            weight_width=WEIGHT_WIDTH,
            activation_width=self.event_format.activation_width,
            code_width=self.event_format.activation_width,
        )

    @property
    def synapse_sram(self) -> SramParameters:
        """The memory that holds the weights."""
        return SramParameters(depth=self.n_axons * self.n_groups, width=self.lanes * WEIGHT_WIDTH)

    @property
    def synapse_row_width(self) -> int:
        return self.synapse_sram.width

    def synapse_rows(self, weights: NDArray[np.integer]) -> list[int]:
        return pack_rows(self._padded(weights).T.reshape(-1, self.lanes), WEIGHT_WIDTH)

    def rows_read(self, axons: NDArray[np.integer], n_neurons: int) -> NDArray[np.bool]:
        read = np.zeros((self.n_axons, self.n_groups), np.bool)
        read[axons, : -(-n_neurons // self.lanes)] = True
        return read.ravel()

    def create(self) -> "EventEngine":
        return EventEngine(self)


class EventEngine(wiring.Component):
    """Event-driven engine of interface :class:`EngineSignature`.

    An event costs one cycle per group in use, back to back; at ``step`` each bias axon costs the same, and so
    does computing the codes. Meanwhile, and for ``n_groups`` cycles after reset, events wait.

    Attributes
    ----------
    emitted_apart : dict[str, wiring.Component]
        The lane, by module name: emitted once, placed ``lanes`` times.
    srams : tuple[SramParameters, ...]
        Memory macros placed.
    """

    def __init__(self, parameters: EventEngineParameters) -> None:
        self.parameters = parameters
        self.emitted_apart: dict[str, wiring.Component] = {parameters.lane.module: parameters.lane.create()}
        self.srams = (parameters.synapse_sram,)
        super().__init__(parameters.signature)

    def elaborate(self, platform: object) -> Module:
        parameters = self.parameters
        event_format, lanes, n_groups = parameters.event_format, parameters.lanes, parameters.n_groups
        lane_bits = lanes.bit_length() - 1
        lane_module, lane_component = next(iter(self.emitted_apart.items()))
        m = Module()

        m.submodules.settings = settings = Settings(parameters.n_neurons)
        wiring.connect(m, wiring.flipped(self.load), settings.load)
        synapses = parameters.synapse_sram.place(m, "synapses")
        connect_load(m, synapses, self.load, LoadTarget.SYNAPSES)

        # Issue: a walk reads one synapse row per cycle, one for each group in use.
        row = Signal(bits_for_count(parameters.synapse_sram.depth))
        group = Signal(range(n_groups + 1))
        next_group = Signal(range(n_groups + 1))
        groups_in_use = Signal(range(n_groups + 1))
        activation = Signal(event_format.activation_width)
        bias_axon = Signal(range(parameters.n_axons + 1))
        start = Signal()
        start_axon = Signal(range(max(parameters.n_axons, 1 << event_format.axon_width)))
        walking = Signal()
        free = Signal()
        flushing = Signal()
        clearing = Signal()
        absorbing = Signal()
        end_of_flush = Signal()
        event = self.events.payload
        m.d.comb += [
            groups_in_use.eq((settings.neurons + (lanes - 1)) >> lane_bits),
            next_group.eq(group + 1),
            free.eq(~walking | (next_group == groups_in_use)),
            start_axon.eq(Mux(absorbing, event.axon, bias_axon)),
            synapses.read_enable.eq(walking),
            synapses.read_row.eq(row),
        ]
        with m.If(start):
            m.d.sync += [
                walking.eq(1),
                row.eq(start_axon * n_groups),
                group.eq(0),
                activation.eq(Mux(absorbing, event_format.activation(event), event_format.payload_max)),
            ]
        with m.Elif(walking):
            m.d.sync += [walking.eq(~free), row.eq(row + 1), group.eq(next_group)]

        with m.FSM(init="clear"):
            with m.State("clear"):
                m.d.comb += clearing.eq(1)
                m.d.sync += group.eq(next_group)
                with m.If(next_group == n_groups):
                    m.next = "absorb"
            with m.State("absorb"):
                m.d.comb += [
                    absorbing.eq(1),
                    self.events.ready.eq(free & ~self.step),
                    start.eq(
                        self.events.valid
                        & self.events.ready
                        & (event.axon < parameters.n_event_axons)
                        & groups_in_use.any()
                    ),
                ]
                with m.If(self.step):
                    m.d.sync += bias_axon.eq(parameters.n_event_axons)
                    m.next = "bias"
            with m.State("bias"), m.If(free):
                with m.If((bias_axon == parameters.n_axons) | ~groups_in_use.any()):
                    m.d.sync += group.eq(0)
                    m.next = "flush"
                with m.Else():
                    m.d.comb += start.eq(1)
                    m.d.sync += bias_axon.eq(bias_axon + 1)
            with m.State("flush"):
                with m.If(group == groups_in_use):
                    m.d.comb += end_of_flush.eq(1)
                    m.next = "absorb"
                with m.Else():
                    m.d.comb += flushing.eq(1)
                    m.d.sync += group.eq(next_group)

        # Execute: one cycle later, with the row that was read; what is not in use keeps still.
        accumulate = Signal()
        flush = Signal()
        context = Signal(bits_for_count(n_groups))
        factor = Signal(event_format.activation_width)
        m.d.sync += [
            accumulate.eq(walking),
            flush.eq(flushing | clearing),
            self.finished.eq(end_of_flush),
        ]
        with m.If(walking | flushing | clearing):
            m.d.sync += context.eq(group)
        with m.If(walking):
            m.d.sync += factor.eq(activation)

        group_codes = []
        for index in range(lanes):
            lane = place(m, f"lane_{index}", lane_module, lane_component.signature)
            m.d.comb += [
                lane.accumulate.eq(accumulate),
                lane.flush.eq(flush),
                lane.context.eq(context),
                lane.weight.eq(synapses.read_data.word_select(index, WEIGHT_WIDTH)),
                lane.activation.eq(factor),
                lane.gain.eq(settings.gain),
                lane.shift.eq(settings.shift),
            ]
            group_codes.append(lane.code)

        # Collect: another cycle later the codes of a group are there.
        code_width = event_format.activation_width
        m.submodules.codes = codes = RegisterFile(unsigned(lanes * code_width), n_groups)
        m.d.sync += [codes.write_enable.eq(flush), codes.write_row.eq(context)]
        m.d.comb += [
            codes.write_data.eq(Cat(*group_codes)),
            codes.read_row.eq(self.neuron >> lane_bits),
            self.code.eq(codes.read_data.word_select(self.neuron[:lane_bits], code_width)),
            self.busy.eq(~absorbing | walking | accumulate | flush | self.finished),
        ]
        return m
