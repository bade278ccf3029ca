"""Chips before and after trimming."""

import numpy as np
import pytest

from neuromix.config import load_experiment, shipped_experiments
from neuromix.experiment import Experiment, prepare
from neuromix.trimming import ChipState, TrimmedChip, summarise, trim_chips


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    return prepare(load_experiment(shipped_experiments()["trimmed"]))


@pytest.fixture(scope="module")
def chips(experiment: Experiment) -> list[TrimmedChip]:
    plan = experiment.back_ends["mixed_signal"].calibration
    assert plan is not None
    return list(trim_chips(experiment, plan, range(experiment.config.seed, experiment.config.seed + 4)))


def test_trimming_takes_out_offset_and_gain_error(experiment: Experiment, chips: list[TrimmedChip]) -> None:
    """42 neurons of 4 chips: a deviation is known within 5 / sqrt(2 * 168) = 27 %."""
    parameters = experiment.back_ends["mixed_signal"].arrays.parameters
    before, after = (
        summarise([getattr(chip, state) for chip in chips], 0.968) for state in ("untrimmed", "trimmed")
    )
    assert before.offset_rms_lsb == pytest.approx(parameters.offset_sigma / parameters.lsb(), rel=0.27)
    assert before.gain_deviation == pytest.approx(parameters.gain_sigma, rel=0.27)
    assert after.offset_rms_lsb < before.offset_rms_lsb / 20
    assert after.gain_deviation < before.gain_deviation / 10
    assert after.mean > before.mean
    assert after.worst > before.worst


def test_the_first_chip_is_that_of_the_experiment(experiment: Experiment, chips: list[TrimmedChip]) -> None:
    bank = experiment.back_ends["mixed_signal"].banks[0, 1]
    np.testing.assert_array_equal(chips[0].trimmed.offset[:16], bank.offset)
    assert (chips[1].trimmed.offset[:16] != bank.offset).any()


def test_summary_counts_chips_at_the_limit_as_good() -> None:
    chips = [
        ChipState(accuracy=accuracy, offset=np.array([offset, -offset]), gain=np.array([0.1, 0.3]))
        for accuracy, offset in ((0.9, 1.0), (0.95, 2.0), (0.8, 0.0))
    ]
    summary = summarise(chips, 0.9)
    assert summary.n_good == 2
    assert (summary.mean, summary.worst) == (pytest.approx(2.65 / 3), 0.8)
    assert summary.offset_rms_lsb == pytest.approx(np.sqrt(5 / 3))
    assert summary.gain_deviation == pytest.approx(0.1 / 1.2)
