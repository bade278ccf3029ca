"""Golden model: a mapped network run without RTL, event by event and bit for bit what the chip must give."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rtl_gen.formats import MacFormat
from rtl_gen.neuron.integer import simulate_neurons

from cosim.events import EventKeys, event_keys
from .mapping import HOST, MappedCore, MappedNetwork, Position, Route

__all__ = ["CoreModel", "ReferenceRun", "digital_models", "simulate_mapped"]

CoreModel = Callable[[npt.NDArray[np.int64]], npt.NDArray[np.int64]]
"""What a core computes: input codes [step, pre], bias axons included, to activation codes [step, post]."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReferenceRun:
    """What a chip does with a stimulus.

    ``events`` are sorted keys, of all that the fabric carries; ``outputs[sample, neuron]`` are the codes that reach the host;
    ``input_codes[position]`` [step, pre] is what each core sees, bias axons included.
    """

    n_steps: int
    events: EventKeys
    outputs: npt.NDArray[np.int64]
    input_codes: Mapping[Position, npt.NDArray[np.int64]]

    @property
    def predictions(self) -> npt.NDArray[np.int64]:
        """Class per sample: the neuron with the largest code, the first among equals."""
        return self.outputs.argmax(axis=1)


def digital_models(mapped: MappedNetwork) -> dict[Position, CoreModel]:
    """Return the integer arithmetic of every core."""

    event_format = mapped.event_format
    mac = MacFormat(n_inputs=mapped.n_axons, activation_width=event_format.activation_width)

    def model(core: MappedCore) -> CoreModel:
        return lambda inputs: simulate_neurons(
            inputs, core.weights, core.gain, core.shift, mac, event_format.payload_max
        )

    return {core.position: model(core) for core in mapped.cores}


def simulate_mapped(
    mapped: MappedNetwork, stimulus: npt.ArrayLike, models: Mapping[Position, CoreModel]
) -> ReferenceRun:
    """Run ``stimulus`` [sample, input] of activation codes through ``models``, one sample per time step.

    Sample t enters in step t and leaves in step t + ``mapped.depth``. A core evaluates at the end of each
    step, also in steps without events, for its bias axons never rest.
    """
    samples = np.asarray(stimulus, dtype=np.int64)
    n_samples = len(samples)
    n_steps = n_samples + mapped.depth
    arrivals = {core.position: np.zeros((n_steps, mapped.n_axons), dtype=np.int64) for core in mapped.cores}
    for inputs in arrivals.values():
        inputs[:, mapped.n_axons - mapped.n_bias_axons :] = mapped.event_format.payload_max
    arrivals[HOST] = np.zeros((n_steps, mapped.n_outputs), dtype=np.int64)
    events = []

    def send(source: Position, codes: npt.NDArray[np.int64], routes: Sequence[Sequence[Route]]) -> None:
        """Deliver ``codes`` [step, neuron] along ``routes`` and note every event."""
        steps, neurons = np.nonzero(codes)
        payloads = codes[steps, neurons]
        fan_out = max(len(destinations) for destinations in routes)
        table = np.full((len(routes), fan_out, 3), -1)
        for neuron, destinations in enumerate(routes):
            table[neuron, : len(destinations)] = destinations
        for entry in range(fan_out):
            used = table[neurons, entry, 2] >= 0
            x, y, axon = table[neurons[used], entry].T
            events.append(
                event_keys(
                    step=steps[used],
                    source_x=source[0],
                    source_y=source[1],
                    x=x,
                    y=y,
                    axon=axon,
                    payload=payloads[used],
                )
            )
            for position in set(zip(x.tolist(), y.tolist(), strict=True)):
                there = (x == position[0]) & (y == position[1])
                arrivals[position][steps[used][there], axon[there]] = payloads[used][there]

    entering = np.zeros((n_steps, samples.shape[1]), dtype=np.int64)
    entering[:n_samples] = samples
    send(HOST, entering, mapped.input_routes)
    for core in mapped.cores:
        codes = models[core.position](arrivals[core.position])
        sent_codes = np.zeros_like(codes)
        sent_codes[1:] = codes[:-1]  # computed at the end of one step, sent in the next
        send(core.position, sent_codes, core.routes)
    outputs = arrivals.pop(HOST)[mapped.depth :]
    return ReferenceRun(
        n_steps=n_steps,
        events=np.sort(np.concatenate(events)),
        outputs=outputs,
        input_codes=arrivals,
    )
