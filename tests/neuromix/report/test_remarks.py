import dataclasses

from neuromix.report.remarks import remarks
from neuromix.report.summary import Accuracy, Report


def test_overlapping_intervals_are_pointed_out(report: Report) -> None:
    text = " ".join(remarks(report))
    assert "300 test images" in text
    assert "overlap for parallel digital and mixed-signal; serial digital and mixed-signal:" in text


def test_clear_difference_is_not_called_an_overlap(report: Report) -> None:
    parallel, _, mixed = report.back_ends
    worse = dataclasses.replace(
        mixed, accuracy=Accuracy(correct=200, total=300), confusion=((200, 100), (0, 0))
    )
    text = " ".join(remarks(dataclasses.replace(report, back_ends=(parallel, worse))))
    assert "overlap" not in text


def test_uncounted_nets_are_named(report: Report) -> None:
    text = " ".join(remarks(report))
    assert "a part of the nets only: serial digital 98.7 %, mixed-signal 98.7 %." in text


def test_missing_comparison_is_named(report: Report) -> None:
    text = " ".join(remarks(dataclasses.replace(report, agreements=report.agreements[:2])))
    assert "Not held against the golden model: serial digital, mixed-signal." in text
    assert "No run of the Verilog" in " ".join(remarks(dataclasses.replace(report, agreements=())))


def test_disagreement_voids_the_numbers(report: Report) -> None:
    wrong = dataclasses.replace(report.agreements[0], differences=1)
    assert "can be relied on" not in " ".join(remarks(report))
    assert "no number of this report can be relied on" in " ".join(
        remarks(dataclasses.replace(report, agreements=(wrong,)))
    )


def test_yield_is_mentioned_only_with_analog_neurons(report: Report) -> None:
    assert "yield" in " ".join(remarks(report))
    assert "yield" not in " ".join(remarks(dataclasses.replace(report, back_ends=report.back_ends[:2])))
