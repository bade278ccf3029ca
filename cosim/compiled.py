"""The harness as a program of its own: no Python while it runs, the arrays by waveform relaxation.

The digital side and the models of the arrays exchange whole runs instead of single steps. The program plays a
guess of all codes of all arrays and records what the arrays see; the models answer that, all steps at once.
Answers that differ are the next guess, until none does. What is left is the run that a model in the loop
would have given: a code depends only on what came before, so with every pass at least one more step is right,
and with a feed-forward network at least one more layer [Lelarasmee, Ruehli and Sangiovanni-Vincentelli, IEEE
Trans. CAD 1(3), 131 (1982)]. The golden model's codes are a guess that needs one pass, if the chip is right.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import simulator
from .arrays import ArrayJob, packed, read_rows, signed_bytes, unpacked
from .boundary import SEEN

__all__ = ["COUNTING_MAIN", "MAIN", "relax"]

MAIN = Path(__file__).parent / "templates" / "main.cpp"
"""The main function of the program."""

COUNTING_MAIN = MAIN.with_name("counting_main.cpp")
"""The same, but it counts toggles; what it writes is read by :func:`cosim.activity.read_counts`."""

Codes = NDArray[np.int64]


def relax(
    design: simulator.SimulatorBuild,
    jobs: Sequence[ArrayJob],
    widths: Mapping[str, int],
    places: Sequence[tuple[int, int]],
    guess: Mapping[tuple[int, int], Codes],
    folder: Path,
    arguments: Sequence[str],
) -> None:
    """Run ``design`` in ``folder`` until the arrays' codes are what their models answer.

    Parameters
    ----------
    jobs :
        The arrays that have a model; the others answer 0.
    widths :
        Widths of the ports of an array [bits].
    places :
        Of all arrays, in the harness's order.
    guess :
        Codes ``[evaluation, neuron]`` to begin with; missing ones are 0.

    Raises SimulationError.
    """
    codes = {job.place: guess.get(job.place, np.zeros((0, job.draw.n_neurons), np.int64)) for job in jobs}
    while True:
        _write_codes(folder / "codes.bin", jobs, widths, places, codes)
        simulator.run_program(design, folder=folder, plusargs=arguments)
        seen = _read_seen(folder / "seen.bin", widths, places)
        rows = read_rows(folder / "weights.txt")
        answers = {
            job.place: _answer(job, rows.get(job.place), seen[job.place], widths, codes[job.place])
            for job in jobs
        }
        if all(np.array_equal(answers[place], codes[place]) for place in codes):
            return
        codes = answers


def _write_codes(
    path: Path,
    jobs: Sequence[ArrayJob],
    widths: Mapping[str, int],
    places: Sequence[tuple[int, int]],
    codes: Mapping[tuple[int, int], Codes],
) -> None:
    """Write the codes as the harness reads them: by evaluation, by array, high byte first."""
    n_bytes = -(-widths["output_codes"] // 8)
    words = np.zeros((max(map(len, codes.values()), default=0), len(places), n_bytes), np.uint8)
    for job in jobs:
        answers = packed(codes[job.place], job.code_width)
        words[: len(answers), places.index(job.place)] = answers[:, ::-1]
    path.write_bytes(words.tobytes())


def _read_seen(
    path: Path, widths: Mapping[str, int], places: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], NDArray[np.void]]:
    """Return what each array saw in each evaluation: the steps done by then and its ports, low byte first."""
    ports = [(name, np.uint8, 4 * -(-widths[name] // 32)) for name in SEEN]
    records = np.fromfile(path, np.dtype([("steps_done", "<u4"), *ports]))
    n_evaluations = len(records) // len(places)
    by_place = records[: n_evaluations * len(places)].reshape(n_evaluations, len(places))
    return {place: by_place[:, index] for index, place in enumerate(places)}


def _answer(
    job: ArrayJob,
    rows: Mapping[int, bytes] | None,
    seen: NDArray[np.void],
    widths: Mapping[str, int],
    before: Codes,
) -> Codes:
    """Return the codes ``[evaluation, neuron]`` of an array; where it saw nothing, those of ``before``."""
    answers = np.zeros((max(len(seen), len(before)), job.draw.n_neurons), np.int64)
    answers[: len(before)] = before
    if rows is None:
        answers[: len(seen)] = 0
        return answers
    steps = seen["steps_done"].astype(np.int64) - 1  # the strobe that ended the step was counted already
    settings = np.concatenate([seen[name] for name in SEEN if name != "input_codes"], axis=1)
    changes = (np.diff(steps) != 1) | (settings[1:] != settings[:-1]).any(axis=1)
    bounds = [0, *(np.flatnonzero(changes) + 1), len(seen)]
    for first, end in pairwise(bounds):
        if first == end:
            continue
        offset_trim, gain_trim = (
            signed_bytes(seen[name][first], job.draw.n_neurons) for name in ("offset_trims", "gain_trims")
        )
        gain, shift = (int.from_bytes(seen[name][first].tobytes(), "little") for name in ("gain", "shift"))
        bank = job.bank(rows, gain=gain, shift=shift).with_trims(offset_trim=offset_trim, gain_trim=gain_trim)
        inputs = unpacked(seen["input_codes"][first:end], job.draw.n_axons, job.code_width)
        answers[first:end] = bank.evaluate(inputs, first_step=int(steps[first])).codes
    return answers
