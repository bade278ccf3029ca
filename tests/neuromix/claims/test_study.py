"""Files of studies: the shipped one, quick looks, mistakes."""

import re
from pathlib import Path

import pytest

from neuromix.claims.study import Study, load_study, shipped_studies
from neuromix.config import ExperimentError


def wrong(study_file: Path, old: str, new: str) -> str:
    text = study_file.read_text()
    assert old in text
    path = study_file.with_name("wrong.yaml")
    path.write_text(text.replace(old, new))
    with pytest.raises(ExperimentError) as caught:
        load_study(str(path))
    return str(caught.value).removeprefix(str(path))


def test_shipped_study_asks_what_the_abstracts_state() -> None:
    assert list(shipped_studies()) == ["chatterjee2019"]
    study = load_study("chatterjee2019")
    assert study.energy.rates == (1e3, 1e9)
    assert (study.energy.fan_in, study.energy.large_fan_in) == (25, 784)
    assert study.accuracy.noise == pytest.approx((0.1e-6, 1e-6))
    assert study.accuracy.bits == (4, 5, 6, 7, 8)
    assert (min(study.accuracy.full_scales), max(study.accuracy.full_scales)) == (0.1, 1.0)
    assert study.accuracy.chips >= 100
    assert study.accuracy.images == "all"


def test_a_quick_look_is_the_same_question_with_fewer_chips_and_images() -> None:
    study = load_study("chatterjee2019")
    quick = study.quick()
    assert quick.energy == study.energy.model_copy(update={"results": 60})
    assert quick.accuracy.chips < study.accuracy.chips
    assert quick.accuracy.images == 1000
    assert quick.accuracy.bits == (4, 8)
    assert quick.accuracy.full_scales == study.accuracy.full_scales


def test_a_network_of_the_users_takes_its_place(small_study: Study) -> None:
    networks = small_study.with_network("cifar10", "mine.npz").accuracy.networks
    assert networks == {"mnist": ("digits-64-32-10",), "cifar10": ("mine.npz",)}


def test_mistakes_are_told_with_their_place(study_file: Path) -> None:
    assert wrong(study_file, "chips: 6", "chips: 1").startswith(":21:3: accuracy.chips: must be a whole")
    misspelt = wrong(study_file, "  results: 20", "  results: 20\n  resluts: 20")
    assert misspelt == ":15:3: energy.resluts: unknown key; did you mean results?"
    assert "energy.hot: must be a quantity in K" in wrong(study_file, "hot: 358 K", "hot: 358")
    reversed_rates = wrong(study_file, "[1 kHz, 1 GHz]", "[1 GHz, 1 kHz]")
    assert "must be the lower and the higher one, got 1e+09 and 1000 Hz" in reversed_rates


def test_an_unknown_study_is_told_which_there_are() -> None:
    message = "must be a shipped study (chatterjee2019) or a .yaml file, got 'chaterjee'; did you mean"
    with pytest.raises(ExperimentError, match=re.escape(message)):
        load_study("chaterjee")
