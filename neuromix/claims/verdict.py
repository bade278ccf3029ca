"""The claims of the abstracts, each beside what was found; verdicts follow from the numbers alone."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ..report.notation import percent, significant, with_prefix
from .accuracy import VARIATIONS, AccuracyAnswer, Result, Variation
from .energy import CLAIMED_RATIO, EnergyAnswer, RatioCurve, Sensitivity
from .study import NetworkGroup

__all__ = ["GROUPS", "Claim", "Group", "judge_accuracy", "judge_energy"]

Group = Literal["energy"] | NetworkGroup
GROUPS: tuple[Group, ...] = ("energy", "mnist", "cnn", "cifar10")

ICRC = "Chatterjee et al., ICRC 2017, arXiv 1710.09012"
PREPRINT = "Chatterjee et al., arXiv 1806.05141 v1"
JOURNAL = "Chatterjee et al., IEEE TVLSI 27(6), 2019"

_FEMTOJOULE = 1e-15

NAMED_CASES = 4
"""How many cases a verdict names; the table of sensitivities has them all."""

Outcome = Literal["holds", "holds if", "does not hold because", "not checked because"]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim, what was found, and what to think of it.

    ``outcome`` is how ``verdict`` begins. ``numbers`` are those that the verdict was made from.
    """

    name: str
    group: Group
    source: str
    stated: str
    found: str
    outcome: Outcome
    reason: str
    conditions: tuple[str, ...]
    numbers: dict[str, float]

    @property
    def verdict(self) -> str:
        """The whole sentence."""
        return f"{self.outcome} {self.reason}".strip()


# ---- energy -----------------------------------------------------------------------------------------------


def judge_energy(answer: EnergyAnswer) -> Iterator[Claim]:
    """Yield the claims about energy."""
    yield _orders(answer)
    yield _hundredfold(answer)
    yield _femtojoule(answer)


def _orders(answer: EnergyAnswer) -> Claim:
    """Judge: two to three orders of magnitude against one digital neuron, most at low frequency."""

    def is_met(case: Sensitivity) -> bool:
        ratio = case.against["parallel"].ratio
        return min(ratio) >= CLAIMED_RATIO and _is_largest_first(ratio)

    base = answer.base_case.against["parallel"]
    low, _ = answer.study.rates
    leakage = answer.base_items[f"parallel digital at {low:g} Hz"]
    share = leakage["leakage"] / math.fsum(leakage.values())
    cases = [(case, is_met(case)) for case in answer.sensitivities]
    outcome, reason = _over_cases(answer, cases, ("parallel",))
    return Claim(
        name="energy-orders",
        group="energy",
        source=ICRC,
        stated="2 to 3 orders of magnitude less energy than a digital neuron, most at low frequency, because "
        "the digital neuron leaks",
        found=f"{_times(min(base.ratio))} to {_times(max(base.ratio))} less than the parallel neuron, "
        f"{'most' if _is_largest_first(base.ratio) else 'not most'} at {with_prefix(low, 'Hz')}, where "
        f"leakage is {percent(share)} of the digital energy",
        outcome=outcome,
        reason=reason,
        conditions=(*_energy_conditions(answer), *_listing(cases)),
        numbers={
            "ratio_min": min(base.ratio),
            "ratio_max": max(base.ratio),
            "ratio_at_lowest_rate": base.ratio[0],
            "ratio_at_highest_rate": base.ratio[-1],
            "digital_leakage_share_at_lowest_rate": share,
        },
    )


def _hundredfold(answer: EnergyAnswer) -> Claim:
    """Judge: more than 100 times at every frequency, against two digital neurons."""
    base = answer.base_case
    cases = [(case, case.holds) for case in answer.sensitivities]
    outcome, reason = _over_cases(answer, cases, ("parallel", "serial"))
    found = "; ".join(
        f"{name}: least {_times(curve.minimum)} at {_where(answer, curve)}"
        for name, curve in base.against.items()
    )
    same_clock = answer.case("serial neuron at the same clock").against["serial"]
    return Claim(
        name="energy-100x",
        group="energy",
        source=f"{PREPRINT}; {JOURNAL}",
        stated="more than 100 times less energy than two digital neurons, at all frequencies",
        found=f"{found}; serial at the same clock, not the same rate: least {_times(same_clock.minimum)}",
        outcome=outcome,
        reason=reason,
        conditions=(*_energy_conditions(answer), *_listing(cases)),
        numbers={f"ratio_min_{name}": curve.minimum for name, curve in base.against.items()}
        | {"ratio_min_serial_same_clock": same_clock.minimum},
    )


def _femtojoule(answer: EnergyAnswer) -> Claim:
    """Judge: a femtojoule per MAC or less."""
    analog = [curve for curve in answer.curves if not curve.name.startswith(("parallel-", "serial-"))]
    least, rate, label = min(
        (energy, rate, curve.label)
        for curve in analog
        for rate, energy in zip(answer.rates, curve.energy_per_mac, strict=True)
    )
    outcome: Outcome
    if least <= _FEMTOJOULE:
        reached = [
            rate
            for curve in analog
            for rate, energy in zip(answer.rates, curve.energy_per_mac, strict=True)
            if energy <= _FEMTOJOULE
        ]
        outcome, reason = "holds if", f"the rate is at least {with_prefix(min(reached), 'Hz')} with {label}"
    else:
        outcome = "does not hold because"
        reason = (
            f"the least of all topologies, biases and rates is {significant(least / _FEMTOJOULE)} fJ, with "
            f"{label} at {with_prefix(rate, 'Hz')}; the M-2M ladder takes at least "
            f"{significant(_least(answer, 'm2m') / _FEMTOJOULE)} fJ, the full binary cell "
            f"{significant(_least(answer, 'full_binary') / _FEMTOJOULE)} fJ"
        )
    return Claim(
        name="energy-femtojoule",
        group="energy",
        source=JOURNAL,
        stated="a femtojoule per multiply-accumulate or less",
        found=f"least {significant(least / _FEMTOJOULE)} fJ/MAC, {label} at {with_prefix(rate, 'Hz')}",
        outcome=outcome,
        reason=reason,
        conditions=_energy_conditions(answer),
        numbers={"least_fj_per_mac": least / _FEMTOJOULE, "at_hz": rate},
    )


def _least(answer: EnergyAnswer, topology: str) -> float:
    return min(min(curve.energy_per_mac) for curve in answer.curves if curve.name.startswith(f"{topology}-"))


def _over_cases(
    answer: EnergyAnswer, cases: Sequence[tuple[Sensitivity, bool]], sides: Sequence[str]
) -> tuple[Outcome, str]:
    """Word the verdict: ``cases[0]`` is the base, the others change one of its assumptions or more."""

    def least(case: Sensitivity) -> float:
        return min(case.against[side].minimum for side in sides)

    def listed(chosen: Sequence[Sensitivity]) -> str:
        worst = sorted(chosen, key=least)[:NAMED_CASES]
        more = f" and {len(chosen) - len(worst)} more" if len(chosen) > len(worst) else ""
        return ", ".join(f"{case.label} ({_times(least(case))})" for case in worst) + more

    holding = [case for case, is_met in cases if is_met]
    failing = [case for case, is_met in cases if not is_met]
    base = answer.base_case
    if not failing:
        return "holds", ""
    if base in holding:
        return "holds if", f"{base.note}; not with: {listed(failing)}"
    if holding:
        return (
            "holds if",
            (
                f"one of these changes to the base case is made: {listed(holding)}; not in the base case "
                f"({_times(least(base))}), nor with: {listed(failing[1:])}"
            ),
        )
    return "does not hold because", f"the least ratio is {listed(failing)}"


def _listing(cases: Sequence[tuple[Sensitivity, bool]]) -> Iterator[str]:
    """Yield which cases meet a claim and which do not."""
    for word, wanted in (("met", True), ("not met", False)):
        names = "; ".join(case.label for case, is_met in cases if is_met == wanted)
        yield f"{word}: {names or 'in no case'}"


def _energy_conditions(answer: EnergyAnswer) -> tuple[str, ...]:
    study = answer.study
    return (
        answer.base_case.note,
        (
            f"{with_prefix(study.rates[0], 'Hz')} to {with_prefix(study.rates[1], 'Hz')}; a rate is results "
            "per second and neuron, the same for all neurons"
        ),
        f"prices: {answer.prices.title}, {answer.prices.supply:g} V, {answer.prices.temperature:g} K",
        "digital neurons of counted cells; the generated Verilog is a case of its own",
    )


def _is_largest_first(ratio: Sequence[float]) -> bool:
    """Whether the ratio is largest at the lowest rate, to a percent."""
    return ratio[0] >= 0.99 * max(ratio)


def _where(answer: EnergyAnswer, curve: RatioCurve) -> str:
    return with_prefix(answer.rates[curve.ratio.index(curve.minimum)], "Hz")


def _times(ratio: float) -> str:
    return f"{significant(ratio)}x" if ratio else "cannot give every rate"


# ---- accuracy ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Statement:
    name: str
    group: NetworkGroup
    source: str
    stated: str
    limit: float
    noise: float
    variation: Variation


_STATEMENTS = (
    _Statement(
        name="mnist-noise",
        group="mnist",
        source=ICRC,
        stated="MNIST error up by 3 % at worst at an integrated noise of about 1 uV^2 (read as 1e-6 V^2)",
        limit=0.03,
        noise=1e-6,
        variation="none",
    ),
    _Statement(
        name="mnist-variation",
        group="mnist",
        source=PREPRINT,
        stated="MNIST error up by 2.1 % at worst at about 0.1 uV^2 (0.1e-6 V^2), 8 bit, with ±3σ variation "
        "and mismatch",
        limit=0.021,
        noise=0.1e-6,
        variation="global",
    ),
    _Statement(
        name="cnn-noise",
        group="cnn",
        source=ICRC,
        stated="as mnist-noise, for a convolutional network",
        limit=0.03,
        noise=1e-6,
        variation="none",
    ),
    _Statement(
        name="cnn-variation",
        group="cnn",
        source=PREPRINT,
        stated="as mnist-variation, for a convolutional network",
        limit=0.021,
        noise=0.1e-6,
        variation="global",
    ),
    _Statement(
        name="cifar10-variation",
        group="cifar10",
        source=JOURNAL,
        stated="CIFAR-10 error up by 2.1 % at worst at about 0.1 uV^2 (0.1e-6 V^2), 8 bit, with ±3σ "
        "variation and mismatch",
        limit=0.021,
        noise=0.1e-6,
        variation="global",
    ),
)

HOW_TO_GET = {
    "mnist": "give a folder with the four IDX files of MNIST as --data FOLDER",
    "cnn": "give a folder with the four IDX files of MNIST as --data FOLDER",
    "cifar10": "give the folder of CIFAR-10's binary version as --cifar10 FOLDER and a network trained on it "
    "as --cifar10-network FILE.npz",
}
"""What a user must do so that a group of claims can be checked."""


def judge_accuracy(answer: AccuracyAnswer, groups: Sequence[NetworkGroup]) -> Iterator[Claim]:
    """Yield the claims about accuracy of the ``groups``."""
    for statement in _STATEMENTS:
        if statement.group in groups:
            yield _judge(statement, answer)


def _judge(statement: _Statement, answer: AccuracyAnswer) -> Claim:
    widest = max(answer.study.bits)
    results = answer.of(statement.group, bits=widest, noise=statement.noise, variation=statement.variation)
    if not results:
        why = answer.missing.get(statement.group, f"the study has no noise of {statement.noise:g} V^2")
        return Claim(
            name=statement.name,
            group=statement.group,
            source=statement.source,
            stated=statement.stated,
            found="nothing",
            outcome="not checked because",
            reason=f"{why}: {HOW_TO_GET[statement.group]}",
            conditions=(),
            numbers={},
        )
    full_scales = sorted({result.condition.full_scale for result in results})
    worst = {
        full_scale: max(
            (result for result in results if result.condition.full_scale == full_scale),
            key=lambda result: result.worst_increase,
        )
        for full_scale in full_scales
    }
    outcome, reason = _over_full_scales(worst, statement.limit)
    n_chips = min(len(result.correct) for result in results)
    networks = sorted({result.condition.network for result in results})
    return Claim(
        name=statement.name,
        group=statement.group,
        source=statement.source,
        stated=statement.stated,
        found=f"{_per_full_scale('worst chip', worst, 'worst_increase')}; "
        f"{_per_full_scale('mean', worst, 'mean_increase')}",
        outcome=outcome,
        reason=reason,
        conditions=(
            f"{widest} bit; {VARIATIONS[statement.variation]}; {', '.join(networks)}",
            f"worst of {n_chips} chips; {results[0].n_images} test images",
            *(f"{network}: {answer.training[network]}" for network in networks),
            *(f"{full_scale:g} V full scale: {_noise_text(result)}" for full_scale, result in worst.items()),
            "error increase over the quantised network without noise, in points of percent of all images",
        ),
        numbers={
            f"{which}_increase_at_{full_scale:g}_v": getattr(result, f"{which}_increase")
            for full_scale, result in worst.items()
            for which in ("worst", "mean")
        },
    )


def _per_full_scale(what: str, results: Mapping[float, Result], field: str) -> str:
    """Word one number at each full scale: ``mean +0.10, +0.02 points at 0.1, 1 V full scale``."""
    increases = ", ".join(f"{100 * getattr(result, field):+.2f}" for result in results.values())
    return f"{what} {increases} points at {', '.join(f'{scale:g}' for scale in results)} V full scale"


def _over_full_scales(worst: Mapping[float, Result], limit: float) -> tuple[Outcome, str]:
    """Word the verdict from the worst network at each full scale, smallest first."""
    failing = [full_scale for full_scale, result in worst.items() if result.worst_increase > limit]
    if not failing:
        return "holds", ""
    passing = [full_scale for full_scale in worst if full_scale > max(failing)]
    beyond = ", ".join(f"{points(worst[scale].worst_increase)} at {scale:g} V" for scale in failing)
    if passing:
        return "holds if", f"the full scale is at least {min(passing):g} V; {beyond}"
    noise = worst[failing[-1]]
    return "does not hold because", f"the worst chip loses {beyond}; {_noise_text(noise)}"


def _noise_text(result: Result) -> str:
    condition = result.condition
    return (
        f"noise {condition.noise_rms * 1e3:.3g} mV rms = {condition.noise * 1e6:g}e-6 V^2 = "
        f"{condition.noise_lsb:.2g} LSB of {condition.lsb * 1e3:.3g} mV"
    )


def points(fraction: float) -> str:
    """Write a difference of two fractions in points of percent."""
    return f"{100 * fraction:+.2f} points"
