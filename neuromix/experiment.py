"""An experiment ready to run: network quantised and mapped, images chosen, analog arrays drawn."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from analog_models.array import ArrayBank
from cosim.job import AnalogArrays
from rtl_gen.chip import ChipParameters

from .calibration import CalibrationPlan, Trims, find_trims, plan_calibration
from .config import BackEnds, Cifar10Data, DigitsData, ExperimentConfig, IdxData
from .mapping import MappedNetwork, Position, map_network
from .network.datasets import Dataset, load_cifar10, load_digits, load_idx, to_codes
from .network.network import Network
from .network.quantize import QuantizedNetwork, quantize
from .reference import CoreModel, array_banks, array_models, digital_models, draw_arrays

__all__ = ["BackEnd", "Experiment", "Part", "prepare", "with_chip"]


@dataclass(frozen=True, kw_only=True, eq=False)
class BackEnd:
    """One kind of neuron under the network: its chip, and what each of its cores computes."""

    name: str
    chip: ChipParameters
    models: Mapping[Position, CoreModel]
    arrays: AnalogArrays | None = None
    banks: Mapping[Position, ArrayBank] = field(default_factory=dict)
    calibration: CalibrationPlan | None = None
    trims: Trims = field(default_factory=dict)
    """Those that the calibration finds; empty without one."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Part:
    """Test images that are simulated in one go, by a chip fresh from reset.

    Image k enters in time step k, as if all came in one go.
    """

    first: int
    codes: NDArray[np.uint8]

    @property
    def name(self) -> str:
        """Name for files."""
        return f"images-{self.first}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Experiment:
    """An experiment read, quantised and mapped: all that the later steps need."""

    config: ExperimentConfig
    network: Network
    quantized: QuantizedNetwork
    mapped: MappedNetwork
    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    data_source: str
    back_ends: Mapping[str, BackEnd]

    @property
    def codes(self) -> NDArray[np.uint8]:
        """Activation codes of the test images [image, pixel]."""
        return to_codes(self.images, self.mapped.event_format.payload_max)

    @property
    def parts(self) -> list[Part]:
        """All test images, in parts of ``images_per_part``."""
        codes, size = self.codes, self.config.cosim.images_per_part
        return [Part(first=first, codes=codes[first : first + size]) for first in range(0, len(codes), size)]


def prepare(config: ExperimentConfig) -> Experiment:
    """Load network and data, quantise, map, and draw the analog arrays of the chip.

    Raises NetworkFileError, DatasetError or MappingError.
    """
    network = Network.load(config.network)
    dataset = _load_data(config.data)
    _check_sizes(config, network, dataset)
    n_images = len(dataset.test_labels) if config.images == "all" else config.images
    if n_images > len(dataset.test_labels):
        raise ValueError(
            f"images: must be at most {len(dataset.test_labels)}, the test images of {dataset.name}, "
            f"got {n_images}"
        )
    quantized = quantize(
        network,
        weight_max=(1 << (config.weight_bits - 1)) - 1,
        activation_max=(1 << max(1, config.chip.payload_bits)) - 1,
    )
    mapped = map_network(quantized, config.chip)
    return Experiment(
        config=config,
        network=network,
        quantized=quantized,
        mapped=mapped,
        images=dataset.test_images[:n_images],
        labels=dataset.test_labels[:n_images],
        data_source=dataset.source,
        back_ends={name: _back_end(name, config, mapped) for name in config.back_ends.names},
    )


def with_chip(experiment: Experiment, seed: int, *, trimmed: bool = True) -> Experiment:
    """Return the experiment with its mixed-signal back end alone, manufactured as ``seed`` draws it.

    One that can be calibrated has the trims that it would find, or none if it is not ``trimmed``. Raises
    ValueError if there is no mixed-signal back end.
    """
    config, array = experiment.config, experiment.config.mixed_signal
    array = array.model_copy(update={"calibrate": array.calibrate and trimmed})
    back_ends = BackEnds(mixed_signal=array)
    config = config.model_copy(update={"seed": seed, "back_ends": back_ends})
    back_end = _back_end("mixed_signal", config, experiment.mapped)
    chip = experiment.back_ends["mixed_signal"].chip  # the hardware is the same, trimmed or not
    return replace(experiment, config=config, back_ends={"mixed_signal": replace(back_end, chip=chip)})


def _load_data(data: DigitsData | IdxData | Cifar10Data) -> Dataset:
    match data:
        case DigitsData():
            return load_digits()
        case IdxData():
            return load_idx(data.path)
        case Cifar10Data():
            return load_cifar10(data.path)


def _check_sizes(config: ExperimentConfig, network: Network, dataset: Dataset) -> None:
    for what, have, need in (
        ("inputs", network.n_inputs, dataset.n_pixels),
        ("outputs", network.n_outputs, int(dataset.train_labels.max()) + 1),
    ):
        if have != need:
            raise ValueError(f"{config.network}: {what} must be {need} for {dataset.name}, got {have}")


def _back_end(name: str, config: ExperimentConfig, mapped: MappedNetwork) -> BackEnd:
    chip = mapped.chip(mapped.engine(name, config))
    if name != "mixed_signal":
        return BackEnd(name=name, chip=chip, models=digital_models(mapped))
    array = config.mixed_signal
    evaluation_time = array.settle_cycles / config.chip.clock
    arrays = draw_arrays(mapped, array.design, config.seed, evaluation_time)
    plan = plan_calibration(mapped, config.converting_neuron) if array.calibrate else None
    trims = find_trims(mapped, arrays, plan) if plan else {}
    try:
        banks = array_banks(mapped, arrays, trims)
    except ValueError as error:
        where = f"back_ends.mixed_signal: {array.settle_cycles} settle_cycles at {config.chip.clock:g} Hz"
        raise ValueError(f"{config.name}: {where}: {error}") from error
    return BackEnd(
        name=name,
        chip=chip,
        models=array_models(mapped, banks),
        arrays=arrays,
        banks=banks,
        calibration=plan,
        trims=trims,
    )
