"""The digits experiment, made ready once, and a network that has convolutions."""

import numpy as np
import pytest

from neuromix.config import find_experiment, load_experiment
from neuromix.experiment import Experiment, prepare
from neuromix.montecarlo.blocks import Problem
from neuromix.network.convolution import Convolution
from neuromix.network.network import Network, Population, Projection
from neuromix.network.quantize import QuantizedNetwork, quantize


@pytest.fixture(scope="session")
def digits() -> Experiment:
    return prepare(load_experiment(find_experiment("quickstart"), {}))


@pytest.fixture(scope="session")
def problem(digits: Experiment) -> Problem:
    return Problem(network=digits.quantized, codes=digits.codes, labels=digits.labels, seed=7)


@pytest.fixture(scope="session")
def convolutional() -> QuantizedNetwork:
    """Three maps of a 3 x 3 kernel over 8 x 8 pixels, their sums over 2 x 2, and ten outputs."""
    rng = np.random.default_rng(5)
    convolution = Convolution(in_shape=(1, 8, 8), out_maps=3, kernel=3)
    return quantize(
        Network(
            name="convolutional",
            populations=(
                Population("input", 64),
                Population("maps", 108),
                Population("pooled", 27),
                Population("output", 10),
            ),
            projections=(
                Projection(
                    source="input",
                    target="maps",
                    weights=rng.normal(0, 0.3, (3, 9)),
                    bias=rng.normal(0, 0.1, 3),
                    convolution=convolution,
                ),
                Projection.pooling("maps", "pooled", convolution.out_shape, 2),
                Projection(
                    source="pooled",
                    target="output",
                    weights=rng.normal(0, 0.4, (10, 27)),
                    bias=np.full(10, 0.2),
                ),
            ),
        )
    )
