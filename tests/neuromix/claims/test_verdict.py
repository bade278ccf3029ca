"""Verdicts follow from the numbers: made-up results, one verdict each."""

import pytest

from neuromix.claims.accuracy import AccuracyAnswer, Condition, Result
from neuromix.claims.study import Study
from neuromix.claims.verdict import Claim, judge_accuracy


def answer(study: Study, worst: dict[float, int]) -> AccuracyAnswer:
    """Return results of one network: at each full scale the worst of three chips loses ``worst`` of 1000."""
    results = tuple(
        Result(
            condition=Condition(
                group="mnist", network="made-up", noise=1e-6, full_scale=scale, bits=8, variation="none"
            ),
            n_images=1000,
            reference_correct=980,
            correct=(980, 980, 980 - lost),
        )
        for scale, lost in worst.items()
    )
    return AccuracyAnswer(
        study=study.accuracy, results=results, training={"made-up": "not trained"}, missing={}, data_source=""
    )


def judged(study: Study, worst: dict[float, int]) -> Claim:
    return next(iter(judge_accuracy(answer(study, worst), ["mnist"])))


def test_a_claim_holds_when_no_chip_loses_more_than_stated(small_study: Study) -> None:
    claim = judged(small_study, {0.1: 30, 1.0: 0})
    assert claim.name == "mnist-noise"
    assert claim.verdict == "holds"
    assert claim.numbers["worst_increase_at_0.1_v"] == pytest.approx(0.03)
    assert claim.numbers["mean_increase_at_0.1_v"] == pytest.approx(0.01)
    assert "worst chip +3.00, +0.00 points at 0.1, 1 V full scale" in claim.found
    assert "0.1 V full scale: noise 1 mV rms = 1e-6 V^2 = 2.6 LSB of 0.391 mV" in claim.conditions


def test_a_claim_that_fails_at_small_full_scales_holds_above_them(small_study: Study) -> None:
    claim = judged(small_study, {0.1: 80, 0.2: 31, 0.5: 30, 1.0: 0})
    assert (
        claim.verdict
        == "holds if the full scale is at least 0.5 V; +8.00 points at 0.1 V, +3.10 points at 0.2 V"
    )


def test_a_claim_that_fails_at_the_largest_full_scale_does_not_hold(small_study: Study) -> None:
    claim = judged(small_study, {0.1: 0, 1.0: 31})
    assert claim.verdict.startswith(
        "does not hold because the worst chip loses +3.10 points at 1 V; noise 1 mV"
    )


def test_a_claim_without_results_is_not_checked_and_says_how_to(small_study: Study) -> None:
    nothing = AccuracyAnswer(
        study=small_study.accuracy, results=(), training={}, missing={"mnist": "no data"}, data_source=""
    )
    claims = list(judge_accuracy(nothing, ["mnist", "cifar10"]))
    assert [claim.name for claim in claims] == ["mnist-noise", "mnist-variation", "cifar10-variation"]
    assert claims[0].verdict.startswith("not checked because no data: give a folder with the four IDX files")
    assert "--cifar10-network" in claims[2].verdict
