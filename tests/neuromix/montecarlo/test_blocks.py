"""Counting block by block: what is finished is kept, whatever happens, and nothing stale is taken."""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analog_models.neuron import MixedSignalNeuronParameters
from neuromix.experiment import Experiment
from neuromix.montecarlo import simulate_chips
from neuromix.montecarlo.blocks import BlockFile, Problem, count_chips

NEURON = MixedSignalNeuronParameters(mismatch_factor=3)


class Recorder(ThreadPoolExecutor):
    """One thread that notes which chips it was asked for; at the n-th call it fails."""

    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__(1)
        self.asked: list[range] = []
        self._fails_at = fails_at

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.asked.append(args[2])
        if len(self.asked) == self._fails_at:
            return super().submit(_interrupt)
        return super().submit(fn, *args, **kwargs)


def _interrupt() -> None:
    raise KeyboardInterrupt


@pytest.fixture
def few(problem: Problem) -> Problem:
    return replace(problem, codes=problem.codes[:50], labels=problem.labels[:50])


def counted(problem: Problem, n_chips: int, folder: Path, executor: Recorder) -> list[int]:
    told: list[tuple[int, int]] = []

    def finished(done: int, total: int) -> None:
        told.append((done, total))

    with executor:
        counts = count_chips(problem, {"design": NEURON}, n_chips, folder, executor, problem, finished)
    assert told[-1] == (n_chips, n_chips)
    return counts["design"].tolist()


def test_counts_are_those_of_one_call_and_are_not_counted_again(few: Problem, tmp_path: Path) -> None:
    whole = simulate_chips(few.network, NEURON, few.codes, few.labels, chips=range(50), seed=7)
    first, again, more = Recorder(), Recorder(), Recorder()
    assert counted(few, 45, tmp_path, first) == whole[:45].tolist()
    assert first.asked == [range(20), range(20, 40), range(40, 45)]
    assert counted(few, 45, tmp_path, again) == whole[:45].tolist()
    assert again.asked == []
    assert counted(few, 50, tmp_path, more) == whole.tolist()
    assert more.asked == [range(40, 50)]


def test_interrupted_counting_goes_on_where_it_was(few: Problem, tmp_path: Path) -> None:
    broken, after = Recorder(fails_at=3), Recorder()
    with pytest.raises(KeyboardInterrupt):
        counted(few, 100, tmp_path, broken)
    (path,) = tmp_path.glob("*.jsonl")
    kept = len(path.read_text().splitlines())
    assert kept >= 1
    counted(few, 100, tmp_path, after)
    assert len(after.asked) == 5 - kept


def test_equal_designs_are_counted_once(few: Problem, tmp_path: Path) -> None:
    executor = Recorder()
    with executor:
        counts = count_chips(
            few, {"a": NEURON, "b": replace(NEURON)}, 5, tmp_path, executor, few, lambda *_: None
        )
    assert executor.asked == [range(5)]
    assert counts["a"].tolist() == counts["b"].tolist()


@pytest.mark.parametrize(
    "rest",
    ['{"first": 20, "correct": [1, 2', '{"first": 20}\n', "[]\n", '{"first": 20, "correct": [1, 2]}', "\0\n"],
)
def test_half_written_line_is_not_taken(tmp_path: Path, rest: str) -> None:
    path = tmp_path / "blocks.jsonl"
    whole = '{"first": 0, "correct": [5, 6]}\n'
    path.write_text(whole + rest)
    file = BlockFile(path)
    assert file.counts == {0: 5, 1: 6}
    file.add(2, [7])
    assert path.read_text() == whole + '{"first": 2, "correct": [7]}\n'
    assert BlockFile(path).counts == {0: 5, 1: 6, 2: 7}
    assert list(BlockFile(path).missing(5, 2)) == [range(2, 4), range(4, 5)]


def variations(
    problem: Problem, digits: Experiment
) -> Iterator[tuple[str, Problem, MixedSignalNeuronParameters]]:
    network = problem.network
    first, *others = network.projections
    weights, bias = np.array(first.weight_codes), np.array(first.bias_codes)
    weights[3, 4] ^= 1
    bias[0] += 1
    codes, labels = problem.codes.copy(), problem.labels.copy()
    codes[0, 0] ^= 1
    labels[0] ^= 1
    yield "the same", replace(problem), replace(NEURON)
    yield "neuron", problem, replace(NEURON, noise_factor=2)
    yield "process", problem, replace(NEURON, process=replace(NEURON.process, a_vt=3e-9))
    yield "seed", replace(problem, seed=8), NEURON
    yield "codes", replace(problem, codes=codes), NEURON
    yield "labels", replace(problem, labels=labels), NEURON
    yield "exact", replace(problem, mapped=digits.mapped), NEURON
    for what, changed in (
        ("weights", replace(first, weight_codes=weights)),
        ("bias", replace(first, bias_codes=bias)),
        ("gain", replace(first, gain=first.gain - 1)),
        ("shift", replace(first, shift=first.shift + 1)),
    ):
        yield what, replace(problem, network=replace(network, projections=(changed, *others))), NEURON


def test_key_differs_with_everything_that_counts_depend_on(problem: Problem, digits: Experiment) -> None:
    keys = {what: some.key(neuron) for what, some, neuron in variations(problem, digits)}
    assert keys["the same"] == problem.key(NEURON)
    assert len(set(keys.values())) == len(keys) == 11


def test_packed_problem_is_the_same_problem(problem: Problem) -> None:
    again = Problem.unpack(problem.packed())
    assert again.key(NEURON) == problem.key(NEURON)
    assert again.count(NEURON, range(3)) == problem.count(NEURON, range(3))


def test_lines_are_plain_json(few: Problem, tmp_path: Path) -> None:
    counts = counted(few, 3, tmp_path, Recorder())
    (path,) = tmp_path.glob("*.jsonl")
    assert json.loads(path.read_text()) == {"first": 0, "correct": counts}
    assert path.stem == few.key(NEURON)
