"""Figures of a study as SVG text, in the style of the report's."""

from collections.abc import Iterator, Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FuncFormatter, NullFormatter

from ..report.figures import BACK_END_COLORS, GRID_COLOR, STYLE, WIDTH, as_svg
from ..report.notation import back_end_label
from .accuracy import VARIATIONS, AccuracyAnswer, Result, Variation
from .energy import CLAIMED_RATIO, EnergyAnswer

__all__ = ["accuracy_figures", "energy_figures"]

QUIET = "#6b7681"

TOPOLOGY_COLORS = {"m2m": "#009E73", "segmented": "#CC79A7", "full_binary": "#E69F00", "c2c": "#56B4E9"}
BIAS_LINES = {"scaled": "-", "gated": "--", "fixed": ":"}

RATIO_CASES: dict[str, tuple[str, str]] = {
    "base case": ("#1c2329", "-"),
    "serial neuron at the same clock": ("#1c2329", "--"),
    "digital: generated Verilog, photo drive": ("#0072B2", "-"),
    "supply cut between results, both sides": ("#0072B2", "--"),
    "leakage: low power, digital side only": ("#D55E00", "-"),
    "weight memory": ("#CC79A7", "-"),
    "ADC per result": ("#E69F00", "-"),
    "worst-case settling, offset FS/8": ("#009E73", "-"),
    "bias above leakage": ("#009E73", "--"),
    "fixed bias": ("#56B4E9", "-"),
    "a whole neuron": ("#882255", "-"),
}
"""Cases of the ratio's figure, with colour and line."""

VARIATION_COLORS: dict[Variation, str] = {"none": "#0072B2", "global": "#D55E00"}
NOISE_LINES = ("-", "--", ":", "-.")
CLAIMED_POINTS = {"3 % (ICRC 2017)": 3.0, "2.1 % (arXiv, TVLSI)": 2.1}


def energy_figures(answer: EnergyAnswer) -> dict[str, str]:
    """Return the figures of energy, by name."""
    return {"energy": _energy_figure(answer), "ratio": _ratio_figure(answer)}


def accuracy_figures(answer: AccuracyAnswer) -> dict[str, str]:
    """Return the figures of accuracy that there are results for, by name."""
    study = answer.study
    widest = max(study.bits)
    by_full_scale = [result for result in answer.results if result.condition.bits == widest]
    by_bits = [result for result in answer.results if result.condition.full_scale == study.bits_full_scale]
    figures = {}
    if len(study.full_scales) > 1 and by_full_scale:
        figures["full_scale"] = _accuracy_figure(by_full_scale, "full_scale", "full scale of the node [V]")
    if len(study.bits) > 1 and by_bits:
        figures["bits"] = _accuracy_figure(by_bits, "bits", "bits of weights and activations")
    return figures


def _energy_figure(answer: EnergyAnswer) -> str:
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
        axes = figure.subplots()
        handles = []
        for curve in answer.curves:
            side, _, rest = curve.name.partition("-")
            if side in BACK_END_COLORS:
                color, line = BACK_END_COLORS[side], "-" if rest == "counted" else "--"
                label = (
                    f"{back_end_label(side)}, {'counted cells' if rest == 'counted' else 'generated Verilog'}"
                )
            else:
                color, line, label = TOPOLOGY_COLORS[side], BIAS_LINES[rest], curve.label
            points = [
                (rate, energy * 1e15)
                for rate, energy in zip(answer.rates, curve.energy_per_mac, strict=True)
                if energy < float("inf")
            ]
            (drawn,) = axes.plot(*zip(*points, strict=True), color=color, ls=line, lw=1.8, label=label)
            handles.append(drawn)
        _log_rate_axes(axes)
        axes.set_ylabel("energy per MAC [fJ]")
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.9g}"))
        figure.legend(handles=handles, loc="outside right upper", fontsize=9)
        return as_svg(figure, "energy-rate", "Energy per multiply-accumulate against rate")


def _ratio_figure(answer: EnergyAnswer) -> str:
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 5.6), layout="constrained")
        panels = figure.subplots(1, 2, sharey=True)
        shown = [case for case in answer.sensitivities if case.label in RATIO_CASES]
        for axes, side in zip(panels, ("parallel", "serial"), strict=True):
            for case in shown:
                if case.label == "serial neuron at the same clock" and side == "parallel":
                    continue
                color, line = RATIO_CASES[case.label]
                points = [
                    (rate, ratio)
                    for rate, ratio in zip(answer.rates, case.against[side].ratio, strict=True)
                    if ratio > 0
                ]
                on_top = 5 if case is answer.base_case else 2
                axes.plot(*zip(*points, strict=True), color=color, ls=line, lw=1.8, zorder=on_top)
            axes.axhline(CLAIMED_RATIO, color="#c0392b", lw=1)
            axes.annotate(
                f"{CLAIMED_RATIO}x",
                (1, CLAIMED_RATIO),
                xycoords=("axes fraction", "data"),
                xytext=(3, 0),
                textcoords="offset points",
                va="center",
                color="#c0392b",
                weight="bold",
            )
            axes.axhline(1, color=QUIET, lw=0.8, ls=":")
            _log_rate_axes(axes)
            axes.set_title(f"{back_end_label(side)} over mixed-signal")
        panels[0].set_ylabel("ratio of energies per MAC")
        panels[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.9g}"))
        handles = [
            Line2D([], [], color=color, ls=line, lw=1.8, label=label)
            for label, (color, line) in RATIO_CASES.items()
            if any(case.label == label for case in shown)
        ]
        figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9)
        return as_svg(figure, "ratio", "Ratio of digital to mixed-signal energy against rate")


def _log_rate_axes(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(EngFormatter(unit="Hz", sep="\N{THIN SPACE}"))
    axes.set_xlabel("results per second and neuron")
    axes.grid(color=GRID_COLOR)
    axes.tick_params(which="minor", length=0)
    axes.set_axisbelow(True)


def _accuracy_figure(results: Sequence[Result], field: str, label: str) -> str:
    """Draw mean and worst error increase against ``field`` of the condition, a panel per network."""
    networks = list(dict.fromkeys(result.condition.network for result in results))
    noises = sorted({result.condition.noise for result in results})
    columns = min(3, len(networks))
    rows = -(-len(networks) // columns)
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.3 + 3.2 * rows), layout="constrained")
        panels = figure.subplots(rows, columns, sharey=True, squeeze=False)
        for axes in panels.flat[len(networks) :]:
            axes.remove()
        for axes, network in zip(panels.flat, networks, strict=False):
            for variation in VARIATION_COLORS:
                for noise, line in zip(noises, NOISE_LINES, strict=False):
                    wanted = (network, variation, noise)
                    chosen = [result for result in results if _line_of(result) == wanted]
                    chosen.sort(key=lambda result: float(getattr(result.condition, field)))
                    if chosen:
                        _draw_increase(axes, chosen, field, variation, line)
            for name, limit in CLAIMED_POINTS.items():
                axes.axhline(limit, color=QUIET, lw=0.8)
                axes.annotate(
                    name,
                    (1, limit),
                    xycoords=("axes fraction", "data"),
                    xytext=(0, 2),
                    textcoords="offset points",
                    ha="right",
                    size=8,
                    color=QUIET,
                )
            axes.set_title(network)
            axes.set_yscale("symlog", linthresh=0.1)
            axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.9g}"))
            axes.set_xlabel(label)
            if field == "full_scale":
                axes.set_xscale("log")
                ticks = sorted({result.condition.full_scale for result in results})
                axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
                axes.xaxis.set_minor_formatter(NullFormatter())
            else:
                axes.set_xticks(sorted({result.condition.bits for result in results}))
            axes.tick_params(which="minor", length=0)
            axes.grid(color=GRID_COLOR)
            axes.set_axisbelow(True)
        panels[0, 0].set_ylabel("error increase [points]")
        figure.legend(handles=list(_legend(noises)), loc="outside lower center", ncols=4, fontsize=9)
        return as_svg(figure, f"accuracy-{field.replace('_', '-')}", f"Error increase against {label}")


def _line_of(result: Result) -> tuple[str, Variation, float]:
    condition = result.condition
    return condition.network, condition.variation, condition.noise


def _draw_increase(
    axes: Axes, results: Sequence[Result], field: str, variation: Variation, line: str
) -> None:
    """Draw the worst chip as a line and the mean as hollow dots."""
    color = VARIATION_COLORS[variation]
    x = [getattr(result.condition, field) for result in results]
    worst = [100 * result.worst_increase for result in results]
    axes.plot(x, worst, color=color, ls=line, marker="o", ms=4)
    axes.plot(
        x,
        [100 * result.mean_increase for result in results],
        color=color,
        ls="",
        marker="o",
        mfc="white",
        ms=4,
    )


def _legend(noises: Sequence[float]) -> Iterator[Line2D]:
    for variation, color in VARIATION_COLORS.items():
        yield Line2D([], [], color=color, lw=1.8, label=VARIATIONS[variation])
    for noise, line in zip(noises, NOISE_LINES, strict=False):
        yield Line2D(
            [], [], color="#1c2329", ls=line, label=f"{noise * 1e6:g}e-6 V² = {noise**0.5 * 1e3:.2g} mV rms"
        )
    yield Line2D([], [], color="#1c2329", ls="", marker="o", ms=4, label="worst chip")
    yield Line2D([], [], color="#1c2329", ls="", marker="o", mfc="white", ms=4, label="mean of chips")
