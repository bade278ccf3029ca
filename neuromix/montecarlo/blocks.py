"""Chips counted block by block, on any executor, with what is finished kept in a file."""

import hashlib
import json
import pickle
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import analog_models
from analog_models.neuron import MixedSignalNeuronParameters

from ..mapping import MappedNetwork
from ..network.quantize import QuantizedNetwork
from .exact import simulate_chips_exactly
from .simulate import CHIPS_AT_ONCE, simulate_chips

__all__ = ["BlockFile", "Problem", "count_chips"]

_SOURCES = (Path(__file__).parent, Path(analog_models.__file__).parent)


@dataclass(frozen=True, kw_only=True, eq=False)
class Problem:
    """What is asked of every chip, whatever its design.

    With ``mapped`` the golden model evaluates every chip; chip k then is that of seed k, whatever ``seed``.
    """

    network: QuantizedNetwork
    codes: NDArray[np.uint8]
    labels: NDArray[np.int64]
    seed: int
    mapped: MappedNetwork | None = None

    @property
    def chips_per_block(self) -> int:
        """Chips that are counted by one call."""
        return 1 if self.mapped else CHIPS_AT_ONCE

    def count(self, neuron: MixedSignalNeuronParameters, chips: range) -> list[int]:
        """Return how many images each of ``chips`` classifies correctly, on one processor core."""
        with threadpool_limits(1):
            if self.mapped:
                counts = simulate_chips_exactly(self.mapped, neuron, self.codes, self.labels, chips=chips)
            else:
                counts = simulate_chips(
                    self.network, neuron, self.codes, self.labels, chips=chips, seed=self.seed
                )
        return [int(count) for count in counts]

    def key(self, neuron: MixedSignalNeuronParameters) -> str:
        """Return a digest of all that the counts of a design depend on, the source code included."""
        digest = hashlib.sha256(self._digest)
        digest.update(repr(neuron).encode())
        return digest.hexdigest()[:32]

    @cached_property
    def _digest(self) -> bytes:
        digest = hashlib.sha256()
        for folder in _SOURCES:
            for path in sorted(folder.glob("*.py")):
                digest.update(path.read_bytes())
        for projection in self.network.projections:
            settings = (projection.gain, projection.shift, projection.geometry, projection.weight_codes.shape)
            digest.update(repr(settings).encode())
            digest.update(projection.weight_codes.tobytes() + projection.bias_codes.tobytes())
        digest.update(repr((self.network.weight_max, self.network.activation_max, self.seed)).encode())
        digest.update(self.codes.tobytes() + self.labels.tobytes())
        if self.mapped:
            cores = [(core.position, core.n_neurons) for core in self.mapped.cores]
            digest.update(repr((cores, self.mapped.n_axons, self.mapped.n_neurons)).encode())
        return digest.digest()

    def packed(self) -> bytes:
        """Return the problem as few bytes, for a scheduler to keep."""
        return zlib.compress(pickle.dumps(self), 1)

    @staticmethod
    def unpack(packed: bytes) -> "Problem":
        """Return what :meth:`packed` packed."""
        problem = pickle.loads(zlib.decompress(packed))
        if not isinstance(problem, Problem):
            raise TypeError(f"packed problem must be a Problem, got {type(problem).__name__}")
        return problem


class BlockFile:
    """Counts of finished chips of one design: a line of JSON per block. A half-written line is not taken."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.counts: dict[int, int] = {}
        whole = []
        for line in path.read_text().splitlines(keepends=True) if path.exists() else ():
            try:
                entry = json.loads(line) if line.endswith("\n") else {}
                first, correct = int(entry["first"]), [int(count) for count in entry["correct"]]
            except (ValueError, TypeError, KeyError):
                continue
            whole.append(line)
            self.counts.update(enumerate(correct, first))
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        partial.write_text("".join(whole))
        partial.replace(path)

    def add(self, first: int, correct: list[int]) -> None:
        """Keep the counts of the chips from ``first`` on."""
        with self.path.open("a") as file:
            file.write(json.dumps({"first": first, "correct": correct}) + "\n")
        self.counts.update(enumerate(correct, first))

    def missing(self, n_chips: int, size: int) -> Iterator[range]:
        """Yield the blocks of ``size`` chips, of the first ``n_chips``, that are not all there."""
        for first in range(0, n_chips, size):
            chips = range(first, min(first + size, n_chips))
            if not all(chip in self.counts for chip in chips):
                yield chips


def count_chips(
    problem: Problem,
    designs: dict[str, MixedSignalNeuronParameters],
    n_chips: int,
    folder: Path,
    executor: Executor,
    handle: Any,
    finished: Callable[[int, int], None],
) -> dict[str, NDArray[np.int64]]:
    """Return the counts ``[chip]`` of ``n_chips`` of each of ``designs``; count those that ``folder`` lacks.

    ``handle`` is what stands for ``problem`` in a call on ``executor``. ``finished(done, total)`` is told of
    chips. Each finished block is kept at once, so an exception loses only what is under way.
    """
    keys = {name: problem.key(neuron) for name, neuron in designs.items()}  # equal designs are counted once
    neurons = {keys[name]: neuron for name, neuron in designs.items()}
    files = {key: BlockFile(folder / f"{key}.jsonl") for key in neurons}
    missing = [
        (key, chips) for key in files for chips in files[key].missing(n_chips, problem.chips_per_block)
    ]
    total = n_chips * len(files)
    done = total - sum(len(chips) for _, chips in missing)
    finished(done, total)
    futures = {
        executor.submit(Problem.count, handle, neurons[key], chips): (key, chips) for key, chips in missing
    }
    for future in as_completed(futures):
        key, chips = futures[future]
        files[key].add(chips.start, future.result())
        done += len(chips)
        finished(done, total)
    return {
        name: np.array([files[key].counts[chip] for chip in range(n_chips)], np.int64)
        for name, key in keys.items()
    }
