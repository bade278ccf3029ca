"""Figures of the report as SVG text that stands inside an HTML page; the same report gives the same text.

Each function returns one ``<svg>`` element without outside references. Text stays text, so that it can be
searched and takes the page's font. Colours are those of Okabe and Ito (2008) for back ends and Paul Tol's
muted scheme (2021) for components: both are told apart by colour-blind readers.
"""

import io
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps, rc_context
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import EngFormatter, FuncFormatter, MaxNLocator

from .notation import back_end_label, percent, significant
from .summary import BackEndResult, NetworkSummary, Raster, Report, Trace

__all__ = [
    "STYLE",
    "WIDTH",
    "accuracy_figure",
    "as_svg",
    "confusion_figure",
    "draw_figures",
    "energy_item_figure",
    "energy_stack_figure",
    "raster_figure",
    "trace_figure",
]

WIDTH = 10.65
"""Width of every figure [inch]; a browser shows 96 pixels per inch."""

STYLE: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#9aa3ad",
    "axes.labelcolor": "#3c4650",
    "xtick.color": "#9aa3ad",
    "ytick.color": "#9aa3ad",
    "xtick.labelcolor": "#3c4650",
    "ytick.labelcolor": "#1c2329",
    "text.color": "#1c2329",
    "legend.frameon": False,
    "figure.constrained_layout.h_pad": 0.08,
    "svg.fonttype": "none",
    "svg.hashsalt": "neuromix",
}

BACK_END_COLORS = {"parallel": "#0072B2", "serial": "#D55E00", "mixed_signal": "#009E73"}
COMPONENT_COLORS = (
    "#332288",
    "#88CCEE",
    "#44AA99",
    "#117733",
    "#999933",
    "#DDCC77",
    "#CC6677",
    "#882255",
    "#AA4499",
)
OTHER_COLOR = "#BBBBBB"
PHASE_COLORS = ("#e3e6ea", "#cfe6f5", "#fde3c4", "#e6dcf0", "#d9ecd9")
TRACE_COLOR = "#0072B2"
HIT_COLOR = "#dbe7f1"
GRID_COLOR = "#e6e9ec"

LOG_DECADES = 6
"""How far below the largest item a logarithmic axis reaches; smaller items are marked at its edge."""

MAX_ITEMS = 16
"""How many items a figure shows one by one."""

ROW = 0.185
"""Height of one line of an itemised figure [inch]."""

REST = "smaller ones"
"""Name of the sum of the items that a figure does not show one by one."""


def draw_figures(report: Report) -> dict[str, str]:
    """Return every figure that ``report`` has data for, by name."""
    results = report.back_ends
    figures = {
        "accuracy": accuracy_figure(results, report.network),
        "confusion": confusion_figure(results),
        "energy_stack": energy_stack_figure(results),
        "energy_components": energy_item_figure("component", {r.name: r.components for r in results}),
    }
    if any(result.by_block for result in results):
        figures["energy_blocks"] = energy_item_figure("block", {r.name: r.by_block for r in results})
    if report.raster:
        figures["raster"] = raster_figure(report.raster)
    if report.trace:
        figures["trace"] = trace_figure(report.trace)
    return figures


def accuracy_figure(results: Sequence[BackEndResult], network: NetworkSummary) -> str:
    """Draw the accuracy of each back end with its interval below the network's own accuracies."""
    rows: list[tuple[str, float, tuple[float, float] | None, str, str]] = [
        ("network, floating point", network.float_accuracy, None, "#6b7681", "in software"),
        ("network, quantised", network.quantized_accuracy, None, "#6b7681", "in software"),
    ]
    for result in results:
        accuracy = result.accuracy
        counts = f"{accuracy.correct:,} of {accuracy.total:,} images"
        label, color = back_end_label(result.name), BACK_END_COLORS[result.name]
        rows.append((label, accuracy.fraction, accuracy.interval, color, counts))
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.7 + 0.36 * len(rows)), layout="constrained")
        axes = figure.subplots()
        for y, (_, fraction, interval, color, note) in enumerate(rows):
            if interval:
                axes.plot([100 * bound for bound in interval], [y, y], color=color, lw=2.5, marker="|", ms=10)
            axes.plot(100 * fraction, y, "o", color=color, mfc=color if interval else "white", ms=7, zorder=3)
            limits = f" ({100 * interval[0]:.1f} to {100 * interval[1]:.1f})" if interval else ""
            axes.annotate(
                f"{percent(fraction)}{limits}, {note}",
                (1, y),
                xycoords=("axes fraction", "data"),
                xytext=(12, 0),
                textcoords="offset points",
                va="center",
            )
        axes.set_yticks(range(len(rows)), [row[0] for row in rows])
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlabel("test images classified correctly [%], bar: 95 % interval")
        axes.xaxis.set_major_locator(MaxNLocator(nbins=7))
        low, high = axes.get_xlim()
        axes.set_xlim(max(0.0, low), min(100.4, high))
        axes.grid(axis="x", color=GRID_COLOR)
        axes.set_axisbelow(True)
        return as_svg(figure, "accuracy", "Accuracy of each back end with its 95 % interval")


def confusion_figure(results: Sequence[BackEndResult]) -> str:
    """Draw one confusion matrix per back end: hits pale, errors the darker the more there are."""
    errors = [np.array(result.confusion) * ~np.eye(len(result.confusion), dtype=bool) for result in results]
    largest = max(4, *(int(error.max()) for error in errors))
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, WIDTH / 3 + 0.45), layout="compressed")
        panels = figure.subplots(1, max(3, len(results)), squeeze=False)[0]
        for panel in panels[len(results) :]:
            panel.remove()
        for index, (axes, result, error) in enumerate(zip(panels, results, errors, strict=False)):
            counts = np.array(result.confusion)
            n_classes = len(counts)
            shades = colormaps["YlOrBr"](0.2 + 0.45 * error / largest)
            shades[error == 0] = to_rgba("white")
            shades[np.eye(n_classes, dtype=bool)] = to_rgba(HIT_COLOR)
            edges = np.arange(n_classes + 1) - 0.5
            axes.pcolormesh(edges, edges, shades, edgecolors=GRID_COLOR, linewidth=0.5)
            if n_classes <= 20:
                for (true, predicted), count in np.ndenumerate(counts):
                    if count:
                        weight = "normal" if true == predicted else "bold"
                        axes.text(
                            predicted, true, f"{count}", ha="center", va="center", weight=weight, size=9
                        )
            axes.set_aspect("equal")
            axes.invert_yaxis()
            axes.set_title(f"{back_end_label(result.name)}: {int(error.sum()):,} errors")
            axes.set_xlabel("predicted class")
            axes.set_ylabel("true class" if index == 0 else "")
            axes.tick_params(length=0)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
            axes.yaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
            axes.spines[:].set_visible(False)
        return as_svg(figure, "confusion", "Confusion matrix of each back end")


def raster_figure(raster: Raster) -> str:
    """Draw which neuron sent what in which time step, a panel per population.

    Rows of a population with more neurons than pixels are pooled: a line shows the largest of its neurons.
    """
    heights = [min(2.8, max(1.5, 0.02 * size)) for size in raster.populations.values()]
    payload = np.zeros((sum(raster.populations.values()), raster.n_steps))
    payload[np.array(raster.row, dtype=int), np.array(raster.step, dtype=int) - raster.first_step] = (
        raster.payload
    )
    shades = _without_pale_end(colormaps["YlGnBu"])
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.9 + sum(heights) + 0.15 * len(heights)), layout="constrained")
        panels = figure.subplots(len(heights), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
        first = 0
        for axes, (name, size), height in zip(panels, raster.populations.items(), heights, strict=True):
            pool = math.ceil(size / (96 * height))
            starts = np.arange(first, first + size, pool)
            rows = np.maximum.reduceat(payload[: first + size], starts, axis=0)
            bottom = len(starts) * pool - 0.5
            extent = (raster.first_step - 0.5, raster.first_step + raster.n_steps - 0.5, bottom, -0.5)
            image = axes.imshow(
                np.ma.masked_equal(rows, 0),
                extent=extent,
                aspect="auto",
                interpolation="none",
                cmap=shades,
                vmin=0,
                vmax=raster.payload_max,
            )
            axes.set_ylim(size - 0.5, -0.5)
            axes.set_ylabel(f"{name}\n{size} neurons" + (f"\n(largest of {pool})" if pool > 1 else ""))
            axes.yaxis.set_major_locator(MaxNLocator(nbins=10 if size <= 10 else 5, integer=True))
            for step in range(raster.n_steps + 1):
                axes.axvline(raster.first_step + step - 0.5, color=GRID_COLOR, lw=0.8)
            first += size
        panels[-1].set_xlabel("time step")
        panels[-1].xaxis.set_major_locator(MaxNLocator(nbins=25, integer=True))
        if raster.captions and raster.n_steps <= 20:
            for step, caption in enumerate(raster.captions, raster.first_step):
                panels[0].annotate(
                    caption,
                    (step, 1.0),
                    xycoords=("data", "axes fraction"),
                    xytext=(0, 4),
                    textcoords="offset points",
                    ha="center",
                    size=9,
                )
        if raster.payload_max > 1:
            label = "payload [LSB], white: no event"
            bar = figure.colorbar(image, ax=list(panels), label=label, shrink=3.5 / sum(heights), aspect=30)
            bar.outline.set_visible(False)
        return as_svg(figure, "raster", "Events per neuron and time step")


def trace_figure(trace: Trace) -> str:
    """Draw the summing-node voltage of each neuron, phases shaded, the ADC code at each conversion."""
    names = list(dict.fromkeys(phase.name for phase in trace.phases))
    colors = {name: PHASE_COLORS[index % len(PHASE_COLORS)] for index, name in enumerate(names)}
    voltage = np.array(trace.node_voltage_v)
    span = max(float(np.ptp(voltage)), 1e-3 * trace.full_scale_v)
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 0.9 + 1.4 * len(trace.neurons)), layout="constrained")
        panels = figure.subplots(len(trace.neurons), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for index, axes in enumerate(panels):
            for phase in trace.phases:
                axes.axvspan(phase.start_s, phase.end_s, color=colors[phase.name], lw=0)
            for level in (0.0, trace.full_scale_v):
                axes.axhline(level, color="#6b7681", lw=0.8, ls="--")
            axes.plot(trace.time_s, trace.node_voltage_v[index], color=TRACE_COLOR, lw=1.5)
            for conversion in trace.conversions:
                axes.axvline(conversion.time_s, color="#1c2329", lw=0.8, ls=":")
                axes.annotate(
                    f"code {conversion.codes[index]}",
                    (conversion.time_s, 1.0),
                    xycoords=("data", "axes fraction"),
                    xytext=(-4, -4),
                    textcoords="offset points",
                    ha="right",
                    va="top",
                    weight="bold",
                    bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.5},
                )
            axes.set_ylabel(trace.neurons[index])
            axes.yaxis.set_major_formatter(EngFormatter(unit="V"))
            axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
        panels[0].set_ylim(float(voltage.min()) - 0.1 * span, float(voltage.max()) + 0.35 * span)
        panels[-1].set_xlim(trace.time_s[0], trace.time_s[-1])
        panels[-1].xaxis.set_major_formatter(EngFormatter(unit="s"))
        panels[-1].set_xlabel("time")
        patches: list[Patch | Line2D] = [Patch(color=color, label=name) for name, color in colors.items()]
        patches.append(Line2D([], [], color=TRACE_COLOR, lw=1.5, label="summing node"))
        patches.append(Line2D([], [], color="#1c2329", lw=0.8, ls=":", label="ADC conversion"))
        patches.append(Line2D([], [], color="#6b7681", lw=0.8, ls="--", label="range of the ADC"))
        figure.legend(handles=patches, loc="outside upper center", ncols=len(patches))
        return as_svg(figure, "trace", "Voltage of summing nodes over a few time steps")


def energy_stack_figure(results: Sequence[BackEndResult]) -> str:
    """Draw energy per inference, stacked by component, on one linear scale and as shares of each total."""
    items: dict[str, dict[str, float]] = {result.name: result.components for result in results}
    names = _weightiest(items, len(COMPONENT_COLORS))
    items = {back_end: _folded(energies, names) for back_end, energies in items.items()}
    colors = dict(zip(names, COMPONENT_COLORS, strict=False))
    largest = max(result.energy_per_inference_pj for result in results) or 1.0
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.6 + 0.55 * len(results)), layout="constrained")
        absolute, relative = figure.subplots(1, 2, sharey=True, width_ratios=(3, 2))
        for y, result in enumerate(results):
            energies, total = items[result.name], result.energy_per_inference_pj
            _stack(absolute, y, energies, colors, least=0.1 * largest, write=significant)
            absolute.annotate(
                f"{significant(total)} pJ",
                (total, y),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                weight="bold",
            )
            shares = {name: energy_pj / (total or 1.0) for name, energy_pj in energies.items()}
            _stack(relative, y, shares, colors, least=0.12, write=lambda share: percent(share, 0))
        absolute.set_yticks(range(len(results)), [back_end_label(result.name) for result in results])
        absolute.set_ylim(len(results) - 0.5, -0.5)
        absolute.set_xlim(0, 1.25 * largest)
        absolute.xaxis.set_major_locator(MaxNLocator(nbins=6))
        absolute.xaxis.set_major_formatter(FuncFormatter(lambda energy_pj, _: f"{energy_pj:,.9g}"))
        absolute.set_xlabel("energy per inference [pJ], linear scale")
        relative.set_xlim(0, 1)
        relative.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:.0f}"))
        relative.set_xlabel("share of the back end's own total [%]")
        relative.tick_params(axis="y", length=0)
        for axes in (absolute, relative):
            axes.grid(axis="x", color=GRID_COLOR)
            axes.set_axisbelow(True)
        shown = [name for name in (*names, REST) if any(name in energies for energies in items.values())]
        patches = [Patch(color=colors.get(name, OTHER_COLOR), label=name) for name in shown]
        figure.legend(handles=patches, loc="outside lower center", ncols=min(5, len(patches)))
        return as_svg(figure, "energy-stack", "Energy per inference of each back end, stacked by component")


def energy_item_figure(name: str, items: Mapping[str, Mapping[str, float]]) -> str:
    """Draw ``items`` (back end to item to energy per inference [pJ]) item by item on a logarithmic scale.

    ``name`` is what an item is: component, block. Small items beyond :data:`MAX_ITEMS` are added up.
    """
    names = _weightiest(items, MAX_ITEMS)
    items = {back_end: _folded(energies, names) for back_end, energies in items.items()}
    shown = [item for item in (*names, REST) if any(item in energies for energies in items.values())]
    values = [energy for energies in items.values() for energy in energies.values() if energy > 0] or [1.0]
    low = 0.5 * max(min(values), max(values) * 10**-LOG_DECADES)
    high = 6 * max(values)
    with rc_context(STYLE):
        pitch = ROW * len(items) + 0.1
        figure = Figure(figsize=(WIDTH, 0.95 + pitch * len(shown)), layout="constrained")
        axes = figure.subplots()
        for row, item in enumerate(shown):
            if row % 2:
                axes.axhspan(row - 0.5, row + 0.5, color="#f5f7f8", lw=0)
            for index, (back_end, energies) in enumerate(items.items()):
                if item not in energies:
                    continue
                y = row + (index - (len(items) - 1) / 2) * ROW / pitch
                energy_pj, color = energies[item], BACK_END_COLORS[back_end]
                x = max(energy_pj, low)
                axes.plot([low, x], [y, y], color=color, lw=1.2, alpha=0.45)
                if energy_pj > 0:
                    axes.plot(x, y, "o" if energy_pj > low else "<", color=color, ms=5.5, clip_on=False)
                axes.annotate(
                    f"{significant(energy_pj)} pJ",
                    (x, y),
                    xytext=(6, 0),
                    textcoords="offset points",
                    va="center_baseline",
                    size=9,
                    color=color,
                )
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda energy_pj, _: f"{energy_pj:,.9g}"))
        axes.set_yticks(range(len(shown)), shown)
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.tick_params(axis="y", length=0)
        axes.tick_params(axis="x", which="minor", length=0)
        axes.set_xlabel("energy per inference [pJ], logarithmic scale")
        axes.grid(axis="x", color=GRID_COLOR)
        axes.set_axisbelow(True)
        dots = [
            Line2D(
                [], [], color=BACK_END_COLORS[back_end], marker="o", lw=1.2, label=back_end_label(back_end)
            )
            for back_end in items
        ]
        figure.legend(handles=dots, loc="outside upper center", ncols=len(dots))
        return as_svg(figure, f"energy-by-{name}", f"Energy per inference by {name}, back ends side by side")


def _stack(
    axes: Axes,
    y: int,
    parts: Mapping[str, float],
    colors: Mapping[str, str],
    *,
    least: float,
    write: Callable[[float], str],
) -> None:
    """Draw ``parts`` end to end at height ``y``; parts of at least ``least`` have room for their number."""
    left = 0.0
    for name, size in parts.items():
        color = colors.get(name, OTHER_COLOR)
        axes.barh(y, size, left=left, height=0.62, color=color, edgecolor="white", lw=0.6)
        if size >= least:
            luminance = np.dot(to_rgba(color)[:3], (0.3, 0.6, 0.1))
            ink = "white" if luminance < 0.5 else "#1c2329"
            axes.text(left + size / 2, y, write(size), ha="center", va="center", color=ink)
        left += size


def _weightiest(items: Mapping[str, Mapping[str, float]], count: int) -> list[str]:
    """Return the ``count`` items with the largest share of any back end's total, largest first.

    Shares, not joules: what dominates a frugal back end matters although it is little beside a hungry one.
    One more is returned if it would be the only one left.
    """
    share: dict[str, float] = {}
    for energies in items.values():
        total = math.fsum(energies.values()) or 1.0
        for name, energy in energies.items():
            share[name] = max(share.get(name, 0.0), energy / total)
    ordered = sorted(share, key=lambda name: (-share[name], name))
    return ordered if len(ordered) == count + 1 else ordered[:count]


def _folded(energies: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """Return the energies of ``names`` in that order, then what is left, added up under one name."""
    kept = {name: energies[name] for name in names if name in energies}
    rest = math.fsum(energy for name, energy in energies.items() if name not in kept)
    return kept | ({REST: rest} if len(kept) < len(energies) else {})


def _without_pale_end(colors: Colormap) -> Colormap:
    """Return ``colors`` from a quarter on, so that the smallest value stands out from the white page."""
    return LinearSegmentedColormap.from_list("visible", colors(np.linspace(0.25, 1, 256)))


def as_svg(figure: Figure, name: str, description: str) -> str:
    """Return ``figure`` as one SVG element whose ids begin with ``name``, so that a page may hold many."""
    text = io.StringIO()
    nothing = dict.fromkeys(
        ("Creator", "Date", "Format", "Type")
    )  # they would name web addresses and the time
    figure.savefig(text, format="svg", metadata=nothing)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{name}-", svg)
    return svg.replace("<svg", f'<svg role="img" aria-label="{description}"', 1).strip()
