"""Golden model: a mapped network run without RTL, event by event and bit for bit what the chip must give."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analog_models.array import ArrayBank, ArrayParameters
from cosim.events import EventKeys, event_keys
from cosim.job import AnalogArrays
from rtl_gen.formats import MacFormat
from rtl_gen.neuron.integer import simulate_neurons

from .mapping import HOST, MappedCore, MappedNetwork, Position, Route

__all__ = [
    "CoreModel",
    "ReferenceRun",
    "array_banks",
    "array_models",
    "digital_models",
    "draw_arrays",
    "simulate_mapped",
]

CoreModel = Callable[[NDArray[np.int64], int], NDArray[np.int64]]
"""What a core computes: input codes [step, pre], bias axons included, and the number of the first step, to
activation codes [step, neuron]; there may be more neurons than are in use."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReferenceRun:
    """What a chip does with a stimulus in ``n_steps`` time steps from ``first_step`` on.

    Parameters
    ----------
    events :
        Sorted keys of all events that the fabric carries.
    outputs :
        ``[sample, neuron]``, codes that reach the host for each sample.
    input_codes :
        ``[step, pre]`` for each core, what it evaluates at the end of each step, bias axons included.
    answers :
        ``[step, neuron]`` for each core, what its model makes of those, neurons without use included.
    sent_codes :
        ``[step, neuron]`` for the host and each core, the codes that it sends in each step.
    """

    n_steps: int
    first_step: int
    events: EventKeys
    outputs: NDArray[np.int64]
    input_codes: Mapping[Position, NDArray[np.int64]]
    answers: Mapping[Position, NDArray[np.int64]]
    sent_codes: Mapping[Position, NDArray[np.int64]]

    @property
    def predictions(self) -> NDArray[np.int64]:
        """Class per sample: the neuron with the largest code, the first among equals."""
        classes: NDArray[np.int64] = self.outputs.argmax(axis=1)
        return classes


def digital_models(mapped: MappedNetwork) -> dict[Position, CoreModel]:
    """Return the integer arithmetic of every core."""
    event_format = mapped.event_format
    mac = MacFormat(n_inputs=mapped.n_axons, activation_width=event_format.activation_width)

    def model(core: MappedCore) -> CoreModel:
        return lambda inputs, _: simulate_neurons(
            inputs, core.weights, core.gain, core.shift, mac, event_format.payload_max
        )

    return {core.position: model(core) for core in mapped.cores}


def draw_arrays(
    mapped: MappedNetwork,
    parameters: ArrayParameters,
    seed: int,
    evaluation_time: float = math.inf,
) -> AnalogArrays:
    """Return the analog arrays of one manufactured chip, and the seeds of their noise.

    An array's draw and noise depend on ``seed`` and its place among the cores, on nothing else. Its lines
    settle for ``evaluation_time`` [s] in each step.
    """
    draws, noises = (sequence.spawn(len(mapped.cores)) for sequence in np.random.SeedSequence(seed).spawn(2))
    return AnalogArrays(
        parameters=parameters,
        draws={
            core.position: parameters.draw(mapped.n_neurons, mapped.n_axons, np.random.default_rng(draw))
            for core, draw in zip(mapped.cores, draws, strict=True)
        },
        noise_seeds={
            core.position: int(noise.generate_state(1, np.uint64)[0])
            for core, noise in zip(mapped.cores, noises, strict=True)
        },
        evaluation_time=evaluation_time,
    )


def array_banks(
    mapped: MappedNetwork, arrays: AnalogArrays, trims: Mapping[Position, NDArray[np.int64]] | None = None
) -> dict[Position, ArrayBank]:
    """Return every core's manufactured array with its weights in it; unused neurons have none.

    ``trims[position]`` are a core's (offset, gain) trim codes [neuron, 2]; all 0 without them.
    """
    trims = trims or {}
    none = np.zeros((mapped.n_neurons, 2), dtype=np.int64)

    def bank(core: MappedCore) -> ArrayBank:
        weights = np.zeros((mapped.n_neurons, mapped.n_axons), dtype=np.int64)
        weights[: core.n_neurons] = core.weights
        return arrays.parameters.bank(
            arrays.draws[core.position],
            weights=weights,
            gain=core.gain,
            shift=core.shift,
            code_max=mapped.event_format.payload_max,
            offset_trim=trims.get(core.position, none)[:, 0],
            gain_trim=trims.get(core.position, none)[:, 1],
            noise_seed=arrays.noise_seeds[core.position],
            evaluation_time=arrays.evaluation_time,
        )

    return {core.position: bank(core) for core in mapped.cores}


def array_models(mapped: MappedNetwork, banks: Mapping[Position, ArrayBank]) -> dict[Position, CoreModel]:
    """Return what the arrays compute, noise and mismatch included."""

    def model(bank: ArrayBank) -> CoreModel:
        return lambda inputs, first_step: bank.evaluate(inputs, first_step=first_step).codes

    return {core.position: model(banks[core.position]) for core in mapped.cores}


def simulate_mapped(
    mapped: MappedNetwork,
    stimulus: ArrayLike,
    models: Mapping[Position, CoreModel],
    *,
    first_step: int = 0,
) -> ReferenceRun:
    """Run ``stimulus`` [sample, input] of activation codes through ``models``, one sample per time step.

    Sample t enters in step t and leaves in step t + ``mapped.depth``. A core evaluates at the end of each
    step, also in steps without events, for its bias axons never rest. Steps count from ``first_step``; the
    noise of the models is that of the steps' numbers.

    Raises ValueError for a stimulus that is not as wide as the network, or not of activation codes.
    """
    samples = np.asarray(stimulus)
    n_inputs, code_max = len(mapped.input_routes), mapped.event_format.payload_max
    if samples.ndim != 2 or samples.shape[1] != n_inputs:
        raise ValueError(f"stimulus must be [sample, {n_inputs}], got {list(samples.shape)}")
    if samples.dtype.kind not in "iu":
        raise ValueError(f"stimulus must be whole numbers 0 to {code_max}, got {samples.dtype}")
    if samples.size and not (samples.min() >= 0 and samples.max() <= code_max):
        raise ValueError(f"stimulus must be 0 to {code_max}, got {samples.min()} to {samples.max()}")
    n_samples = len(samples)
    n_steps = n_samples + mapped.depth
    arrivals = {core.position: np.zeros((n_steps, mapped.n_axons), dtype=np.int64) for core in mapped.cores}
    for inputs in arrivals.values():
        inputs[:, mapped.n_axons - mapped.n_bias_axons :] = mapped.event_format.payload_max
    arrivals[HOST] = np.zeros((n_steps, mapped.n_outputs), dtype=np.int64)
    events: list[EventKeys] = []

    entering = np.zeros((n_steps, n_inputs), dtype=np.int64)
    entering[:n_samples] = samples
    sent_codes = {HOST: entering}
    events += _send(HOST, entering, mapped.input_routes, arrivals, first_step)
    answers = {}
    for core in mapped.cores:
        answers[core.position] = models[core.position](arrivals[core.position], first_step)
        codes = answers[core.position][:, : core.n_neurons]
        sent = np.zeros_like(codes)
        sent[1:] = codes[:-1]  # computed at the end of one step, sent in the next
        sent_codes[core.position] = sent
        events += _send(core.position, sent, core.routes, arrivals, first_step)
    outputs = arrivals.pop(HOST)[mapped.depth :]
    return ReferenceRun(
        n_steps=n_steps,
        first_step=first_step,
        events=np.sort(np.concatenate(events)),
        outputs=outputs,
        input_codes=arrivals,
        answers=answers,
        sent_codes=sent_codes,
    )


def _send(
    source: Position,
    codes: NDArray[np.int64],
    routes: Sequence[Sequence[Route]],
    arrivals: Mapping[Position, NDArray[np.int64]],
    first_step: int,
) -> list[EventKeys]:
    """Put ``codes`` [step, neuron] where ``routes`` lead; return the keys of the events, entry by entry."""
    steps, neurons = np.nonzero(codes)
    payloads = codes[steps, neurons]
    events = []
    for entry in range(max(map(len, routes))):
        table = np.array([route[entry] if entry < len(route) else (0, 0, -1) for route in routes])
        x, y, axon = table[neurons].T
        for position in {(route[entry][0], route[entry][1]) for route in routes if entry < len(route)}:
            there = (x == position[0]) & (y == position[1]) & (axon >= 0)
            arrivals[position][steps[there], axon[there]] = payloads[there]
        used = axon >= 0
        events.append(
            event_keys(
                step=first_step + steps[used],
                source_x=source[0],
                source_y=source[1],
                x=x[used],
                y=y[used],
                axon=axon[used],
                payload=payloads[used],
            )
        )
    return events
