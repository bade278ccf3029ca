"""What noise, mismatch and global variation cost a network: error increase over the quantised network."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from os import cpu_count
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from analog_models.corner import CORNERS
from analog_models.neuron import MixedSignalNeuronParameters
from analog_models.noise import thermal_variance

from ..config.experiment import NETWORKS
from ..montecarlo import simulate_chips
from ..network.datasets import Dataset, to_codes
from ..network.network import Network
from ..network.quantize import QuantizedNetwork, quantize
from .study import AccuracyStudy, NetworkGroup

__all__ = ["VARIATIONS", "AccuracyAnswer", "Condition", "Result", "answer_accuracy", "neuron_at"]

Variation = Literal["none", "global"]
VARIATIONS: dict[Variation, str] = {
    "none": "noise alone",
    "global": "noise, mismatch, offset, ±3σ global variation",
}
"""What a chip suffers from besides noise. Of ``global``, half of the chips are at either corner."""

_CORNERS: dict[Variation, tuple[str, ...]] = {
    "none": ("tt",),
    "global": ("fs", "sf"),  # three deviations of the n-channel devices either way, 300 K, nominal supply
}


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a network is run on: noise power [V^2], full scale [V], width of its codes, variation."""

    group: NetworkGroup
    network: str
    noise: float
    full_scale: float
    bits: int
    variation: Variation

    @property
    def code_max(self) -> int:
        """Largest activation code."""
        return (1 << self.bits) - 1

    @property
    def lsb(self) -> float:
        """Node voltage of one output code [V]."""
        return self.full_scale / (self.code_max + 1)

    @property
    def noise_rms(self) -> float:
        """Noise on the summing node [V rms]."""
        return math.sqrt(self.noise)

    @property
    def noise_lsb(self) -> float:
        """Noise on the summing node [LSB rms]."""
        return self.noise_rms / self.lsb


@dataclass(frozen=True, kw_only=True)
class Result:
    """How many images of ``n_images`` the noise-free integers and each chip classify correctly."""

    condition: Condition
    n_images: int
    reference_correct: int
    correct: tuple[int, ...]

    @property
    def mean_increase(self) -> float:
        """Mean error of the chips over that of the integers, a fraction of all images."""
        return (self.reference_correct - float(np.mean(self.correct))) / self.n_images

    @property
    def worst_increase(self) -> float:
        """Error of the worst chip over that of the integers, a fraction of all images."""
        return (self.reference_correct - min(self.correct)) / self.n_images

    @property
    def reference_accuracy(self) -> float:
        """Accuracy of the integers."""
        return self.reference_correct / self.n_images


@dataclass(frozen=True, kw_only=True)
class AccuracyAnswer:
    """All that was found of accuracy, and of which networks nothing could be: ``missing`` says why.

    ``training`` says of each network how robust it was trained to be.
    """

    study: AccuracyStudy
    results: tuple[Result, ...]
    training: Mapping[str, str]
    missing: Mapping[NetworkGroup, str]
    data_source: str

    def of(self, group: NetworkGroup, **wanted: object) -> tuple[Result, ...]:
        """Return the results of a group of networks whose condition has the ``wanted`` values."""
        return tuple(
            result
            for result in self.results
            if result.condition.group == group
            and all(getattr(result.condition, name) == value for name, value in wanted.items())
        )


def answer_accuracy(
    study: AccuracyStudy,
    datasets: Mapping[str, Dataset],
    groups: Sequence[NetworkGroup],
    seed: int,
    progress: Callable[[int, int], None],
) -> AccuracyAnswer:
    """Run every condition of the ``groups`` whose data set is among ``datasets`` and whose network is there.

    Raises NetworkFileError or ValueError for a network that does not fit its data.
    """
    conditions: list[Condition] = []
    missing: dict[NetworkGroup, str] = {}
    for group in groups:
        if group not in datasets:
            missing[group] = "no data"
            continue
        networks = study.networks.get(group, ())
        if not networks:
            missing[group] = "no network"
        for name in networks:
            if not _path(name).is_file():
                missing[group] = f"network {name} is not there"
                continue
            conditions += list(_conditions(study, group, name))

    results: list[Result] = []
    one_thread_each = threadpool_limits(1)  # or BLAS's own threads wait for each other
    with one_thread_each, ThreadPoolExecutor(cpu_count()) as pool:
        progress(0, len(conditions))
        tasks: dict[tuple[str, int], Future[_Task]] = {}
        jobs: list[Future[Result]] = []
        for condition in conditions:
            name, bits = condition.network, condition.bits
            if (name, bits) not in tasks:
                tasks[name, bits] = pool.submit(_task, name, bits, datasets[condition.group], study)
            jobs.append(pool.submit(_run, condition, tasks[name, bits], study, seed))
        try:
            for job in jobs:
                results.append(job.result())
                progress(len(results), len(conditions))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    sources = dict.fromkeys(datasets[group].source for group in groups if group in datasets)
    return AccuracyAnswer(
        study=study,
        results=tuple(results),
        training={condition.network: _training(condition.network) for condition in conditions},
        missing=missing,
        data_source="; ".join(sources),
    )


def neuron_at(condition: Condition) -> MixedSignalNeuronParameters:
    """Return the neuron whose node has just the noise power and full scale of ``condition``.

    The node's capacitance follows from the noise power. Of the flaws of the analog models those are on that
    the claims name: noise, and with variation mismatch of cells and gains, offset of the pair, and its
    compression, the same part of any full scale. Converter, settling and droop are ideal.
    """
    default = MixedSignalNeuronParameters()
    flaws: dict[str, float] = {}
    if condition.variation != "none":
        degeneration = default.degeneration * condition.full_scale / default.node_full_scale
        flaws = {"mismatch_factor": 1, "offset_factor": 1, "degeneration": degeneration}
    return MixedSignalNeuronParameters.ideal(
        noise_factor=default.noise_factor,
        node_capacitance=thermal_variance(1.0, default.noise_factor, default.temperature) / condition.noise,
        node_full_scale=condition.full_scale,
        **flaws,
    )


def _conditions(study: AccuracyStudy, group: NetworkGroup, network: str) -> Iterator[Condition]:
    """Yield every noise and variation for each full scale; then for fewer bits at one full scale."""
    widest = max(study.bits)
    points = [(widest, scale) for scale in study.full_scales]
    points += [(bits, study.bits_full_scale) for bits in sorted(set(study.bits) - {widest})]
    for (bits, full_scale), noise, variation in product(points, study.noise, VARIATIONS):
        yield Condition(
            group=group,
            network=network,
            noise=noise,
            full_scale=full_scale,
            bits=bits,
            variation=variation,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Task:
    """A quantised network, the test images as its codes, and how many of them the integers get right."""

    network: QuantizedNetwork
    codes: NDArray[np.uint8]
    labels: NDArray[np.int64]
    reference_correct: int


def _task(name: str, bits: int, dataset: Dataset, study: AccuracyStudy) -> _Task:
    code_max = (1 << bits) - 1
    network = quantize(Network.load(_path(name)), weight_max=code_max >> 1, activation_max=code_max)
    n_images = len(dataset.test_labels) if study.images == "all" else study.images
    codes = to_codes(dataset.test_images[:n_images], code_max)
    labels = dataset.test_labels[:n_images]
    correct = int(np.count_nonzero(network.classify(codes) == labels))
    return _Task(network=network, codes=codes, labels=labels, reference_correct=correct)


def _run(condition: Condition, prepared: Future[_Task], study: AccuracyStudy, seed: int) -> Result:
    task = prepared.result()  # begun before this, so no thread waits for ever
    neuron = neuron_at(condition)
    correct: list[int] = []
    corners = _CORNERS[condition.variation]
    bounds = [study.chips * index // len(corners) for index in range(len(corners) + 1)]
    for name, chips in zip(corners, map(range, bounds[:-1], bounds[1:]), strict=True):
        at_corner = CORNERS[name].design(neuron)
        found = simulate_chips(task.network, at_corner, task.codes, task.labels, chips=chips, seed=seed)
        correct += [int(count) for count in found]
    return Result(
        condition=condition,
        n_images=len(task.labels),
        reference_correct=task.reference_correct,
        correct=tuple(correct),
    )


def _training(name: str) -> str:
    """Say which noise the network was trained with: what it has seen there, it shrugs off."""
    provenance = Network.load(_path(name)).provenance
    noises = {what: float(provenance.get(f"{what}_noise", 0)) for what in ("weight", "activation")}
    if not any(noises.values()):
        return "trained without noise, as far as the file tells"
    weight, activation = 100 * noises["weight"], 255 * noises["activation"]
    return f"trained with {weight:g} % noise on weights and {activation:g} LSB on activations"


def _path(name: str) -> Path:
    return Path(name) if name.endswith(".npz") else NETWORKS / f"{name}.npz"
