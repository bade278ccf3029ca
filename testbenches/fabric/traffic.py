"""Random traffic for a router or a mesh and what must come out; knows no simulator."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from rtl_gen.fabric.route import HOST, Address, Direction, next_hop
from rtl_gen.formats import EventFormat

__all__ = ["STRAY", "Traffic", "contending_traffic", "mesh_traffic", "pack", "router_traffic"]

STRAY = "stray"
"""Where a mesh drops flits whose destination lies outside."""


def pack(event_format: EventFormat, destination: Address, axon: int, payload: int = 0) -> int:
    """Return a flit as the number that its wires carry."""
    fields = {"x": destination[0], "y": destination[1], "axon": axon}
    if event_format.payload_width:
        fields["payload"] = payload
    return int(event_format.flit.const(fields).as_value().value)


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """Flits by the input port where they enter, in order, and by the output port where they must leave.

    No two flits are equal, so a lost, doubled, altered or misled one cannot be taken for another.
    """

    sent: Mapping[str, Sequence[int]]
    leaves_by: Mapping[int, str]

    def check(self, received: Mapping[str, Sequence[int]]) -> None:
        """Assert that each flit came out once, where it must, and in order for each pair of ports."""
        assert self.leaves_by, "no traffic was sent, so nothing is proved"
        for flits in self.sent.values():
            expected = self._by_output({flit: self.leaves_by[flit] for flit in flits})
            mine = set(flits)
            for output in {*expected, *received}:
                actual = [flit for flit in received.get(output, []) if flit in mine]
                assert actual == expected.get(output, []), (
                    f"{output}: flits lost, doubled, misled or reordered"
                )
        unknown = {flit for flits in received.values() for flit in flits} - set(self.leaves_by)
        assert not unknown, f"flits that nobody sent: {sorted(unknown)}"

    def check_turns(self, flits: Sequence[int]) -> None:
        """Assert that the inputs took turns in ``flits``, all of which waited from the start."""
        source_of = {flit: name for name, sent in self.sent.items() for flit in sent}
        sources = [source_of[flit] for flit in flits]
        n_inputs = len(self.sent)
        for first in range(0, len(sources), n_inputs):
            turn = sources[first : first + n_inputs]
            assert sorted(turn) == sorted(self.sent), f"turn {first // n_inputs} went to {turn}"

    @staticmethod
    def _by_output(leaves_by: Mapping[int, str]) -> dict[str, list[int]]:
        flits_by_output: dict[str, list[int]] = defaultdict(list)
        for flit, output in leaves_by.items():
            flits_by_output[output].append(flit)
        return flits_by_output


def router_traffic(
    event_format: EventFormat, here: Address, n_flits: int, rng: np.random.Generator
) -> Traffic:
    """Return traffic for a router at ``here``: from each port ``n_flits`` to addresses all over the range."""
    anywhere = [(x, y) for x in range(1 << event_format.x_width) for y in range(1 << event_format.y_width)]
    return _random_traffic(
        event_format,
        inputs=[f"{direction.label}_in" for direction in Direction],
        destinations=anywhere,
        leaves_by=lambda destination: f"{next_hop(here, destination).label}_out",
        n_flits=n_flits,
        rng=rng,
    )


def contending_traffic(event_format: EventFormat, here: Address, n_flits: int) -> Traffic:
    """Return traffic for a router at ``here``: from each port ``n_flits`` for the local port."""
    inputs = [f"{direction.label}_in" for direction in Direction]
    sent = {
        name: [pack(event_format, here, n_flits * index + number) for number in range(n_flits)]
        for index, name in enumerate(inputs)
    }
    return Traffic(sent=sent, leaves_by={flit: "local_out" for flits in sent.values() for flit in flits})


def mesh_traffic(
    event_format: EventFormat, tiles: Sequence[Address], n_flits: int, rng: np.random.Generator
) -> Traffic:
    """Return traffic for a mesh: ``n_flits`` from host and each core to host and cores, also to itself."""
    return _random_traffic(
        event_format,
        inputs=["host_in", *(f"local_in_{x}_{y}" for x, y in tiles)],
        destinations=[HOST, *tiles],
        leaves_by=lambda destination: (
            "host_out" if destination == HOST else f"local_out_{destination[0]}_{destination[1]}"
        ),
        n_flits=n_flits,
        rng=rng,
    )


def _random_traffic(
    event_format: EventFormat,
    *,
    inputs: Sequence[str],
    destinations: Sequence[Address],
    leaves_by: Callable[[Address], str],
    n_flits: int,
    rng: np.random.Generator,
) -> Traffic:
    """Number the flits in their axon field, so that each is unlike all others."""
    n_total = len(inputs) * n_flits
    assert n_total <= 1 << event_format.axon_width, "the axon field is too narrow to number the flits"
    axons = iter(rng.permutation(n_total).tolist())
    sent: dict[str, list[int]] = {}
    leaving: dict[int, str] = {}
    for name in inputs:
        sent[name] = []
        for index in rng.integers(len(destinations), size=n_flits).tolist():
            payload = int(rng.integers(event_format.payload_max + 1))
            flit = pack(event_format, destinations[index], next(axons), payload)
            sent[name].append(flit)
            leaving[flit] = leaves_by(destinations[index])
    return Traffic(sent=sent, leaves_by=leaving)
