"""Figure of a Monte Carlo study: how accurate the chips are, and what costs them accuracy."""

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..montecarlo.study import Study
from .figures import BACK_END_COLORS, GRID_COLOR, STYLE, WIDTH, as_svg
from .notation import grouped, percent

__all__ = ["chips_figure"]

_COLOR = BACK_END_COLORS["mixed_signal"]
_LIMIT_COLOR = "#CC3311"
_IDEAL_COLOR = "#6b7681"
_BAD_COLOR = "#e9a59b"


def chips_figure(study: Study) -> str:
    """Draw the histogram of accuracies with the limit, and below it every other case of the study."""
    others = range(1, len(study.cases))
    heights = [2.9, 0.62 + 0.31 * len(others)] if others else [2.9]
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, sum(heights)), layout="constrained")
        axes = figure.subplots(len(heights), squeeze=False, height_ratios=heights)[:, 0]
        _draw_histogram(axes[0], study)
        if others:
            _draw_cases(axes[1], study)
        return as_svg(figure, "chips", "Accuracy of manufactured chips, and what costs them accuracy")


def _draw_histogram(axes: Axes, study: Study) -> None:
    found = study.found[0]
    accuracies = 100 * found.accuracies
    share, low, high = study.found[0].yield_at(study.limit)
    step = 100 / found.n_images
    wide = max(1, round((accuracies.max() - accuracies.min()) / step / 40))  # whole images per bar
    edges = np.arange(accuracies.min() - step / 2, accuracies.max() + (wide + 0.5) * step, wide * step)
    counts, _ = np.histogram(accuracies, edges)
    middles = (edges[1:] + edges[:-1]) / 2
    colors = [_COLOR if middle >= 100 * study.limit else _BAD_COLOR for middle in middles]
    axes.bar(middles, counts, wide * step, color=colors, edgecolor="white", lw=0.6)
    axes.axvline(100 * study.limit, color=_LIMIT_COLOR, lw=1.6, label=f"limit {percent(study.limit)}")
    axes.axvline(
        100 * study.ideal,
        color=_IDEAL_COLOR,
        ls="--",
        lw=1.4,
        label=f"without flaws {percent(study.ideal, 2)}",
    )
    axes.set_title(
        f"{grouped(len(accuracies))} chips: yield {percent(share)} ({100 * low:.1f} to {100 * high:.1f}), "
        f"mean {percent(found.mean, 2)}, worst {percent(found.worst, 2)}",
        loc="left",
    )
    axes.set_xlabel(f"accuracy of a chip on {grouped(found.n_images)} images [%]")
    axes.set_ylabel("chips")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True, nbins=5))
    axes.legend(loc="upper left")
    axes.grid(axis="y", color=GRID_COLOR)
    axes.set_axisbelow(True)


def _draw_cases(axes: Axes, study: Study) -> None:
    others = range(1, len(study.cases))
    axes.axvline(100 * study.found[0].mean, color=_COLOR, lw=1)
    axes.axvline(100 * study.ideal, color=_IDEAL_COLOR, ls="--", lw=1.4)
    for y, index in enumerate(others):
        found = study.found[index]
        low, middle, high = 100 * np.quantile(found.accuracies, (0.05, 0.5, 0.95))
        axes.plot([low, high], [y, y], color=_COLOR, lw=2.5, alpha=0.45, solid_capstyle="butt")
        axes.plot(100 * found.worst, y, "|", color=_COLOR, ms=8)
        axes.plot(middle, y, "o", color=_COLOR, ms=5.5)
        regained, error = (100 * value for value in study.regained(index))
        share, _, _ = found.yield_at(study.limit)
        axes.annotate(
            f"{regained:+.3f} ± {error:.3f} points, yield {percent(share)}",
            (1, y),
            xycoords=("axes fraction", "data"),
            xytext=(12, 0),
            textcoords="offset points",
            va="center",
        )
    axes.set_yticks(range(len(others)), [study.cases[index].label for index in others])
    axes.set_ylim(len(others) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=7))
    axes.set_xlabel(
        "accuracy [%]: dot median, bar 5 to 95 % of the chips, tick worst; lines: as designed, no flaws"
    )
    axes.grid(axis="x", color=GRID_COLOR)
    axes.set_axisbelow(True)
