"""The answer about accuracy: the noise that is stated, nothing lost without noise, more noise no better."""

import math
from dataclasses import replace

import pytest

import neuromix.claims.accuracy as accuracy_module
from analog_models.neuron import MixedSignalNeuronParameters
from neuromix.claims.accuracy import VARIATIONS, AccuracyAnswer, Condition, answer_accuracy, neuron_at
from neuromix.claims.study import Study
from neuromix.network.datasets import Dataset

CONDITION = Condition(
    group="mnist", network="digits-64-32-10", noise=1e-6, full_scale=0.5, bits=8, variation="global"
)


@pytest.mark.parametrize("noise", [0.1e-6, 1e-6])
@pytest.mark.parametrize("full_scale", [0.1, 1.0])
@pytest.mark.parametrize("variation", VARIATIONS)
def test_neuron_has_the_noise_power_and_full_scale_of_its_condition(
    noise: float, full_scale: float, variation: str
) -> None:
    condition = replace(CONDITION, noise=noise, full_scale=full_scale, variation=variation)
    neuron = neuron_at(condition)
    assert neuron.noise_variance == pytest.approx(noise, rel=1e-12)
    assert neuron.node_full_scale == full_scale
    assert neuron.lsb() == pytest.approx(condition.lsb)
    assert neuron.noise_sigma == pytest.approx(condition.noise_rms)
    flawless = variation == "none"
    assert (neuron.sigma_unit == 0) == flawless
    assert (neuron.offset_sigma == 0) == flawless


def test_compression_is_the_same_at_every_full_scale() -> None:
    shares = [neuron_at(replace(CONDITION, full_scale=scale)).linear_range / scale for scale in (0.1, 0.2, 1)]
    assert shares == [pytest.approx(shares[0])] * 3


def test_noise_in_lsb_is_that_of_the_units_table() -> None:
    # Physics guide, section 3: full scale, then sigma/LSB at 0.1e-6 and 1e-6 V^2, to two digits.
    for full_scale, low, high in ((0.1, 0.81, 2.6), (0.2, 0.40, 1.3), (0.5, 0.16, 0.51), (1.0, 0.08, 0.26)):
        for noise, expected in ((0.1e-6, low), (1e-6, high)):
            found = replace(CONDITION, full_scale=full_scale, noise=noise).noise_lsb
            assert found == pytest.approx(expected, abs=0.006 if expected < 1 else 0.06)


def test_every_condition_of_the_study_is_run(accuracy: AccuracyAnswer) -> None:
    conditions = [result.condition for result in accuracy.results]
    found = [(c.bits, c.full_scale, c.noise, c.variation) for c in conditions]
    assert sorted(found) == sorted(
        (bits, full_scale, noise, variation)
        for bits, full_scale in ((8, 0.1), (8, 1.0), (4, 0.1))
        for noise in (0.1e-6, 1e-6)
        for variation in VARIATIONS
    )
    assert all(len(result.correct) == 6 and result.n_images == 100 for result in accuracy.results)
    assert accuracy.missing == {"cnn": "no network", "cifar10": "no data"}


def test_worst_is_no_better_than_mean_and_both_are_counted_from_the_integers(
    accuracy: AccuracyAnswer,
) -> None:
    for result in accuracy.results:
        assert result.worst_increase >= result.mean_increase
        assert result.worst_increase == (result.reference_correct - min(result.correct)) / 100
    assert any(result.worst_increase > 0 for result in accuracy.results), "no noise did anything"


def run(study: Study, digits: Dataset, noise: tuple[float, ...]) -> AccuracyAnswer:
    smaller = study.accuracy.model_copy(update={"noise": noise, "bits": (8,), "images": 200})
    return answer_accuracy(smaller, {"mnist": digits}, ["mnist"], 1, lambda done, n_jobs: None)


def test_almost_no_noise_costs_nothing(small_study: Study, digits: Dataset) -> None:
    # 1e-10 V^2 is 0.003 LSB at 1 V: no sum of 200 images lies so near to a rounding tie that classes turn.
    answer = run(small_study, digits, (1e-10,))
    for result in answer.of("mnist", variation="none", full_scale=1.0):
        assert set(result.correct) == {result.reference_correct}


def test_more_noise_is_worse(small_study: Study, digits: Dataset) -> None:
    # 0.8, 8 and 26 LSB at 0.1 V: each step costs far more than the deviation of 6 chips.
    answer = run(small_study, digits, (0.1e-6, 10e-6, 100e-6))
    increases = [
        answer.of("mnist", variation="none", full_scale=0.1, noise=noise)[0].mean_increase
        for noise in answer.study.noise
    ]
    assert increases == sorted(increases)
    assert increases[-1] > 0.015 > increases[1] > increases[0]


def test_half_of_the_chips_are_at_either_corner(
    small_study: Study, digits: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, range]] = []

    def record(
        network: object, neuron: MixedSignalNeuronParameters, *data: object, chips: range, seed: int
    ) -> list[int]:
        asked.append((neuron.process.name, chips))
        return [0] * len(chips)

    monkeypatch.setattr(accuracy_module, "simulate_chips", record)
    run(small_study, digits, (1e-6,))
    at_full_scale = [("generic-65-tt", range(6)), ("generic-65-fs", range(3)), ("generic-65-sf", range(3, 6))]
    assert sorted(asked, key=str) == sorted(at_full_scale * 2, key=str)


def test_training_noise_is_told(accuracy: AccuracyAnswer) -> None:
    text = accuracy.training["digits-64-32-10"]
    assert text.startswith("trained with 5 % noise on weights")
    assert math.isfinite(float(text.split()[2]))
