"""Events to and from the host."""

import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl_gen.formats import EventFormat
from rtl_gen.host import event_port

FORMATS = {
    "graded": EventFormat(x_width=2, y_width=2, axon_width=6, payload_width=8),
    "binary in whole bytes": EventFormat(x_width=1, y_width=1, axon_width=6, payload_width=0),
}


class BothPorts(wiring.Component):
    """Ingress and egress with all ports of their own, for a bench that is the fabric between them."""

    def __init__(self, event_format: EventFormat) -> None:
        self.event_format = event_format
        beats = event_port.AxiStreamSignature(event_port.beat_width(event_format))
        flits = stream.Signature(event_format.flit)
        outputs = {"closed": 1, "ingress_idle": 1, "egress_idle": 1, "events_in": 32, "events_out": 32, "steps": 32}
        super().__init__(
            {"host_in": In(beats), "arriving": Out(flits), "leaving": In(flits), "host_out": Out(beats)}
            | {"step": In(1), "clear_counters": In(1)}
            | {name: Out(width) for name, width in outputs.items()}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.ingress = ingress = event_port.EventIngress(self.event_format)
        m.submodules.egress = egress = event_port.EventEgress(self.event_format)
        connect(m, flipped(self.host_in), ingress.axis)
        connect(m, ingress.events, flipped(self.arriving))
        connect(m, flipped(self.leaving), egress.events)
        connect(m, egress.axis, flipped(self.host_out))
        for port in (ingress, egress):
            m.d.comb += [port.step.eq(self.step), port.clear_counters.eq(self.clear_counters)]
        m.d.comb += [
            self.closed.eq(ingress.closed),
            self.ingress_idle.eq(ingress.idle),
            self.egress_idle.eq(egress.idle),
            self.events_in.eq(ingress.count),
            self.events_out.eq(egress.count),
            self.steps.eq(egress.steps),
        ]
        return m


@pytest.mark.parametrize("event_format", FORMATS.values(), ids=FORMATS.keys())
def test_event_packets_pass_in_order_under_stalls(bench, event_format):
    parameters = {"flit_width": event_format.flit_width}
    bench(BothPorts(event_format), "testbenches.host.event_port_bench", parameters)
