"""Whether a simulated chip did what the golden model says, event by event, and where not."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cosim.events import Event, EventKeys, event_fields, event_of, without_source
from cosim.job import CosimResult
from cosim.simulator import SimulatorName

from .mapping import HOST, MappedNetwork
from .reference import ReferenceRun

__all__ = ["Comparison", "SimulatedRun", "compare_events", "host_outputs"]


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

    ``predictions[sample]`` is the class by the codes that the chip itself sent to the host.
    """

    back_end: str
    simulator: SimulatorName
    result: CosimResult
    comparison: Comparison
    predictions: NDArray[np.int64]


def host_outputs(mapped: MappedNetwork, received: EventKeys, n_samples: int) -> NDArray[np.int64]:
    """Return the codes [sample, neuron] among the ``received`` events that reached the host; 0 without one."""
    outputs = np.zeros((mapped.depth + n_samples, mapped.n_outputs), dtype=np.int64)
    fields = event_fields(received)
    at_host = (fields["x"] == HOST[0]) & (fields["y"] == HOST[1])
    outputs[fields["step"][at_host], fields["axon"][at_host]] = fields["payload"][at_host]
    return outputs[mapped.depth :]


def compare_events(
    mapped: MappedNetwork, reference: ReferenceRun, result: CosimResult, *, n_located: int = 10
) -> Comparison:
    """Hold the events of ``result`` against those of ``reference``."""
    missing = _surplus(reference.events, result.sent)
    extra = _surplus(result.sent, reference.events)
    received = np.sort(without_source(result.sent))
    lost = _surplus(received, result.received)
    duplicated = _surplus(result.received, received)
    located = [
        *_located(mapped, missing, extra),
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
    keys, inverse = np.unique(np.concatenate([a, b]), return_inverse=True)
    counts = np.bincount(inverse[: len(a)], minlength=len(keys)) - np.bincount(
        inverse[len(a) :], minlength=len(keys)
    )
    return np.repeat(keys, np.maximum(counts, 0))


def _located(mapped: MappedNetwork, missing: EventKeys, extra: EventKeys) -> Iterator[str]:
    """Say for each place that differs what golden model and chip have there, in order of time."""
    golden: dict[Event, int] = {}
    chip: dict[Event, int] = {}
    for values, keys in ((golden, missing), (chip, extra)):
        for event in map(event_of, keys):
            values[Event(**{**vars(event), "payload": 0})] = event.payload
    for place in sorted({*golden, *chip}):
        yield (
            f"{_place(mapped, place)}: golden model {golden.get(place, 'no event')}, "
            f"chip {chip.get(place, 'no event')}"
        )


def _place(mapped: MappedNetwork, event: Event) -> str:
    """Say which sample ``event`` belongs to, which neuron sent it, and where it goes."""
    source = (event.source_x, event.source_y)
    populations = list(dict.fromkeys(core.population for core in mapped.cores))
    layers = {core.position: 1 + populations.index(core.population) for core in mapped.cores}
    sample = event.step - layers.get(source, 0)
    neuron = f"{_core(*source)}, neuron {_neuron(mapped, event)}"
    return f"sample {sample}, step {event.step}, {neuron}, to {_target(event)}"


def _arrival(event: Event) -> str:
    """Say when and where ``event`` was to arrive."""
    return f"step {event.step}, {_target(event)}"


def _target(event: Event) -> str:
    return f"axon {event.axon} of {_core(event.x, event.y)}"


def _core(x: int, y: int) -> str:
    return "host" if (x, y) == HOST else f"core ({x}, {y})"


def _neuron(mapped: MappedNetwork, event: Event) -> str:
    """Return the number of the neuron within its core whose route leads where ``event`` goes."""
    source = (event.source_x, event.source_y)
    routes = mapped.input_routes
    for core in mapped.cores:
        if core.position == source:
            routes = core.routes
    for neuron, destinations in enumerate(routes):
        if (event.x, event.y, event.axon) in destinations:
            return str(neuron)
    return "unknown"
