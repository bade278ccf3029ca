"""What may be written in the file of a study: assumptions under which claims are checked."""

import difflib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from ..config import ExperimentError, Problem, Quantity, load_document
from ..config.experiment import Section, Whole
from ..config.problems import Place

__all__ = ["AccuracyStudy", "EnergyStudy", "NetworkGroup", "Study", "load_study", "shipped_studies"]

_EXPERIMENTS = Path(__file__).parent.parent / "experiments"

NetworkGroup = Literal["mnist", "cnn", "cifar10"]

Rate = Annotated[float, Quantity(unit="Hz", example="1 kHz", low=1.0, high=1e11)]
Noise = Annotated[float, Quantity(unit="V^2", example="1e-6 V^2", low=1e-10, high=1e-4)]
FullScale = Annotated[float, Quantity(unit="V", example="0.2 V", low=0.01, high=1.0)]
Bits = Annotated[int, Field(strict=True, ge=2, le=8)]


class EnergyStudy(Section):
    """Assumptions of energy per multiply-accumulate against rate."""

    rates: tuple[Rate, Rate] = Field(description="Lowest and highest rate.")
    rate_max: Rate = Field(description="Rate that fixed and gated biases are sized for.")
    clock_max: Rate = Field(description="Largest clock of the digital neurons.")
    fan_in: Whole = Field(ge=1, le=4096, description="Inputs of the neuron, a square number.")
    large_fan_in: Whole = Field(ge=1, le=2048, description="Inputs of a large neuron, a square number.")
    table: str = Field(description="Price table.")
    low_power_table: str = Field(description="Price table of a low-leakage process.")
    hot: Annotated[float, Quantity(unit="K", example="358 K", low=200.0, high=450.0)] = Field(
        description="Temperature of the hot case."
    )
    adc: Annotated[float, Quantity(unit="J", example="2.7 pJ", low=0.0, high=1e-9)] = Field(
        description="Energy of a conversion, where there is one."
    )
    noise: tuple[Noise, ...] = Field(min_length=1, description="Noise powers on the summing node.")
    results: Whole = Field(ge=1, le=4000, description="Simulated results in which toggles are counted.")


class AccuracyStudy(Section):
    """Assumptions of the accuracy of networks of mixed-signal neurons."""

    networks: dict[NetworkGroup, tuple[str, ...]] = Field(description="Networks by claim.")
    noise: tuple[Noise, ...] = Field(min_length=1, description="Noise powers on the summing node.")
    full_scales: tuple[FullScale, ...] = Field(min_length=1, description="Swings of all output codes.")
    bits: tuple[Bits, ...] = Field(min_length=1, description="Widths of weights and activations.")
    bits_full_scale: FullScale = Field(description="Full scale of the sweep over bits.")
    chips: Whole = Field(ge=2, le=100_000, description="Chips drawn for each condition.")
    images: Annotated[int, Field(strict=True, ge=1)] | Literal["all"] = Field(
        default="all", description="Test images classified by every chip."
    )


class Study(Section):
    """A study: which claims are checked under which assumptions."""

    model_config = ConfigDict(frozen=True, extra="forbid", title="Study")

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60, description="Results go to build/<name>."
    )
    title: str = Field(description="Heading of the report.")
    seed: Whole = Field(default=1, ge=0, le=2**32 - 1, description="Source of all randomness.")
    energy: EnergyStudy
    accuracy: AccuracyStudy

    @model_validator(mode="after")
    def _rates_in_order(self) -> "Study":
        low, high = self.energy.rates
        if low >= high:
            raise ValueError(
                f"study: rates must be the lower and the higher one, got {low:g} and {high:g} Hz"
            )
        return self

    def with_network(self, group: NetworkGroup, network: str) -> "Study":
        """Return the study with ``network``, a shipped name or a path, as the one of ``group``."""
        networks = {**self.accuracy.networks, group: (network,)}
        return self.model_copy(update={"accuracy": self.accuracy.model_copy(update={"networks": networks})})

    def quick(self) -> "Study":
        """Return the study cut down to a look: fewer simulated results, chips, images and widths."""
        energy, accuracy = self.energy, self.accuracy
        return self.model_copy(
            update={
                "energy": energy.model_copy(update={"results": min(60, energy.results)}),
                "accuracy": accuracy.model_copy(
                    update={
                        "chips": min(20, accuracy.chips),
                        "images": 1000 if accuracy.images == "all" else min(1000, accuracy.images),
                        "bits": tuple(sorted({min(accuracy.bits), max(accuracy.bits)})),
                    }
                ),
            }
        )


def shipped_studies() -> dict[str, Path]:
    """Return the files of all shipped studies by name."""
    return {path.parent.name: path for path in sorted(_EXPERIMENTS.glob("*/study.yaml"))}


def load_study(name_or_path: str) -> Study:
    """Read a shipped study by name, or any by path. Raises ExperimentError with every problem of the file."""
    shipped = shipped_studies()
    path = shipped.get(name_or_path, Path(name_or_path))
    if name_or_path not in shipped and path.suffix not in (".yaml", ".yml"):
        close = difflib.get_close_matches(name_or_path, shipped, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        message = (
            f"must be a shipped study ({', '.join(shipped)}) or a .yaml file, got {name_or_path!r}{hint}"
        )
        raise ExperimentError([Problem(Place("study"), "", message)])
    return load_document(Study, path)
