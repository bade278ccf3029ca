"""Whether a simulated chip did what the golden model says, event by event, and where not."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from cosim.events import Event, EventKeys, event_fields, event_keys, event_of, without_source
from cosim.job import CosimResult
from cosim.simulator import SimulatorName

from .mapping import HOST, MappedNetwork
from .reference import ReferenceRun

__all__ = ["Comparison", "SimulatedRun", "compare_events", "host_outputs", "joined", "simulated_run"]

N_LOCATED = 10
"""How many differences are told in words."""

_PAYLOAD = event_keys(payload=255)
"""The bits of a key that tell the payload; the others tell when and where."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a simulation has in common with the golden model.

    ``differences`` counts events that one of them has and the other has not, as sent; ``lost`` and
    ``duplicated`` count those that were sent but not received, and received but not sent.
    """

    events_compared: int
    events_sent: int
    events_received: int
    differences: int
    lost: int
    duplicated: int
    located: tuple[str, ...]
    """The first differences in words: sample, step, core, neuron, both values."""

    @property
    def equal(self) -> bool:
        """Whether there were events, all were as they must be, and each arrived exactly once."""
        return self.events_compared > 0 and not (self.differences or self.lost or self.duplicated)


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulatedRun:
    """One co-simulation and how it compares with the golden model.

    Parameters
    ----------
    result :
        What came out of it; of one that is joined from parts, what came out of the first.
    cycles :
        Clock cycles after loading.
    predictions :
        Class by the codes that the chip itself sent to the host ``[sample]``.
    latency :
        Clock cycles from the beginning of a sample's first step to the end of its last ``[sample]``.
    """

    back_end: str
    simulator: str
    result: CosimResult
    comparison: Comparison
    cycles: int
    predictions: NDArray[np.int64]
    latency: NDArray[np.int64]

    @property
    def name(self) -> str:
        """What was simulated, and on what."""
        return f"{self.back_end} on {self.simulator}"


def simulated_run(
    mapped: MappedNetwork,
    reference: ReferenceRun,
    result: CosimResult,
    *,
    back_end: str,
    simulator: SimulatorName,
) -> SimulatedRun:
    """Hold ``result`` against ``reference``."""
    n_samples = len(reference.outputs)
    begin = np.concatenate([[0], result.step_cycles[: n_samples - 1]])
    return SimulatedRun(
        back_end=back_end,
        simulator=simulator,
        result=result,
        comparison=compare_events(mapped, reference, result),
        cycles=int(result.step_cycles[-1]),
        predictions=host_outputs(mapped, reference, result.received).argmax(axis=1),
        latency=result.step_cycles[mapped.depth :] - begin,
    )


def joined(parts: Sequence[SimulatedRun]) -> SimulatedRun:
    """Return one run for all ``parts`` of it, which are in order."""
    comparisons = [part.comparison for part in parts]
    counts = ("events_compared", "events_sent", "events_received", "differences", "lost", "duplicated")
    located = (line for comparison in comparisons for line in comparison.located)
    return replace(
        parts[0],
        comparison=Comparison(
            **{name: sum(getattr(comparison, name) for comparison in comparisons) for name in counts},
            located=tuple(islice(located, N_LOCATED)),
        ),
        cycles=sum(part.cycles for part in parts),
        predictions=np.concatenate([part.predictions for part in parts]),
        latency=np.concatenate([part.latency for part in parts]),
    )


def host_outputs(mapped: MappedNetwork, reference: ReferenceRun, received: EventKeys) -> NDArray[np.int64]:
    """Return the codes [sample, neuron] among the ``received`` events that reached the host; 0 is none.

    ``reference`` tells which samples there are.
    """
    outputs = np.zeros((reference.n_steps, mapped.n_outputs), dtype=np.int64)
    fields = event_fields(received)
    at_host = (fields["x"] == HOST[0]) & (fields["y"] == HOST[1])
    outputs[fields["step"][at_host] - reference.first_step, fields["axon"][at_host]] = fields["payload"][
        at_host
    ]
    return outputs[mapped.depth :]


def compare_events(
    mapped: MappedNetwork,
    reference: ReferenceRun,
    result: CosimResult,
    *,
    n_located: int = N_LOCATED,
) -> Comparison:
    """Hold the events of ``result`` against those of ``reference``. Sample k enters in step k."""
    missing = _surplus(reference.events, result.sent)
    extra = _surplus(result.sent, reference.events)
    received = np.sort(without_source(result.sent))
    lost = _surplus(received, result.received)
    duplicated = _surplus(result.received, received)
    places = np.unique(np.concatenate([missing, extra]) & ~_PAYLOAD)
    samples = range(reference.first_step, reference.first_step + len(reference.outputs))
    located = [
        *(
            f"{_origin(mapped, event_of(place), samples)}, to {_target(event_of(place))}: "
            f"golden model {_codes(reference.events, place)}, chip {_codes(result.sent, place)}"
            for place in places[:n_located]
        ),
        *(f"{_arrival(event_of(key))}: sent and never received" for key in lost[:n_located]),
        *(f"{_arrival(event_of(key))}: received and never sent" for key in duplicated[:n_located]),
    ]
    return Comparison(
        events_compared=len(reference.events),
        events_sent=len(result.sent),
        events_received=len(result.received),
        differences=len(missing) + len(extra),
        lost=len(lost),
        duplicated=len(duplicated),
        located=tuple(located[:n_located]),
    )


def _surplus(a: EventKeys, b: EventKeys) -> EventKeys:
    """Return what ``a`` has more of than ``b``, each event as often as that."""
    if np.array_equal(a, b):  # the usual case, without sorting millions again
        return a[:0]
    keys, inverse = np.unique(np.concatenate([a, b]), return_inverse=True)
    counts = np.bincount(inverse[: len(a)], minlength=len(keys)) - np.bincount(
        inverse[len(a) :], minlength=len(keys)
    )
    return np.repeat(keys, np.maximum(counts, 0))


def _codes(events: EventKeys, place: np.uint64) -> str:
    """Say which payloads the sorted ``events`` have at ``place``, a key without payload."""
    first = np.searchsorted(events, place)
    end = np.searchsorted(events, place | _PAYLOAD, side="right")
    return " and ".join(str(event_of(key).payload) for key in events[first:end]) or "no event"


def _origin(mapped: MappedNetwork, event: Event, samples: range) -> str:
    """Say which sample ``event`` belongs to, and which neuron sent it."""
    senders = {HOST: (0, mapped.input_routes)} | {
        core.position: (1 + mapped.populations.index(core.population), core.routes) for core in mapped.cores
    }
    source = (event.source_x, event.source_y)
    if source not in senders:
        return f"step {event.step}, {_core(*source)} without neurons"
    layer, routes = senders[source]
    sample = f"sample {event.step - layer}" if event.step - layer in samples else "no sample"
    destination = (event.x, event.y, event.axon)
    neuron = next((str(index) for index, route in enumerate(routes) if destination in route), "unknown")
    return f"{sample}, step {event.step}, {_core(*source)}, neuron {neuron}"


def _arrival(event: Event) -> str:
    return f"step {event.step}, {_target(event)}"


def _target(event: Event) -> str:
    return f"axon {event.axon} of {_core(event.x, event.y)}"


def _core(x: int, y: int) -> str:
    return "host" if (x, y) == HOST else f"core ({x}, {y})"
