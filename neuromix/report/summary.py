"""What a run found, as data: built once, written as JSON and CSV, rendered to HTML by :mod:`.render`."""

import csv
import io
import json
import math
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import (
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    TypeAdapter,
)
from pydantic.dataclasses import dataclass
from scipy.stats import binomtest

__all__ = [
    "CONFIDENCE",
    "Accuracy",
    "Agreement",
    "AnalogParameter",
    "BackEndName",
    "BackEndResult",
    "ChipSummary",
    "Conversion",
    "NetworkSummary",
    "Phase",
    "Price",
    "Raster",
    "Report",
    "Trace",
    "VerilogFile",
    "from_json",
    "to_csv",
    "to_json",
]

CONFIDENCE = 0.95
"""Coverage of every interval in the report."""

SUM_TOLERANCE = 1e-3
"""How far an itemised energy may be from its total, relative: room for rounding, not for a lost item."""

BackEndName = Literal["parallel", "serial", "mixed_signal"]
Fraction = Annotated[float, Field(ge=0, le=1)]
Energies = dict[str, NonNegativeFloat]
Integers = tuple[int, ...]
Numbers = tuple[float, ...]

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


def _check(condition: bool, where: str, what: str, allowed: object, given: object) -> None:
    if not condition:
        raise ValueError(f"{where}: {what} must be {allowed}, got {given}")


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Accuracy:
    """How many of ``total`` images were classified correctly."""

    correct: NonNegativeInt
    total: PositiveInt

    def __post_init__(self) -> None:
        _check(self.correct <= self.total, "accuracy", "correct", f"at most {self.total}", self.correct)

    @property
    def fraction(self) -> float:
        """Share of correct images, 0 to 1."""
        return self.correct / self.total

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson score interval of the fraction at :data:`CONFIDENCE` (Wilson, JASA 22, 1927)."""
        interval = binomtest(self.correct, self.total).proportion_ci(CONFIDENCE, method="wilson")
        return float(interval.low), float(interval.high)


@dataclass(frozen=True, kw_only=True, config=STRICT)
class BackEndResult:
    """One network on one kind of neuron: does it classify, how fast, at what energy.

    ``confusion[true][predicted]`` counts images. ``components`` and ``by_block`` itemise the same energy per
    inference [pJ], once by what consumes it and once by where; ``by_block`` may be empty. ``annotated_share``
    is the share of nets whose toggles were counted. ``latency_s`` is from input to answer at ``clock_hz``;
    ``toggles_by_phase[block][phase]`` and ``toggles_by_class[image class]`` are per inference, clocks left
    out; they may be empty. ``images_per_second`` is how fast the simulator ran, on the wall clock.
    """

    name: BackEndName
    simulator: str
    accuracy: Accuracy
    confusion: tuple[Integers, ...]
    cycles_per_inference: PositiveFloat
    clock_hz: PositiveFloat
    latency_s: NonNegativeFloat
    components: Energies
    by_block: Energies
    energy_per_inference_pj: NonNegativeFloat
    energy_per_mac_fj: NonNegativeFloat
    energy_per_sop_fj: NonNegativeFloat
    toggles_per_inference: NonNegativeFloat
    annotated_share: Fraction
    toggles_by_phase: dict[str, Energies] = Field(default_factory=dict)
    toggles_by_class: Energies = Field(default_factory=dict)
    images_per_second: float | None = None

    def __post_init__(self) -> None:
        n_classes = len(self.confusion)
        images = sum(map(sum, self.confusion))
        hits = sum(row[index] for index, row in enumerate(self.confusion) if index < len(row))
        square = all(len(row) == n_classes for row in self.confusion)
        _check(square, self.name, "confusion", "square", [len(row) for row in self.confusion])
        _check(images == self.accuracy.total, self.name, "images in confusion", self.accuracy.total, images)
        _check(hits == self.accuracy.correct, self.name, "diagonal", self.accuracy.correct, hits)
        for what, items in (("components", self.components), ("blocks", self.by_block)):
            total = math.fsum(items.values())
            expected = self.energy_per_inference_pj
            complete = math.isclose(total, expected, rel_tol=SUM_TOLERANCE) or (
                what == "blocks" and not items
            )
            _check(complete, self.name, f"sum of energy {what}", f"{expected} pJ", f"{total} pJ")

    @property
    def inferences_per_second(self) -> float:
        """Throughput of the chip at its clock, images in a row [1/s]."""
        return self.clock_hz / self.cycles_per_inference


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Agreement:
    """One simulated run of the Verilog held against the golden model, event by event."""

    back_end: BackEndName
    simulator: str
    images: NonNegativeInt
    events_compared: NonNegativeInt
    differences: NonNegativeInt
    events_sent: NonNegativeInt
    events_received: NonNegativeInt
    lost: NonNegativeInt
    duplicated: NonNegativeInt

    @property
    def complete(self) -> bool:
        """Whether events were compared, all were equal, and each arrived exactly once."""
        return self.events_compared > 0 and not (
            self.differences or self.lost or self.duplicated or self.events_sent != self.events_received
        )


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Raster:
    """Events of a window of time steps: event i is row ``row[i]`` firing ``payload[i]`` in ``step[i]``.

    Rows count through all ``populations`` (name to number of neurons, in order). ``step`` counts from
    ``first_step``. ``captions`` may name what enters the network in each step.
    """

    populations: Annotated[dict[str, PositiveInt], Field(min_length=1)]
    first_step: int
    n_steps: PositiveInt
    payload_max: PositiveInt
    step: Integers
    row: Integers
    payload: Integers
    captions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        sizes = {len(self.step), len(self.row), len(self.payload)}
        _check(len(sizes) == 1, "raster", "step, row and payload", "equally long", sorted(sizes))
        for what, values, low, high in (
            ("step", self.step, self.first_step, self.first_step + self.n_steps - 1),
            ("row", self.row, 0, sum(self.populations.values()) - 1),
            ("payload", self.payload, 1, self.payload_max),
        ):
            wrong = [value for value in values if not low <= value <= high]
            _check(not wrong, "raster", what, f"{low} to {high}", wrong[:1])
        named = len(self.captions) in (0, self.n_steps)
        _check(named, "raster", "number of captions", f"0 or {self.n_steps}", len(self.captions))


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Phase:
    """A stretch of the trace in which the analog array does one thing, such as reset."""

    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Conversion:
    """The codes that the ADC gave at ``time_s``, one per neuron of the trace [LSB]."""

    time_s: float
    codes: Integers


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Trace:
    """Voltage of the summing nodes of a few neurons: ``node_voltage_v[neuron][sample]``."""

    neurons: Annotated[tuple[str, ...], Field(min_length=1)]
    time_s: Annotated[Numbers, Field(min_length=2)]
    node_voltage_v: tuple[Numbers, ...]
    full_scale_v: PositiveFloat
    phases: tuple[Phase, ...]
    conversions: tuple[Conversion, ...]

    def __post_init__(self) -> None:
        shape = [len(samples) for samples in self.node_voltage_v]
        expected = [len(self.time_s)] * len(self.neurons)
        _check(shape == expected, "trace", "samples of each neuron", expected, shape)
        codes = {len(conversion.codes) for conversion in self.conversions} - {len(self.neurons)}
        _check(not codes, "trace", "codes of each conversion", len(self.neurons), sorted(codes))


@dataclass(frozen=True, kw_only=True, config=STRICT)
class NetworkSummary:
    """The network that ran: its layer sizes from input to output, and what quantisation cost."""

    name: str
    layers: Integers
    synapses: NonNegativeInt
    macs: NonNegativeInt
    float_accuracy: Fraction
    quantized_accuracy: Fraction
    saturated_weights: NonNegativeInt
    provenance: dict[str, str]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class VerilogFile:
    """One emitted file."""

    name: str
    size_bytes: NonNegativeInt


@dataclass(frozen=True, kw_only=True, config=STRICT)
class ChipSummary:
    """The generated hardware. ``lint`` says per tool how it took the Verilog, such as ``clean``."""

    mesh_width: PositiveInt
    mesh_height: PositiveInt
    tiles_used: PositiveInt
    axons_per_core: PositiveInt
    neurons_per_core: PositiveInt
    clock_hz: PositiveFloat
    memory_bits: NonNegativeInt
    verilog: tuple[VerilogFile, ...]
    lint: dict[str, str]


@dataclass(frozen=True, kw_only=True, config=STRICT)
class AnalogParameter:
    """A parameter of the analog neuron with its unit in the value, such as ``0.32 mV rms``."""

    name: str
    value: str
    note: str = ""


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Price:
    """What one operation costs, who says so, and under which conditions it holds."""

    key: str
    value: float
    unit: str
    source: str
    conditions: str


@dataclass(frozen=True, kw_only=True, config=STRICT)
class Report:
    """Everything that one experiment found; what could not be had is absent, never made up."""

    name: str
    title: str
    seed: int
    command: str
    versions: dict[str, str]
    network: NetworkSummary
    chip: ChipSummary
    back_ends: Annotated[tuple[BackEndResult, ...], Field(min_length=1)]
    agreements: tuple[Agreement, ...]
    prices: tuple[Price, ...]
    limits: tuple[str, ...]
    analog: tuple[AnalogParameter, ...] = ()
    raster: Raster | None = None
    trace: Trace | None = None

    def __post_init__(self) -> None:
        names = [result.name for result in self.back_ends]
        _check(len(set(names)) == len(names), "report", "back ends", "named once", names)

    @property
    def agreeing(self) -> bool:
        """Whether there was something to compare and every comparison is complete and without difference."""
        return bool(self.agreements) and all(agreement.complete for agreement in self.agreements)

    def agreements_of(self, back_end: str) -> tuple[Agreement, ...]:
        """Return the runs of one back end."""
        return tuple(agreement for agreement in self.agreements if agreement.back_end == back_end)


def to_json(report: Report) -> str:
    """Return ``report.json``: headline numbers under stable keys, then everything under ``data``."""
    headline = {
        "name": report.name,
        "seed": report.seed,
        "accuracy": {
            result.name: {
                "fraction": result.accuracy.fraction,
                "low": result.accuracy.interval[0],
                "high": result.accuracy.interval[1],
                "correct": result.accuracy.correct,
                "total": result.accuracy.total,
            }
            for result in report.back_ends
        },
        "agreement": TypeAdapter(tuple[Agreement, ...]).dump_python(report.agreements, mode="json"),
        "energy_per_inference_pj": {r.name: r.energy_per_inference_pj for r in report.back_ends},
        "energy_per_mac_fj": {r.name: r.energy_per_mac_fj for r in report.back_ends},
        "energy_per_sop_fj": {r.name: r.energy_per_sop_fj for r in report.back_ends},
        "cycles_per_inference": {r.name: r.cycles_per_inference for r in report.back_ends},
        "events_sent": sum(agreement.events_sent for agreement in report.agreements),
        "events_received": sum(agreement.events_received for agreement in report.agreements),
        "events_lost": sum(agreement.lost for agreement in report.agreements),
        "events_duplicated": sum(agreement.duplicated for agreement in report.agreements),
        "versions": report.versions,
    }
    data = TypeAdapter(Report).dump_python(report, mode="json")
    return json.dumps(headline | {"data": data}, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def from_json(text: str) -> Report:
    """Return the report that :func:`to_json` wrote. Raises ValueError if ``text`` is not one."""
    document = json.loads(text)
    _check(isinstance(document, dict) and "data" in document, "report.json", "data", "present", "nothing")
    return TypeAdapter(Report).validate_python(document["data"])


def to_csv(report: Report) -> str:
    """Return ``summary.csv``: one row per metric and back end; ``all`` where it concerns the whole run."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("metric", "back_end", "value", "unit"))
    writer.writerows(_metrics(report))
    return text.getvalue()


def _metrics(report: Report) -> Iterator[tuple[str, str, object, str]]:
    yield "seed", "all", report.seed, ""
    yield "float_accuracy", "all", report.network.float_accuracy, "1"
    yield "quantized_accuracy", "all", report.network.quantized_accuracy, "1"
    for result in report.back_ends:
        low, high = result.accuracy.interval
        for metric, value, unit in (
            ("accuracy", result.accuracy.fraction, "1"),
            ("accuracy_low", low, "1"),
            ("accuracy_high", high, "1"),
            ("images_correct", result.accuracy.correct, "images"),
            ("images", result.accuracy.total, "images"),
            ("clock", result.clock_hz, "Hz"),
            ("cycles_per_inference", result.cycles_per_inference, "cycles"),
            ("latency", result.latency_s, "s"),
            ("toggles_per_inference", result.toggles_per_inference, "toggles"),
            ("annotated_share", result.annotated_share, "1"),
            ("energy_per_inference", result.energy_per_inference_pj, "pJ"),
            ("energy_per_mac", result.energy_per_mac_fj, "fJ"),
            ("energy_per_sop", result.energy_per_sop_fj, "fJ"),
        ):
            yield metric, result.name, value, unit
        if result.images_per_second is not None:
            yield "simulated_images_per_second", result.name, result.images_per_second, "1/s"
        for component, energy_pj in result.components.items():
            yield f"energy_component.{component}", result.name, energy_pj, "pJ"
        for block, energy_pj in result.by_block.items():
            yield f"energy_block.{block}", result.name, energy_pj, "pJ"
    for agreement in report.agreements:
        for metric in (
            "events_compared",
            "differences",
            "events_sent",
            "events_received",
            "lost",
            "duplicated",
        ):
            value = getattr(agreement, metric)
            yield f"{metric}.{agreement.simulator}", agreement.back_end, value, "events"
