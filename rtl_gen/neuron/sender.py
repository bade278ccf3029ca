"""Event sender: the activation codes of a core's neurons to flits, by a loadable routing table."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from ..formats import EventFormat, bits_for_count
from ..memory import SramParameters, connect_load
from ..signatures import LoadSignature, LoadTarget
from .settings import Settings

__all__ = ["EventSender", "EventSenderParameters"]


@dataclass(frozen=True, kw_only=True)
class EventSenderParameters:
    """Size of an event sender: each of ``n_neurons`` reaches at most ``fan_out`` destinations."""

    event_format: EventFormat
    n_neurons: int
    fan_out: int

    @property
    def route(self) -> data.StructLayout:
        """One destination, from the low bits up: axon, y, x, and whether the entry is in use."""
        return data.StructLayout(
            {
                "axon": unsigned(self.event_format.axon_width),
                "y": unsigned(self.event_format.y_width),
                "x": unsigned(self.event_format.x_width),
                "in_use": unsigned(1),
            }
        )

    @property
    def table(self) -> SramParameters:
        """Routing table: row ``neuron * fan_out + entry`` holds a :attr:`route`."""
        return SramParameters(depth=self.n_neurons * self.fan_out, width=self.route.size)

    def table_rows(self, routes: Sequence[Sequence[tuple[int, int, int]]]) -> list[int]:
        """Return the routing table of ``routes[neuron] = [(x, y, axon), ...]``, one integer per row."""
        rows = [0] * self.table.depth
        for neuron, destinations in enumerate(routes):
            for entry, (x, y, axon) in enumerate(destinations):
                route = self.route.const({"axon": axon, "y": y, "x": x, "in_use": 1})
                rows[neuron * self.fan_out + entry] = route.as_value().value
        return rows

    def create(self) -> "EventSender":
        """Return the hardware."""
        return EventSender(self)


class EventSender(wiring.Component):
    """Walks the neurons in use after ``start`` and sends each non-zero code to all its destinations.

    A neuron without an event takes one cycle, one with events takes one cycle and one per table entry.

    Members
    -------
    start : In(1)
        Strobe: from the next cycle on the codes are readable.
    busy : Out(1)
        Codes are still to be sent. Rises the cycle after ``start``.
    neuron, code : Out, In
        Which neuron's code is wanted; the code, combinationally.
    flits : Out(stream of EventFormat.flit)
        The events with their destinations. Stable while stalled.
    load : In(LoadSignature)
        Fills the routing table and the number of neurons in use.
    """

    def __init__(self, parameters: EventSenderParameters) -> None:
        self.parameters = parameters
        self.srams = (parameters.table,)
        super().__init__(
            {
                "start": In(1),
                "busy": Out(1),
                "neuron": Out(unsigned(bits_for_count(parameters.n_neurons))),
                "code": In(unsigned(parameters.event_format.activation_width)),
                "flits": Out(stream.Signature(parameters.event_format.flit)),
                "load": In(LoadSignature()),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        fan_out = self.parameters.fan_out
        table = self.parameters.table.place(m, "routes")
        route = data.View(self.parameters.route, table.read_data)
        connect_load(m, table, self.load, LoadTarget.ROUTES)

        m.submodules.settings = settings = Settings(self.parameters.n_neurons)
        wiring.connect(m, wiring.flipped(self.load), settings.load)

        neuron = Signal(range(self.parameters.n_neurons + 1))
        entry = Signal(range(fan_out))
        row = Signal(range(self.parameters.table.depth + 1))
        m.d.comb += [
            self.neuron.eq(neuron),
            table.read_row.eq(row),
            self.flits.payload.axon.eq(route.axon),
            self.flits.payload.y.eq(route.y),
            self.flits.payload.x.eq(route.x),
        ]
        if self.parameters.event_format.payload_width:
            m.d.comb += self.flits.payload.payload.eq(self.code)

        with m.FSM() as fsm:
            m.d.comb += self.busy.eq(~fsm.ongoing("IDLE"))
            with m.State("IDLE"):
                m.d.sync += [neuron.eq(0), entry.eq(0), row.eq(0)]
                with m.If(self.start):
                    m.next = "SCAN"
            with m.State("SCAN"):  # `row` is the first entry of `neuron`
                with m.If(neuron == settings.neurons):
                    m.next = "IDLE"
                with m.Elif(self.code == 0):
                    m.d.sync += [neuron.eq(neuron + 1), row.eq(row + fan_out)]
                with m.Else():
                    m.d.comb += table.read_enable.eq(1)
                    m.d.sync += row.eq(row + 1)
                    m.next = "SEND"
            with m.State("SEND"):  # the table shows `entry`; `row` is the one after it
                m.d.comb += self.flits.valid.eq(route.in_use)
                with m.If(self.flits.ready | ~route.in_use):
                    with m.If(entry == fan_out - 1):
                        m.d.sync += [neuron.eq(neuron + 1), entry.eq(0)]
                        m.next = "SCAN"
                    with m.Else():
                        m.d.comb += table.read_enable.eq(1)
                        m.d.sync += [entry.eq(entry + 1), row.eq(row + 1)]
        return m
