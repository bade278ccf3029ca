"""The calibrator against its twin on both simulators, the twin against levels that are known, and faults."""

from collections.abc import Callable

import numpy as np
import pytest

from rtl_gen.boundary import calibration
from rtl_gen.boundary.calibration import Trim, TrimSearch
from testbenches.boundary.analog_array_bench import ArrayStandIn, array_parameters
from testbenches.mutant import mutant

BENCH = "testbenches.boundary.calibration_bench"
SIZES = {
    "payload_width": 8,
    "n_axons": 7,
    "n_bias_axons": 2,
    "n_neurons": 6,
    "reset_cycles": 1,
    "settle_cycles": 3,
    "convert_cycles": 2,
    "calibrated": True,
}
FAULTS = {
    "a_bit_is_skipped": ("found | mask >> 1", "found | mask >> 2"),
    "a_tie_loses_the_bit": ("(counted << 1) > repeats", "(counted << 1) >= repeats"),
    "an_evaluation_less": ("evaluations == repeats - 1", "evaluations == repeats - 2"),
    "not_lowered": ("found.as_signed() - command.lowered_by", "found.as_signed()"),
    "threshold_must_be_passed": ("self.code >= command.threshold", "self.code > command.threshold"),
    "the_other_trim": ("Mux(command.trim, self.trims.gain, self.trims.offset)", "self.trims.offset"),
    "wraps_at_the_rim": ("m.Elif(lowered < -_SIGN)", "m.Elif(lowered < -2 * _SIGN)"),
    "votes_are_kept": ("Mux(decide, 0, counted)", "counted"),
    "searches_without_neurons": ("command.start & self.in_use", "command.start"),
}


def run(bench: Callable[..., None]) -> None:
    engine = array_parameters(**SIZES)
    top = engine.create()
    top.srams = (ArrayStandIn(engine),)
    bench(top, BENCH, SIZES)


def test_calibrator_finds_what_its_twin_finds(bench: Callable[..., None]) -> None:
    run(bench)


@pytest.mark.parametrize("fault", FAULTS)
def test_bench_sees_a_fault(
    fault: str, failing_bench: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    faulty = mutant(calibration, *FAULTS[fault])
    monkeypatch.setattr("rtl_gen.boundary.analog_array.Calibrator", faulty.Calibrator)
    run(failing_bench)


@pytest.mark.parametrize("lowered_by", [0, 1, 200])
def test_twin_finds_the_largest_trim_below_the_threshold(lowered_by: int) -> None:
    edges = np.arange(-129, 129)  # from this trim on a neuron's code reaches the threshold
    search = TrimSearch(trim=Trim.GAIN, threshold=9, repeats_log2=1, lowered_by=lowered_by)
    found = search.find(lambda trims, first: np.tile(8 + (trims >= edges), (2, 1)), len(edges))
    expected = np.clip(edges - 1, -128, 127) - lowered_by
    np.testing.assert_array_equal(found, np.maximum(expected, -128))


def test_more_evaluations_come_closer() -> None:
    """The error of a noisy search falls with the number of votes.

    A level in trim steps with noise of 8 steps: a majority of K votes errs by about 1.25 * 8 / sqrt(K)
    (the deviation of a median), as far as a search sees it that asks at eight levels and not at one. 400
    neurons give the deviation within 5 / sqrt(800) = 18 %, so a factor of 8 in K must show as more than 1.8.
    """
    rng = np.random.default_rng(seed=4)
    wanted = rng.uniform(-60, 60, 400)

    def deviation(repeats_log2: int) -> float:
        search = TrimSearch(trim=Trim.OFFSET, threshold=1, repeats_log2=repeats_log2)

        def evaluate(trims: np.ndarray, first: int) -> np.ndarray:
            noise = rng.normal(0, 8, (search.repeats, len(trims)))
            return (trims - wanted + noise >= 0).astype(np.int64)

        return float(np.std(search.find(evaluate, len(wanted)) + 0.5 - wanted))

    coarse, fine = deviation(2), deviation(5)
    assert coarse / fine > 1.8
    assert fine < 1.25 * 8 / np.sqrt(32) * 1.5


def test_evaluations_are_numbered_through_a_search() -> None:
    search = TrimSearch(trim=Trim.OFFSET, threshold=1, repeats_log2=2)
    asked = []

    def evaluate(trims: np.ndarray, first: int) -> np.ndarray:
        asked.append(first)
        return np.zeros((search.repeats, len(trims)), dtype=np.int64)

    search.find(evaluate, 3)
    assert asked == list(range(0, search.n_evaluations, 4))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"threshold": 0}, "trim search: threshold must be 1 to 255, got 0"),
        ({"repeats_log2": 8}, "trim search: repeats_log2 must be 0 to 7, got 8"),
        ({"lowered_by": -1}, "trim search: lowered_by must be 0 to 255, got -1"),
    ],
)
def test_impossible_searches_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        TrimSearch(**{"trim": Trim.OFFSET, "threshold": 1, "repeats_log2": 4} | change)
