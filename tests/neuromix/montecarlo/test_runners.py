"""Processes and Dask workers give the same counts as one thread, and may die."""

import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analog_models.neuron import MixedSignalNeuronParameters
from neuromix.montecarlo.blocks import Problem
from neuromix.montecarlo.study import Study, run_study

NEURON = MixedSignalNeuronParameters(mismatch_factor=3)
N_CHIPS = 200


def study(
    problem: Problem, folder: Path, workers: int = 1, scheduler: str | None = None, **more: Any
) -> Study:
    return run_study(
        problem,
        NEURON,
        n_chips=N_CHIPS,
        limit=0.97,
        budget=False,
        folder=folder,
        workers=workers,
        scheduler=scheduler,
        **more,
    )


@pytest.fixture(scope="module")
def expected(problem: Problem, tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    counts = study(problem, tmp_path_factory.mktemp("thread")).found[0].correct.tolist()
    assert len(set(counts)) > 3
    return counts


def after_the_first_block(act: Callable[[], None]) -> Callable[[int, int], None]:
    done_once: list[int] = []

    def finished(done: int, total: int) -> None:
        if 0 < done < total and not done_once:
            done_once.append(done)
            act()

    return finished


def test_processes_count_the_same(problem: Problem, expected: list[int], tmp_path: Path) -> None:
    assert study(problem, tmp_path, workers=2).found[0].correct.tolist() == expected


def test_a_process_that_dies_loses_nothing(problem: Problem, expected: list[int], tmp_path: Path) -> None:
    import multiprocessing

    killed = []

    def kill() -> None:
        child = multiprocessing.active_children()[0]
        killed.append(child.pid)
        child.kill()

    found = study(problem, tmp_path, workers=2, finished=after_the_first_block(kill))
    assert killed
    assert found.found[0].correct.tolist() == expected


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A scheduler with two worker processes on this machine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from distributed import LocalCluster

        with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as made:
            yield made


@pytest.mark.filterwarnings("ignore")
def test_dask_counts_the_same_though_a_worker_is_lost(
    problem: Problem, expected: list[int], cluster: Any, tmp_path: Path
) -> None:
    workers = [nanny.process.pid for nanny in cluster.workers.values()]
    assert len(workers) == 2
    killed = []

    def kill() -> None:
        os.kill(workers[0], signal.SIGKILL)
        killed.append(workers[0])

    found = study(
        problem, tmp_path, scheduler=cluster.scheduler_address, finished=after_the_first_block(kill)
    )
    assert killed
    assert found.found[0].correct.tolist() == expected


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nowhere://x", "nonsense"])
@pytest.mark.filterwarnings("ignore")
def test_address_without_scheduler_is_told_in_one_message(
    problem: Problem, tmp_path: Path, address: str
) -> None:
    with pytest.raises(ValueError, match=r"^--scheduler: must be the address of a Dask scheduler") as error:
        study(problem, tmp_path, scheduler=address)
    assert str(error.value).endswith(f"got {address!r}")
    assert "\n" not in str(error.value)


def test_missing_extra_is_told(problem: Problem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ValueError, match=r"^--scheduler: must come with the extra 'distributed'"):
        study(problem, tmp_path, scheduler="tcp://127.0.0.1:1")


def test_interruption_ends_at_once(problem: Problem, tmp_path: Path) -> None:
    """Blocks of the golden model on all images take seconds; none of them is waited for."""

    def interrupt(done: int, total: int) -> None:
        if done == 0:
            main = threading.main_thread().ident
            threading.Timer(3, signal.pthread_kill, (main, signal.SIGINT)).start()

    slow = replace(problem, codes=problem.codes.repeat(400, axis=0), labels=problem.labels.repeat(400))
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        study(slow, tmp_path, workers=2, finished=interrupt)
    assert time.monotonic() - start < 30
