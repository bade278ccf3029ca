"""Event sender: its routing table, and its bench on both simulators."""

from collections.abc import Callable

import pytest

from cosim.simulator import SimulationError
from rtl_gen.neuron import sender
from testbenches.mutant import mutant
from testbenches.neuron.sender_bench import sender_parameters

SENDERS = {
    "three_destinations": {"payload_width": 8, "n_neurons": 9, "fan_out": 3},
    "one_destination": {"payload_width": 3, "n_neurons": 6, "fan_out": 1},
    "binary": {"payload_width": 0, "n_neurons": 8, "fan_out": 3},
}
MARKS = (pytest.mark.cosim, pytest.mark.icarus)
FAULTS = {
    "unused_entry_sent": ("self.flits.valid.eq(route.in_use)", "self.flits.valid.eq(1)"),
    "last_entry_forgotten": ("entry == fan_out - 1", "entry == fan_out - 2"),
    "entry_skipped_while_stalled": ("self.flits.ready | ~route.in_use", "1"),
    "all_neurons_in_use": (
        "neuron == settings.neurons",
        "(neuron == self.parameters.n_neurons) | (settings.neurons == 0)",
    ),
    "zero_sent": ("m.Elif(self.code == 0)", "m.Elif((self.code == 0) & (neuron != 3))"),
}


def test_sender_works_in_every_simulator(bench: Callable[..., None]) -> None:
    size = SENDERS["three_destinations"]
    bench(sender_parameters(**size).create(), "testbenches.neuron.sender_bench", size)


@pytest.mark.parametrize("simulator_name", [pytest.param("icarus", marks=MARKS)], indirect=True)
@pytest.mark.parametrize("name", ["one_destination", "binary"])
def test_sender_works_in_other_sizes(name: str, bench: Callable[..., None]) -> None:
    bench(sender_parameters(**SENDERS[name]).create(), "testbenches.neuron.sender_bench", SENDERS[name])


@pytest.mark.parametrize("simulator_name", [pytest.param("icarus", marks=MARKS)], indirect=True)
@pytest.mark.parametrize("fault", FAULTS)
def test_bench_sees_a_fault(fault: str, bench: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "EventSender", mutant(sender, *FAULTS[fault]).EventSender)
    size = SENDERS["three_destinations"]
    with pytest.raises(SimulationError, match=r"PASS=\d+ FAIL=[1-9]"):
        bench(sender_parameters(**size).create(), "testbenches.neuron.sender_bench", size)


def test_table_holds_the_routes_and_marks_what_is_in_use() -> None:
    parameters = sender_parameters(payload_width=8, n_neurons=3, fan_out=2)
    rows = parameters.table_rows([[(1, 2, 3), (3, 7, 31)], [], [(0, 0, 0)]])
    x, y, in_use = 1 << 8, 1 << 5, 1 << 10
    assert rows == [in_use | x | 2 * y | 3, in_use | 3 * x | 7 * y | 31, 0, 0, in_use, 0]
    assert parameters.table.depth == len(rows)
    assert parameters.table.width == 11
