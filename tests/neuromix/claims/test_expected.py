"""The shipped study finds what `expected.yaml` says; takes many minutes, so `make regress` runs it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from neuromix.claims.page import to_dict
from neuromix.claims.reproduce import DataFolders, reproduce
from neuromix.claims.study import load_study, shipped_studies

REPOSITORY = Path(__file__).parents[3]
MNIST = Path(os.environ.get("NEUROMIX_MNIST", REPOSITORY / "../shared/data/mnist"))
STUDY = "chatterjee2019"

ENERGY_TOLERANCE = 1e-3
"""Relative; the file has four digits."""

INCREASE_TOLERANCE = 5e-4
"""Of all images: five of 10,000, where sums of float32 in another order turn a code that is near a tie."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.mnist,
    pytest.mark.cosim,
    pytest.mark.icarus,
    pytest.mark.yosys,
]


@pytest.fixture(scope="module")
def expected() -> Any:
    return yaml.safe_load(shipped_studies()[STUDY].with_name("expected.yaml").read_text())


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    if not MNIST.is_dir():
        pytest.skip(f"no MNIST files in {MNIST}; NEUROMIX_MNIST names another folder")
    report, _ = reproduce(
        load_study(STUDY),
        tmp_path_factory.mktemp("build"),
        groups=("energy", "mnist", "cnn"),
        data=DataFolders(mnist=MNIST),
        command="",
        quick=False,
        progress=lambda action, done, total, under_way=(): None,
    )
    return to_dict(report)


def test_claims_are_found_as_before(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    claims = {claim["name"]: claim for claim in found["claims"]}
    assert set(claims) == set(expected["claims"])
    for name, numbers in expected["claims"].items():
        assert set(claims[name]["numbers"]) == set(numbers), name
        for key, number in numbers.items():
            relative, absolute = (0, INCREASE_TOLERANCE) if "increase" in key else (ENERGY_TOLERANCE, 0)
            wanted = pytest.approx(number, rel=relative, abs=absolute)
            assert claims[name]["numbers"][key] == wanted, f"{name}: {key}"


def test_sensitivities_are_found_as_before(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    cases = {case["label"]: case["ratio_min"] for case in found["energy"]["sensitivity"]}
    assert set(cases) == set(expected["ratio_min"])
    for label, minima in expected["ratio_min"].items():
        assert cases[label] == pytest.approx(minima, rel=ENERGY_TOLERANCE, abs=0), label


def test_digital_neurons_are_found_as_before(found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for neuron, wanted in zip(found["energy"]["digital_neurons"], expected["digital_neurons"], strict=True):
        assert f"{neuron['neuron']}-{neuron['n_inputs']}" == wanted["neuron"]
        for key in ("dynamic_fj_per_mac", "leakage_uw_per_lane"):
            assert neuron[key] == pytest.approx(wanted[key], rel=ENERGY_TOLERANCE), wanted
