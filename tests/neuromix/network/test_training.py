"""The trainer: what needs no PyTorch, and a short training where it is installed."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from neuromix.network.augmentation import Augmentation
from neuromix.network.convolution import Convolution
from neuromix.network.datasets import Dataset
from neuromix.network.training import RECIPES, Recipe, fold_output, train


def test_importing_the_trainer_needs_no_torch() -> None:
    code = "import sys; sys.modules['torch'] = None; import neuromix.network.training"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", [name for name in RECIPES if "-cnn-" not in name])
def test_recipe_has_the_sizes_of_its_name(name: str) -> None:
    assert name.split("-")[1:] == [str(size) for size in RECIPES[name].sizes]


def test_recipe_of_a_convolutional_network_has_the_maps_and_kernels_of_its_name() -> None:
    recipe = RECIPES["mnist-cnn-6c5-12c5"]
    kernels = [f"{layer.out_maps}c{layer.kernel}" for layer in recipe.layers if layer.kernel == 5]
    assert kernels == ["6c5", "12c5"]
    assert recipe.sizes == (28**2, 6 * 24**2, 6 * 12**2, 12 * 8**2, 12 * 4**2, 10)
    assert [population.name for population in recipe.populations] == [
        "input",
        "conv1",
        "pool1",
        "conv2",
        "pool2",
        "output",
    ]


def test_folded_output_keeps_the_winner_inside_the_activation() -> None:
    rng = np.random.default_rng(0)
    hidden = rng.random((500, 20))
    weights, bias = rng.normal(0, 3, (10, 20)), rng.normal(0, 3, 10)
    logits = hidden @ weights.T + bias
    folded_weights, folded_bias = fold_output((weights, bias), logits)
    activations = np.clip(hidden @ folded_weights.T + folded_bias, 0, 1)
    assert logits.max() > 1
    assert logits.min() < 0
    np.testing.assert_array_equal(activations.argmax(axis=1), logits.argmax(axis=1))
    winners = activations.max(axis=1)
    np.testing.assert_allclose([winners.min(), winners.max()], [0.1, 0.95])


@pytest.fixture
def short() -> Recipe:
    return replace(RECIPES["digits-64-32-10"], epochs=30)


def test_training_repeats_and_learns(short: Recipe, digits: Dataset) -> None:
    pytest.importorskip("torch", reason="training needs the extra `train`")
    images = digits.train_images.reshape(-1, 8, 8)
    first, again = (train(short, images, digits.train_labels) for _ in range(2))
    for (weights, bias), (same_weights, same_bias) in zip(first, again, strict=True):
        np.testing.assert_array_equal(weights, same_weights)
        np.testing.assert_array_equal(bias, same_bias)
    (hidden_weights, hidden_bias), (weights, bias) = first
    hidden = np.clip(digits.train_images @ hidden_weights.T + hidden_bias, 0, 1)
    assert np.mean((hidden @ weights.T + bias).argmax(axis=1) == digits.train_labels) > 0.8


def test_training_a_convolution_repeats_learns_and_leaves_poolings_alone(digits: Dataset) -> None:
    pytest.importorskip("torch", reason="training needs the extra `train`")
    convolution = Convolution(in_shape=(1, 8, 8), out_maps=4, kernel=3)
    pooling = Convolution.pooling(convolution.out_shape, 2)
    layers = (convolution, pooling, Convolution.full(10, pooling.n_post))
    recipe = Recipe(layers=layers, epochs=20, augmentation=Augmentation(), learning_rate=1e-2)
    images = digits.train_images.reshape(-1, 8, 8)
    first, again = (train(recipe, images, digits.train_labels) for _ in range(2))
    for (weights, bias), (same_weights, same_bias) in zip(first, again, strict=True):
        np.testing.assert_array_equal(weights, same_weights)
        np.testing.assert_array_equal(bias, same_bias)
    assert (first[1][0] == 0.25).all()
    activations = digits.train_images.astype(float)
    for layer, (weights, bias) in zip(layers, first, strict=True):
        sums = layer.sums(activations, weights) + np.repeat(bias, layer.n_positions)
        activations = np.clip(sums, 0, 1)
    assert np.mean(sums.argmax(axis=1) == digits.train_labels) > 0.8
