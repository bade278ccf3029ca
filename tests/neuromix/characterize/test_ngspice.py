"""Running ngspice: what it says when it refuses, and what it writes. A stand-in plays the program."""

from pathlib import Path

import numpy as np
import pytest

from neuromix.characterize.ngspice import (
    NgspiceError,
    NgspiceNotFoundError,
    find_ngspice,
    read_table,
    run_deck,
)


@pytest.fixture
def deck(tmp_path: Path) -> Path:
    path = tmp_path / "cell.deck"
    path.write_text("title\n.end\n")
    return path


def put_ngspice(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    program = folder / "ngspice"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        NgspiceNotFoundError, match=r"^ngspice: program must be on the PATH, got none; install"
    ):
        find_ngspice()


def test_deck_runs_in_its_folder_on_one_core(
    deck: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    put_ngspice(tmp_path / "bin", 'echo "$OMP_NUM_THREADS $*" >called', monkeypatch)
    run_deck(deck)
    assert (tmp_path / "called").read_text() == "1 -b cell.deck\n"


def test_refusal_is_told_in_the_words_of_ngspice(
    deck: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    said = "Note: fine\\nError on line:\\n  m1 a b\\ncould not find a valid modelname"
    put_ngspice(tmp_path / "bin", f"printf '{said}\\n'; exit 1", monkeypatch)
    with pytest.raises(NgspiceError) as refused:
        run_deck(deck)
    assert str(refused.value) == (
        "ngspice: Error on line:; m1 a b; could not find a valid modelname\n"
        f"the whole log is {deck.with_suffix('.log')}"
    )
    assert "Note: fine" in deck.with_suffix(".log").read_text()


def test_table_is_read_by_columns(tmp_path: Path) -> None:
    (tmp_path / "table.txt").write_text(" 0.0e+00  1.0e-01 \n 1.0e-09  2.0e-01 \n")
    np.testing.assert_array_equal(read_table(tmp_path / "table.txt", 2), [[0, 1e-9], [0.1, 0.2]])


@pytest.mark.parametrize(
    ("text", "said"), [("1 2\n", "rows of 3"), ("1 2 nan\n", "finite"), ("1 2 x\n", "table"), (None, "table")]
)
def test_table_that_is_none_is_refused(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "table.txt").write_text(text)
    with pytest.raises(NgspiceError, match=rf"^ngspice: .*table.txt must .*{said}"):
        read_table(tmp_path / "table.txt", 3)
