"""The digits experiment, made ready once, and a quantised network that has convolutions."""

import pytest

from neuromix.config import find_experiment, load_experiment
from neuromix.experiment import Experiment, prepare
from neuromix.montecarlo.blocks import Problem
from neuromix.network.network import Network
from neuromix.network.quantize import QuantizedNetwork, quantize


@pytest.fixture(scope="session")
def digits() -> Experiment:
    return prepare(load_experiment(find_experiment("quickstart"), {}))


@pytest.fixture(scope="session")
def problem(digits: Experiment) -> Problem:
    return Problem(network=digits.quantized, codes=digits.codes, labels=digits.labels, seed=7)


@pytest.fixture(scope="session")
def convolutional(cnn: Network) -> QuantizedNetwork:
    return quantize(cnn)
