"""What the numbers of a report show about how far they can be trusted, in plain words."""

import itertools
from collections.abc import Iterator

from .notation import back_end_label, grouped, percent
from .summary import CONFIDENCE, Report

__all__ = ["remarks"]


def remarks(report: Report) -> tuple[str, ...]:
    """Return one sentence or two per limit that follows from the data of ``report`` itself."""
    return tuple(_remarks(report))


def _remarks(report: Report) -> Iterator[str]:
    widths = [result.accuracy.interval[1] - result.accuracy.interval[0] for result in report.back_ends]
    totals = [result.accuracy.total for result in report.back_ends]
    images = (
        f"{grouped(totals[0])}"
        if len(set(totals)) == 1
        else f"{grouped(min(totals))} to {grouped(max(totals))}"
    )
    yield (
        f"Accuracy was measured on {images} test images, so its {percent(CONFIDENCE, 0)} interval is up to "
        f"{100 * max(widths):.1f} percentage points wide. The interval covers the choice of images only."
    )
    if any(result.name == "mixed_signal" for result in report.back_ends):
        yield (
            "One mixed-signal chip was drawn from the seed. Another chip has other mismatch, and so another "
            "accuracy: the report says nothing about yield."
        )
    alike = [
        f"{back_end_label(first.name)} and {back_end_label(second.name)}"
        for first, second in itertools.combinations(report.back_ends, 2)
        if first.accuracy.fraction != second.accuracy.fraction
        and first.accuracy.interval[0] <= second.accuracy.interval[1]
        and second.accuracy.interval[0] <= first.accuracy.interval[1]
    ]
    if alike:
        yield (
            f"The intervals overlap for {'; '.join(alike)}: this number of images does not by itself show "
            "that one is more accurate than the other."
        )
    partial = [result for result in report.back_ends if result.annotated_share < 1]
    if partial:
        shares = ", ".join(
            f"{back_end_label(result.name)} {percent(result.annotated_share)}" for result in partial
        )
        yield f"Toggles were counted on a part of the nets only: {shares}."
    if not report.agreements:
        yield "No run of the Verilog was compared with the golden model."
    elif not report.agreeing:
        yield "The Verilog and the golden model disagree: no number of this report can be relied on."
    if unchecked := [back_end_label(r.name) for r in report.back_ends if not report.agreements_of(r.name)]:
        yield f"Not held against the golden model: {', '.join(unchecked)}."
