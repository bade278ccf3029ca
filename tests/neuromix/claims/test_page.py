"""The report of a study: whole, self-contained, the same as data and as a page."""

import json
import re
from pathlib import Path

import pytest

from neuromix.claims.accuracy import AccuracyAnswer
from neuromix.claims.energy import EnergyAnswer
from neuromix.claims.page import StudyReport, claim_table, to_dict, write_study
from neuromix.claims.study import Study
from neuromix.claims.verdict import judge_accuracy, judge_energy

pytestmark = [pytest.mark.cosim, pytest.mark.icarus, pytest.mark.yosys]


@pytest.fixture(scope="module")
def report(small_study: Study, energy: EnergyAnswer, accuracy: AccuracyAnswer) -> StudyReport:
    claims = (*judge_energy(energy), *judge_accuracy(accuracy, ["mnist", "cnn", "cifar10"]))
    return StudyReport(
        study=small_study,
        command="neuromix reproduce small.yaml",
        quick=False,
        claims=claims,
        energy=energy,
        accuracy=accuracy,
        versions={"numpy": "2"},
        seconds={"all": 1.0},
    )


@pytest.fixture(scope="module")
def folder(report: StudyReport, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_study(report, tmp_path_factory.mktemp("report")).parent


def test_every_claim_has_what_is_stated_found_and_thought_of_it(folder: Path) -> None:
    claims = json.loads((folder / "report.json").read_text())["claims"]
    assert len(claims) == 8
    for claim in claims:
        assert {"name", "source", "stated", "found", "verdict", "conditions"} <= set(claim)
        assert claim["stated"]
        assert re.match(r"(holds|does not hold because|not checked because)", claim["verdict"])
        checked = not claim["verdict"].startswith("not checked")
        assert bool(claim["conditions"]) == checked == bool(claim["numbers"])


def test_page_shows_every_claim_case_and_figure_and_needs_nothing_else(
    folder: Path, report: StudyReport
) -> None:
    page = (folder / "report.html").read_text()
    assert report.energy is not None
    for text in (
        *(claim.name for claim in report.claims),
        *(case.label for case in report.energy.sensitivities),
        *("Energy per multiply-accumulate against rate", "Ratio of digital to mixed-signal energy"),
        *("Error increase against full scale", "Error increase against bits"),
    ):
        assert text.replace("'", "&#39;") in page, text
    assert page.count("<svg") == 4
    assert not re.search(r'(?:src|href)="(?!#)', page.replace("xlink:href", "href"))
    assert len(re.findall(r'\bid="([^"]+)"', page)) == len(set(re.findall(r'\bid="([^"]+)"', page)))


def test_data_and_table_say_the_same_as_the_claims(report: StudyReport) -> None:
    data = to_dict(report)
    assert [claim["verdict"] for claim in data["claims"]] == [claim.verdict for claim in report.claims]
    assert claim_table(report).row_count == len(report.claims)
    assert len(data["energy"]["rates_hz"]) == 61
    fixed = data["energy"]["fj_per_mac"]["M-2M ladder, fixed bias"]
    assert fixed[-1] is None, "no fixed bias gives the highest rate"
    assert len(data["accuracy"]) == len(report.accuracy.results if report.accuracy else ())


def test_report_of_energy_alone_has_no_accuracy(report: StudyReport, tmp_path: Path) -> None:
    alone = StudyReport(**{**vars(report), "accuracy": None, "claims": report.claims[:3]})
    page = write_study(alone, tmp_path).read_text()
    assert page.count("<svg") == 2
    assert "accuracy" not in to_dict(alone)
