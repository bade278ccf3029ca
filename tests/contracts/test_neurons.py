"""What every neuron must do, whatever it is made of. A new neuron is one more entry of NEURONS."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from analog_models.neuron import MixedSignalNeuronParameters

GAIN, SHIFT, CODE_MAX = 200, 19, 255

Evaluate = Callable[..., np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Neuron:
    """``evaluate(weights[post, pre], inputs[step, pre], seed, first_step) -> codes[step, post]``."""

    evaluate: Evaluate
    rest_max: float = 0
    """Largest code that offset and noise explain without drive [LSB]."""
    random: bool = False
    """Whether the seed matters."""


def integer_rule(weights: np.ndarray, inputs: np.ndarray, seed: int = 0, first_step: int = 0) -> np.ndarray:
    acc = inputs.astype(np.int64) @ weights.T.astype(np.int64)
    return np.clip((acc * GAIN + (1 << SHIFT - 1)) >> SHIFT, 0, CODE_MAX)


def mixed_signal(parameters: MixedSignalNeuronParameters) -> Neuron:
    def evaluate(weights: np.ndarray, inputs: np.ndarray, seed: int = 0, first_step: int = 0) -> np.ndarray:
        draw = parameters.draw(*weights.shape, np.random.default_rng(1))
        bank = parameters.bank(
            draw, weights=weights, gain=GAIN, shift=SHIFT, code_max=CODE_MAX, noise_seed=seed
        )
        return bank.evaluate(inputs, first_step).codes

    derived = parameters.derived(CODE_MAX)
    rest_sigma = np.hypot(derived["offset_sigma_lsb"], derived["noise_sigma_lsb"])
    return Neuron(
        evaluate=evaluate,
        rest_max=np.ceil(5 * rest_sigma),  # five deviations: one code in a million is larger
        random=derived["noise_sigma_lsb"] > 0,
    )


NEURONS = {
    "integer": Neuron(evaluate=integer_rule),
    "mixed-signal-ideal": mixed_signal(MixedSignalNeuronParameters.ideal()),
    "mixed-signal-default": mixed_signal(MixedSignalNeuronParameters()),
}


@pytest.fixture(params=list(NEURONS.values()), ids=list(NEURONS))
def neuron(request: pytest.FixtureRequest) -> Neuron:
    chosen: Neuron = request.param
    return chosen


def random_array(n_steps: int = 50) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    return rng.integers(-127, 128, (9, 64)), rng.integers(0, 256, (n_steps, 64), dtype=np.uint8)


def test_silent_without_drive(neuron: Neuron) -> None:
    weights, _ = random_array()
    codes = neuron.evaluate(weights, np.zeros((100, 64), dtype=np.uint8))
    assert codes.max() <= neuron.rest_max


def test_negative_drive_gives_no_code(neuron: Neuron) -> None:
    codes = neuron.evaluate(np.full((9, 64), -127), np.full((100, 64), 255, dtype=np.uint8))
    assert not codes.any()


def test_code_grows_with_drive_until_it_saturates(neuron: Neuron) -> None:
    drive = np.repeat(np.arange(0, 256, 16, dtype=np.uint8), 64).reshape(-1, 64)
    mean = neuron.evaluate(np.full((9, 64), 127), drive).mean(axis=1)
    rising = mean < CODE_MAX
    assert rising.sum() > 3, "the drive saturates the neuron at once, so it proves nothing"
    assert (np.diff(mean[rising]) > 0).all()
    assert (mean[~rising] == CODE_MAX).all()
    assert not rising[-1]


def test_codes_stay_in_their_range(neuron: Neuron) -> None:
    weights, inputs = random_array(500)
    weights[0], weights[1] = 127, -127
    codes = neuron.evaluate(weights, inputs)
    assert (codes[:, 0] == CODE_MAX).all()
    assert (codes[:, 1] == 0).all()
    assert codes.min() == 0
    assert codes.max() == CODE_MAX
    assert np.issubdtype(codes.dtype, np.integer)


def test_same_seed_gives_same_codes(neuron: Neuron) -> None:
    weights, inputs = random_array()
    np.testing.assert_array_equal(
        neuron.evaluate(weights, inputs, seed=4), neuron.evaluate(weights, inputs, seed=4)
    )


def test_another_seed_matters_only_to_a_random_neuron(neuron: Neuron) -> None:
    weights, inputs = random_array()
    first, other = (neuron.evaluate(weights, inputs, seed=seed) for seed in (4, 5))
    assert (first != other).any() == neuron.random


def test_a_batch_equals_its_rows(neuron: Neuron) -> None:
    weights, inputs = random_array()
    batch = neuron.evaluate(weights, inputs)
    assert batch.any(), "the drive never fires a neuron, so it proves nothing"
    rows = [neuron.evaluate(weights, inputs[step : step + 1], first_step=step)[0] for step in range(50)]
    np.testing.assert_array_equal(batch, rows)


def test_close_to_the_integer_rule(neuron: Neuron) -> None:
    weights, inputs = random_array(500)
    error = neuron.evaluate(weights, inputs) - integer_rule(weights, inputs)
    assert np.abs(error).mean() <= 0.02 * CODE_MAX
