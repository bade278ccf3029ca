"""The shipped networks keep what is promised of them, in float and in 8-bit codes."""

import numpy as np
import pytest

from neuromix.network.datasets import Dataset, to_codes
from neuromix.network.network import Network
from neuromix.network.quantize import quantize
from neuromix.network.training import RECIPES, SHIPPED_FOLDER

FLOAT_TARGETS = {
    "digits-64-32-10": 0.96,
    "mnist-784-100-10": 0.975,
    "mnist-784-300-100-10": 0.98,
    "mnist-cnn-6c5-12c5": 0.98,
}
QUANTIZATION_MARGIN = 0.005

DIGITS = ["digits-64-32-10"]
MNIST = [pytest.param(name, marks=pytest.mark.mnist) for name in FLOAT_TARGETS if name not in DIGITS]


@pytest.fixture(params=[*DIGITS, *MNIST])
def shipped(request: pytest.FixtureRequest) -> tuple[Network, Dataset]:
    data = "digits" if request.param in DIGITS else "mnist"
    return Network.load(SHIPPED_FOLDER / f"{request.param}.npz"), request.getfixturevalue(data)


def test_accuracy_reaches_the_target_and_survives_eight_bits(shipped: tuple[Network, Dataset]) -> None:
    network, dataset = shipped
    real = np.mean(network.classify(dataset.test_images) == dataset.test_labels)
    quantized = np.mean(quantize(network).classify(to_codes(dataset.test_images)) == dataset.test_labels)
    assert real >= FLOAT_TARGETS[network.name]
    assert quantized >= real - QUANTIZATION_MARGIN
    assert network.provenance["test_accuracy"] == pytest.approx(real, abs=1e-9)
    assert network.provenance["test_accuracy_8_bit"] == pytest.approx(quantized, abs=1e-9)


@pytest.mark.parametrize("name", FLOAT_TARGETS)
def test_provenance_says_how_to_make_the_network_again(name: str) -> None:
    network = Network.load(SHIPPED_FOLDER / f"{name}.npz")
    assert network.name == name
    assert tuple(population.size for population in network.populations) == RECIPES[name].sizes
    wanted = {
        "data",
        "split",
        "choices",
        "command",
        "seed",
        "epochs",
        "augmentation_rotation",
        "weight_dtype",
    }
    assert wanted <= set(network.provenance)
    for field in ("epochs", "seed", "learning_rate", "weight_noise"):
        assert network.provenance[field] == getattr(RECIPES[name], field)


def test_every_shipped_file_has_a_recipe_and_is_small() -> None:
    files = sorted(SHIPPED_FOLDER.glob("*.npz"))
    assert [path.stem for path in files] == sorted(RECIPES)
    assert max(path.stat().st_size for path in files) < 1 << 20


@pytest.mark.parametrize(("width", "loss"), [(4, 0.03), (6, 0.01)])
def test_narrow_weights_lose_little(width: int, loss: float, digits: Dataset) -> None:
    network = Network.load(SHIPPED_FOLDER / "digits-64-32-10.npz")
    quantized = quantize(network, weight_max=(1 << (width - 1)) - 1)
    accuracy = np.mean(quantized.classify(to_codes(digits.test_images)) == digits.test_labels)
    assert accuracy >= float(network.provenance["test_accuracy"]) - loss
    assert sum(projection.n_saturated for projection in quantized.projections) > 0
