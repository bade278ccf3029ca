"""A study small enough for a test, and what it finds."""

from pathlib import Path

import pytest

from neuromix.claims.accuracy import AccuracyAnswer, answer_accuracy
from neuromix.claims.energy import EnergyAnswer, answer_energy
from neuromix.claims.study import Study, load_study
from neuromix.network.datasets import Dataset, load_digits
from tests.conftest import BUILD

SMALL = """\
name: small
title: A small study
energy:
  rates: [1 kHz, 1 GHz]
  rate_max: 100 MHz
  clock_max: 1 GHz
  fan_in: 9
  large_fan_in: 16
  table: ptm65-gp
  low_power_table: ptm65-lp
  hot: 358 K
  adc: 2.7 pJ
  noise: [0.1e-6 V^2, 1e-6 V^2]
  results: 20
accuracy:
  networks: {mnist: [digits-64-32-10]}
  noise: [0.1e-6 V^2, 1e-6 V^2]
  full_scales: [0.1 V, 1 V]
  bits: [4, 8]
  bits_full_scale: 0.1 V
  chips: 6
  images: 100
"""


@pytest.fixture(scope="session")
def study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("study") / "small.yaml"
    path.write_text(SMALL)
    return path


@pytest.fixture(scope="session")
def small_study(study_file: Path) -> Study:
    return load_study(str(study_file))


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return load_digits()


@pytest.fixture(scope="session")
def energy(small_study: Study) -> EnergyAnswer:
    folder = BUILD / "claims" / "energy"
    return answer_energy(small_study.energy, folder, BUILD / "simulators", lambda done, n_jobs: None)


@pytest.fixture(scope="session")
def accuracy(small_study: Study, digits: Dataset) -> AccuracyAnswer:
    groups = ("mnist", "cnn", "cifar10")
    return answer_accuracy(
        small_study.accuracy, {"mnist": digits, "cnn": digits}, groups, 1, lambda done, n_jobs: None
    )
