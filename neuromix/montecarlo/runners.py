"""Where chips are counted: processes of this machine, or the workers of a Dask scheduler."""

import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from .blocks import Problem

__all__ = ["dask_runner", "local_runner"]

_CONNECT_TIMEOUT = 5  # [s]


@contextmanager
def local_runner(problem: Problem, workers: int) -> Iterator[tuple[Executor, Any]]:
    """Yield an executor of ``workers`` processes, or one thread for one, and what stands for ``problem``.

    When it is left by an exception, what is under way ends at once.
    """
    if workers == 1:
        executor: Executor = ThreadPoolExecutor(1)
    else:
        executor = ProcessPoolExecutor(
            workers, multiprocessing.get_context("spawn"), initializer=_leave_interrupts_to_the_parent
        )
    try:
        yield executor, problem
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        for process in multiprocessing.active_children() if workers > 1 else ():
            process.terminate()
        raise
    executor.shutdown()


@contextmanager
def dask_runner(problem: Problem, address: str) -> Iterator[tuple[Executor, Any]]:
    """Yield an executor on the workers of the Dask scheduler at ``address``, and what stands for ``problem``.

    The problem is a task, so a worker that is lost takes nothing with it that cannot be made again. Raises
    ValueError when the extra ``distributed`` is missing or no scheduler answers.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ValueError(
            "--scheduler: must come with the extra 'distributed', got an installation without it; "
            "pip install -e '.[distributed]'"
        ) from None
    try:
        client = Client(address, timeout=_CONNECT_TIMEOUT)
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(
            f"--scheduler: must be the address of a Dask scheduler that runs, such as tcp://10.0.0.1:8786, "
            f"got {address!r}"
        ) from error
    with client:
        handle = client.submit(Problem.unpack, problem.packed(), pure=False)
        yield client.get_executor(pure=False), handle


def _leave_interrupts_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
