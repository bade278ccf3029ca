"""`neuromix reproduce`: what is printed, what is left, what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import Result

from neuromix.claims.study import shipped_studies

Neuromix = Callable[..., Result]


def test_without_data_claims_are_not_checked_and_say_how_to(neuromix: Neuromix, tmp_path: Path) -> None:
    result = neuromix("reproduce", "chatterjee2019", "--claim", "mnist", "--build", tmp_path)
    assert result.exit_code == 0, result.stderr
    page = tmp_path / "chatterjee2019" / "report.html"
    assert result.stdout.splitlines()[-1] == str(page)
    data = json.loads(page.with_name("report.json").read_text())
    assert [claim["name"] for claim in data["claims"]] == ["mnist-noise", "mnist-variation"]
    assert all("--data FOLDER" in claim["verdict"] for claim in data["claims"])
    assert data["command"] == "neuromix reproduce chatterjee2019 --claim mnist"


@pytest.mark.cosim
@pytest.mark.icarus
@pytest.mark.yosys
def test_energy_is_answered_without_data_and_json_is_the_report(neuromix: Neuromix, tmp_path: Path) -> None:
    arguments = ("reproduce", "chatterjee2019", "--claim", "energy", "--quick", "--build", tmp_path)
    result = neuromix(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    left = json.loads((tmp_path / "chatterjee2019" / "report.json").read_text())
    assert json.loads(result.stdout) == left
    assert left["quick"]
    assert [claim["group"] for claim in left["claims"]] == ["energy"] * 3
    expected = yaml.safe_load(shipped_studies()["chatterjee2019"].with_name("expected.yaml").read_text())
    for claim in left["claims"]:  # of counted cells, so the same in a quick look; the file has four digits
        assert claim["numbers"] == pytest.approx(expected["claims"][claim["name"]], rel=1e-3, abs=0)
    assert "counting toggles of neurons: 6 of 6" in result.stderr


def test_cifar10_is_checked_where_data_and_network_are_there(
    neuromix: Neuromix, tmp_path: Path, made_cifar10: Path, cifar10_network: Path
) -> None:
    data = ("--cifar10", made_cifar10, "--cifar10-network", cifar10_network)
    result = neuromix(
        "reproduce", "chatterjee2019", "--claim", "cifar10", *data, "--quick", "--build", tmp_path
    )
    assert result.exit_code == 0, result.stderr
    left = json.loads((tmp_path / "chatterjee2019" / "report.json").read_text())
    (claim,) = left["claims"]
    assert not claim["verdict"].startswith("not checked")
    assert "trained without noise, as far as the file tells" in " ".join(claim["conditions"])
    assert {result["images"] for result in left["accuracy"]} == {20}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nonsense",), "study: must be a shipped study (chatterjee2019) or a .yaml file, got 'nonsense'"),
        (
            ("chatterjee2019", "--claim", "weather"),
            "must be one of energy, mnist, cnn, cifar10, got 'weather'",
        ),
        (
            ("chatterjee2019", "--claim", "mnist", "--data", "nowhere"),
            "nowhere: data folder must be a folder",
        ),
        (("chatterjee2019", "--claim", "cifar10", "--cifar10", "nowhere"), "nowhere: data folder must be a"),
    ],
)
def test_what_the_user_can_mend_is_told(
    neuromix: Neuromix, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = neuromix("reproduce", *arguments, "--build", tmp_path)
    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.stderr
