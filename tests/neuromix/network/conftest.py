"""Data and small networks that the tests of this folder share."""

import os
from pathlib import Path

import numpy as np
import pytest

from neuromix.network.datasets import Dataset, load_digits, load_idx
from neuromix.network.network import Network, Population, Projection

REPOSITORY = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_digits()


@pytest.fixture(scope="session")
def mnist() -> Dataset:
    folder = Path(os.environ.get("NEUROMIX_MNIST", REPOSITORY / "../shared/data/mnist"))
    if not folder.is_dir():
        pytest.skip(f"no MNIST files in {folder}; NEUROMIX_MNIST names another folder")
    return load_idx(folder)


@pytest.fixture
def small_network() -> Network:
    """Four inputs, three hidden neurons, two outputs; weights drawn."""
    rng = np.random.default_rng(21)
    return Network(
        name="small",
        populations=(Population("input", 4), Population("hidden", 3), Population("output", 2)),
        projections=(
            Projection(
                source="input",
                target="hidden",
                weights=rng.normal(0, 0.7, (3, 4)),
                bias=rng.normal(0, 0.3, 3),
            ),
            Projection(
                source="hidden",
                target="output",
                weights=rng.normal(0, 0.7, (2, 3)),
                bias=rng.normal(0, 0.3, 2),
            ),
        ),
        provenance={"seed": 21, "data": "none"},
    )
