"""Events to and from the host."""

from operator import attrgetter
from types import ModuleType

import pytest
from amaranth.hdl import Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from rtl_gen.formats import EventFormat
from rtl_gen.host import event_port
from testbenches.mutant import mutant
from testbenches.playback import simulate

BENCH = "testbenches.host.event_port_bench"
FORMATS = {
    "graded": EventFormat(x_width=2, y_width=2, axon_width=6, payload_width=8),
    "binary in whole bytes": EventFormat(x_width=1, y_width=1, axon_width=6, payload_width=0),
}


MUTANTS = {
    "the closing beat overtakes waiting events": ("queue.empty & ~closing & ~self.events.valid", "~closing"),
    "idle does not mind a waiting event": (" & ~closing & ~self.events.valid)", " & ~closing)"),
    "an event is taken together with the closing beat": (
        "queue.input.ready & ~closing)",
        "queue.input.ready)",
    ),
    "a step ends before its closing beat is sent": (
        "self.idle.eq(queue.empty & ~closing",
        "self.idle.eq(~closing",
    ),
    "a beat to the chip is lost under a stall": (
        "tready.eq(queue.input.ready & ~self.closed)",
        "tready.eq(~self.closed)",
    ),
    "a beat to the host is lost under a stall": (
        "ready.eq(queue.input.ready & ~closing)",
        "ready.eq(~closing)",
    ),
    "the next step's events enter early": ("queue.input.ready & ~self.closed)", "queue.input.ready)"),
    "the closing beat is an event": (
        "self.axis.tvalid & ~self.axis.tlast & ~self.closed",
        "self.axis.tvalid & ~self.closed",
    ),
    "steps are numbered from 1": ("step_number.eq(self.steps)", "step_number.eq(self.steps + 1)"),
}


class BothPorts(wiring.Component):
    """Ingress and egress with all ports of their own, for a bench that is the fabric between them."""

    def __init__(self, event_format: EventFormat, ports: ModuleType = event_port) -> None:
        self.event_format = event_format
        self.ports = ports
        beats = event_port.AxiStreamSignature(event_port.beat_width(event_format))
        flits = stream.Signature(event_format.flit)
        outputs = {
            "closed": 1,
            "ingress_idle": 1,
            "egress_idle": 1,
            "events_in": 32,
            "events_out": 32,
            "steps": 32,
        }
        super().__init__(
            {"host_in": In(beats), "arriving": Out(flits), "leaving": In(flits), "host_out": Out(beats)}
            | {"step": In(1), "clear_counters": In(1)}
            | {name: Out(width) for name, width in outputs.items()}
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.ingress = ingress = self.ports.EventIngress(self.event_format)
        m.submodules.egress = egress = self.ports.EventEgress(self.event_format)
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
    bench(BothPorts(event_format), BENCH, {"flit_width": event_format.flit_width})


@pytest.mark.parametrize("fault", MUTANTS)
def test_the_bench_sees_a_fault_when(failing_bench, fault):
    event_format = FORMATS["graded"]
    faulty = mutant(event_port, *MUTANTS[fault])
    failing_bench(BothPorts(event_format, faulty), BENCH, {"flit_width": event_format.flit_width})


def test_ready_does_not_follow_the_other_side_within_a_cycle():
    event_format = FORMATS["graded"]
    for port, upstream, downstream in (
        (event_port.EventIngress(event_format), "axis.tready", "events.ready"),
        (event_port.EventEgress(event_format), "events.ready", "axis.tready"),
    ):
        valid = port.axis.tvalid if upstream == "axis.tready" else port.events.valid
        outputs = attrgetter(upstream)(port)
        inputs = attrgetter(downstream)(port)

        async def testbench(context, valid=valid, ready=outputs, other_ready=inputs):
            context.set(valid, 1)
            seen = set()
            for _ in range(4):  # until the port is full
                answers = []
                for other in (1, 0):
                    context.set(other_ready, other)
                    answers.append(context.get(ready))
                assert answers[0] == answers[1]
                seen.update(answers)
                await context.tick()
            assert seen == {0, 1}, "the port never filled, so nothing is proved"

        simulate(port, testbench)
