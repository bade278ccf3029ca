"""What may be written in an experiment file: names, units, bounds, defaults and their meaning."""

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    SerializerFunctionWrapHandler,
    Strict,
    StrictBool,
    ValidationError,
    ValidationInfo,
    model_serializer,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from analog_models.array import ArrayParameters
from analog_models.neuron import MixedSignalNeuronParameters
from analog_models.spiking import SpikingNeuronParameters
from analog_models.spiking_array import SpikingArrayParameters

from .parameters import FromFile
from .quantity import Quantity, requirement

__all__ = [
    "BackEnds",
    "ChipConfig",
    "Cifar10Data",
    "CoreConfig",
    "CosimConfig",
    "DigitsData",
    "EnergyConfig",
    "ExperimentConfig",
    "IdxData",
    "MeshConfig",
    "MixedSignalBackEnd",
    "ParallelBackEnd",
    "SerialBackEnd",
    "Simulator",
]

_PRODUCT = Path(__file__).parent.parent
NETWORKS = _PRODUCT / "experiments" / "networks"
PRICE_TABLES = _PRODUCT / "energy" / "tables"

Simulator = Literal["verilator", "icarus"]
Bridge = Literal["compiled", "cocotb", "stock"]
Whole = Annotated[int, Strict()]


@dataclass(frozen=True)
class Says:
    """Annotation that words the requirement on a value, whatever in it fails."""

    sentence: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def validate(value: object, inner: core_schema.ValidatorFunctionWrapHandler) -> object:
            try:
                return inner(value)
            except ValidationError:
                raise requirement(self.sentence) from None

        return core_schema.no_info_wrap_validator_function(validate, handler(source))


@dataclass(frozen=True)
class ShippedOrPath:
    """Annotation of a file given by the name under which it is shipped, or by path."""

    what: str
    folder: Path
    suffix: str

    def __call__(self, value: object, info: ValidationInfo) -> str:
        """Return the absolute path of ``value``; shipped names must exist, paths are checked when read."""
        if isinstance(value, str | Path) and Path(value).suffix == self.suffix:
            return str(_from_file(Path(value), info))
        shipped = sorted(path.stem for path in self.folder.glob(f"*{self.suffix}"))
        if value in shipped:
            return str(self.folder / f"{value}{self.suffix}")
        close = difflib.get_close_matches(str(value), shipped, n=1)
        hint = f" (did you mean {close[0]}?)" if close else ""
        names = ", ".join(shipped) or "none"
        raise requirement(f"a shipped {self.what}, one of {names}{hint}, or the path of a {self.suffix} file")


def _from_file(path: Path, info: ValidationInfo) -> Path:
    """Return ``path`` absolute; a relative one counts from the folder of the experiment file."""
    folder = (info.context or {}).get("folder", Path())
    return Path(folder, path.expanduser()).absolute()


def _power_of_two(value: int) -> int:
    if value & (value - 1):
        raise ValueError
    return value


def _without_repeats(value: tuple[Simulator, ...]) -> tuple[Simulator, ...]:
    if len(set(value)) < len(value):
        raise requirement("a list without repeats")
    return value


class Section(BaseModel):
    """Mapping of an experiment file: frozen, and free of keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _empty_takes_defaults(cls, values: object) -> object:
        return {} if values is None else values


class DigitsData(Section):
    """Handwritten digits of 8 x 8 pixels that come with scikit-learn."""

    kind: Literal["digits"]


class IdxData(Section):
    """Images and labels in IDX files, such as MNIST."""

    kind: Literal["idx"]
    path: Annotated[Path, AfterValidator(_from_file)] = Field(
        description="Folder of the IDX files, plain or .gz; relative to the experiment file."
    )


class Cifar10Data(Section):
    """CIFAR-10 in its binary files: colour images of 32 x 32 pixels, 3,072 inputs."""

    kind: Literal["cifar10"]
    path: Annotated[Path, AfterValidator(_from_file)] = Field(
        description="Folder of data_batch_*.bin and test_batch.bin; relative to the experiment file."
    )


class MeshConfig(Section):
    """How many tiles the chip has."""

    width: Whole = Field(default=2, ge=1, le=16, description="Tiles in a row.")
    height: Whole = Field(default=2, ge=1, le=16, description="Tiles in a column.")


class CoreConfig(Section):
    """How large the core of each tile is."""

    axons: Whole = Field(default=66, ge=1, le=4096, description="Inputs of a core, bias axons included.")
    neurons: Whole = Field(default=16, ge=1, le=1024, description="Neurons of a core.")
    fan_out: Whole = Field(default=2, ge=1, le=16, description="Cores that one neuron can send to.")


class ChipConfig(Section):
    """The chip, the same for every back end."""

    mesh: MeshConfig = Field(default_factory=MeshConfig)
    core: CoreConfig = Field(default_factory=CoreConfig)
    queue_depth: Whole = Field(default=4, ge=2, le=16, description="Events that each router input can hold.")
    payload_bits: Whole = Field(
        default=8, ge=0, le=8, description="Width of an event's payload; 0 is a binary spike."
    )
    clock: Annotated[float, Quantity(unit="Hz", example="100 MHz", low=1e3, high=10e9)] = Field(
        default="100 MHz", validate_default=True, description="Clock of the whole chip."
    )


class ParallelBackEnd(Section):
    """Fully parallel digital neurons: a multiplier per axon, an adder tree, a neuron per clock cycle."""


class SerialBackEnd(Section):
    """Event-driven digital neurons, time-multiplexed on a few multiply-accumulate lanes."""

    lanes: Annotated[
        int,
        Strict(),
        Field(ge=1, le=1024),
        AfterValidator(_power_of_two),
        Says("a power of two from 1 to 1024"),
    ] = Field(default=1, description="Neurons updated at once; a power of two.")


_Chosen = BeforeValidator(lambda value: {} if value is None else value)


class MixedSignalBackEnd(Section):
    """Analog array behind a digital boundary: weights as currents, codes in and out.

    Its neurons are converted by an ADC, ``neuron``, or integrate and fire, ``spiking``.
    """

    settle_cycles: Whole = Field(default=4, ge=3, le=1000, description="Clock cycles of the evaluate phase.")
    reset_cycles: Whole = Field(default=1, ge=1, le=1000, description="Clock cycles of the reset phase.")
    convert_cycles: Whole = Field(
        default=8, ge=1, le=1000, description="Clock cycles of a conversion by the ADC."
    )
    calibrate: StrictBool = Field(
        default=False,
        description="Whether the chip has the hardware to trim its neurons, and does so after reset.",
    )
    neuron: Annotated[MixedSignalNeuronParameters, FromFile()] = Field(
        default_factory=MixedSignalNeuronParameters,
        description="Physics of analog neurons whose nodes an ADC converts.",
    )
    spiking: Annotated[Annotated[SpikingNeuronParameters, FromFile()] | None, _Chosen] = Field(
        default=None,
        description="Physics of analog neurons that fire while a step is evaluated, and whose spikes are "
        "counted; they stand in for `neuron`.",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> "MixedSignalBackEnd":
        if self.spiking is not None:
            if "neuron" in self.model_fields_set:
                raise requirement("either neuron or spiking")
            if self.calibrate:
                raise requirement("without calibrate where neurons are spiking, for these have no trims")
            if self.spiking.clocked:
                raise requirement("spiking with clocked: false, so that a step may have many spikes")
        return self

    @model_serializer(mode="wrap")
    def _write_one_kind(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        other = "spiking" if self.spiking is None else "neuron"
        return {name: value for name, value in write(self).items() if name != other}

    @property
    def design(self) -> ArrayParameters:
        """The design of the arrays."""
        return self.neuron if self.spiking is None else SpikingArrayParameters(neuron=self.spiking)


class BackEnds(Section):
    """Which kinds of neuron the same network is run on; one that is not named is left out."""

    parallel: Annotated[ParallelBackEnd | None, _Chosen] = None
    serial: Annotated[SerialBackEnd | None, _Chosen] = None
    mixed_signal: Annotated[MixedSignalBackEnd | None, _Chosen] = None

    @model_validator(mode="after")
    def _at_least_one(self) -> "BackEnds":
        if not self.names:
            raise requirement("at least one of parallel, serial, mixed_signal")
        return self

    @model_serializer(mode="wrap")
    def _write_those_named(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        return {name: value for name, value in write(self).items() if value is not None}

    @property
    def names(self) -> tuple[str, ...]:
        """The back ends named in the file, in the order of the report."""
        return tuple(name for name in type(self).model_fields if getattr(self, name) is not None)


class CosimConfig(Section):
    """How the Verilog is simulated together with the analog neurons."""

    simulators: Annotated[tuple[Simulator, ...], AfterValidator(_without_repeats)] = Field(
        default=("verilator", "icarus"),
        min_length=1,
        description="Simulators that run the mixed-signal chip; the first also runs the digital ones.",
    )
    every_back_end: StrictBool = Field(
        default=False, description="Whether every simulator runs every back end."
    )
    bridge: Bridge = Field(
        default="compiled",
        description="How Verilator meets the analog arrays: `compiled` with whole runs, no Python beside it; "
        "`cocotb` with Python woken in every step, `stock` the same with nothing but what cocotb brings, as "
        "on Icarus.",
    )
    images_per_part: Whole = Field(
        default=1000,
        ge=1,
        le=100_000,
        description="Test images simulated in one go. Parts run side by side; finished ones are kept.",
    )
    watchdog: Whole = Field(
        default=100_000,
        ge=100,
        le=1_000_000_000,
        description="Clock cycles without progress that end a simulation.",
    )


class EnergyConfig(Section):
    """How toggles become joules."""

    table: Annotated[Path, BeforeValidator(ShippedOrPath("price table", PRICE_TABLES, ".yaml"))] = Field(
        default="ptm65-gp",
        validate_default=True,
        description="Price table: a shipped name, or the path of a .yaml relative to the experiment file.",
    )
    images: Whole = Field(
        default=20, ge=1, description="Images of the traced run, in which toggles are counted."
    )
    supply: Annotated[float, Quantity(unit="V", example="1.0 V", low=0.1, high=5.0)] = Field(
        default="1.0 V", validate_default=True, description="Supply of the digital cells."
    )
    temperature: Annotated[float, Quantity(unit="K", example="300 K", low=200.0, high=450.0)] = Field(
        default="300 K", validate_default=True, description="Junction temperature."
    )


class ExperimentConfig(Section):
    """One experiment: a network, its data, a chip, and what to find out about it."""

    name: Annotated[
        str,
        Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60),
        Says("lower-case letters, digits and hyphens, at most 60"),
    ] = Field(description="Identifier; results go to build/<name>.")
    title: str = Field(default="", description="Heading of the report; the name if empty.")
    seed: Whole = Field(
        default=1, ge=0, le=2**32 - 1, description="Source of all randomness: same seed, same result."
    )
    network: Annotated[Path, BeforeValidator(ShippedOrPath("network", NETWORKS, ".npz"))] = Field(
        description="Trained network: a shipped name, or the path of an .npz relative to the experiment file."
    )
    data: DigitsData | IdxData | Cifar10Data = Field(discriminator="kind", description="Images to classify.")
    images: Annotated[
        Annotated[int, Strict(), Field(ge=1)] | Literal["all"], Says("a whole number of at least 1, or 'all'")
    ] = Field(default="all", description="How many test images are classified.")
    weight_bits: Whole = Field(default=8, ge=2, le=8, description="Width of a weight code, sign included.")
    chip: ChipConfig = Field(default_factory=ChipConfig)
    back_ends: BackEnds
    cosim: CosimConfig = Field(default_factory=CosimConfig)
    energy: EnergyConfig = Field(default_factory=EnergyConfig)

    @property
    def mixed_signal(self) -> MixedSignalBackEnd:
        """The mixed-signal back end. Raises ValueError if there is none."""
        if self.back_ends.mixed_signal is None:
            names = ", ".join(self.back_ends.names)
            raise ValueError(f"{self.name}: back_ends must name mixed_signal, got {names}")
        return self.back_ends.mixed_signal

    @property
    def converting_neuron(self) -> MixedSignalNeuronParameters:
        """The neuron of a mixed-signal back end whose nodes are converted. Raises ValueError for others."""
        if self.mixed_signal.spiking is not None:
            raise ValueError(
                f"{self.name}: back_ends.mixed_signal must have neurons with converters, got spiking"
            )
        return self.mixed_signal.neuron
