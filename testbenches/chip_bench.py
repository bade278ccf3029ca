"""Whole chips small enough to simulate in a second: a random network on each back end."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analog_models.neuron import MixedSignalNeuronParameters
from analog_models.spiking import SpikingNeuronParameters
from analog_models.spiking_array import SpikingArrayParameters
from cosim.job import AnalogArrays, CosimJob, CosimResult
from cosim.simulator import SimulatorName
from neuromix.agreement import Comparison
from neuromix.calibration import CalibrationPlan, find_trims, plan_calibration, trim_words
from neuromix.config.experiment import ChipConfig
from neuromix.mapping import MappedNetwork, Position, map_network
from neuromix.network.convolution import Convolution
from neuromix.network.network import Network, Population, Projection
from neuromix.network.quantize import quantize
from neuromix.reference import (
    CoreModel,
    ReferenceRun,
    array_banks,
    array_models,
    digital_models,
    draw_arrays,
    simulate_mapped,
)
from rtl_gen.boundary.analog_array import AnalogArrayParameters
from rtl_gen.chip import ChipParameters
from rtl_gen.emit import RtlBundle
from rtl_gen.host.loader import load_writes
from rtl_gen.neuron.engine import EngineParameters
from rtl_gen.neuron.event_engine import EventEngineParameters
from rtl_gen.neuron.parallel_engine import ParallelEngineParameters

__all__ = [
    "BACK_ENDS",
    "ChipCase",
    "Played",
    "chip_case",
    "convolutional_network",
    "random_codes",
    "random_network",
]

BACK_ENDS: dict[str, tuple[type[EngineParameters], dict[str, int]]] = {
    "parallel": (ParallelEngineParameters, {}),
    "serial": (EventEngineParameters, {"lanes": 1}),
    "serial_4_lanes": (EventEngineParameters, {"lanes": 4}),
    **dict.fromkeys(
        ("mixed_signal", "spiking"),
        (AnalogArrayParameters, {"reset_cycles": 2, "settle_cycles": 3, "convert_cycles": 4}),
    ),
    "calibrated": (
        AnalogArrayParameters,
        {"reset_cycles": 1, "settle_cycles": 3, "convert_cycles": 2, "calibrated": True},
    ),
}
"""Engines of the chips, by name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ChipCase:
    """A chip with a network on it; ``trims[position]`` are (offset, gain) codes [neuron, 2].

    With a ``plan`` the trims are those that the chip finds, otherwise the host loads them.
    """

    mapped: MappedNetwork
    chip: ChipParameters
    codes: NDArray[np.uint8]
    arrays: AnalogArrays | None = None
    trims: Mapping[Position, NDArray[np.int64]] = field(default_factory=dict)
    plan: CalibrationPlan | None = None

    @property
    def models(self) -> dict[Position, CoreModel]:
        """What each core computes: integers, or the manufactured arrays with noise, mismatch and trims."""
        if self.arrays is None:
            return digital_models(self.mapped)
        return array_models(self.mapped, array_banks(self.mapped, self.arrays, self.trims))

    def reference(self) -> ReferenceRun:
        """Return what the chip must do."""
        return simulate_mapped(self.mapped, self.codes, self.models)

    def job(self, bundle: RtlBundle, simulator: SimulatorName, **changes: Any) -> CosimJob:
        """Return the run of this chip, that can be run more than once."""
        words = trim_words(self.trims) if self.plan is None else {}
        job = CosimJob(
            chip=self.chip,
            bundle=bundle,
            simulator=simulator,
            load_writes=tuple(load_writes(self.mapped.memory_images(self.chip, words))),
            stimulus=tuple(self.mapped.input_flits(sample) for sample in self.codes),
            n_steps=len(self.codes) + self.mapped.depth,
            arrays=self.arrays,
            calibration=tuple(self.plan.accesses(self.mapped, self.chip)) if self.plan else (),
            watchdog=2000,
        )
        return replace(job, **changes)


@dataclass(frozen=True, kw_only=True, eq=False)
class Played:
    """A run of a chip beside the golden model's."""

    reference: ReferenceRun
    result: CosimResult
    comparison: Comparison


def random_network(
    *,
    sizes: tuple[int, ...] = (12, 8, 6),
    mesh: tuple[int, int] = (2, 2),
    payload_bits: int = 8,
    seed: int = 6,
) -> MappedNetwork:
    """Return a network of random weights and biases on cores of 14 axons and 4 neurons."""
    rng = np.random.default_rng(seed)
    populations = tuple(Population(f"layer_{index}", size) for index, size in enumerate(sizes))
    projections = tuple(
        Projection(
            source=pre.name,
            target=post.name,
            weights=rng.normal(0.05, 0.4, (post.size, pre.size)),
            bias=rng.normal(0.1, 0.3, post.size),
        )
        for pre, post in pairwise(populations)
    )
    network = Network(name="random", populations=populations, projections=projections)
    config = ChipConfig.model_validate(
        {
            "mesh": {"width": mesh[0], "height": mesh[1]},
            "core": {"axons": 14, "neurons": 4, "fan_out": 2},
            "queue_depth": 2,
            "payload_bits": payload_bits,
        }
    )
    return map_network(quantize(network, activation_max=(1 << max(1, payload_bits)) - 1), config)


def convolutional_network() -> MappedNetwork:
    """Return 6 x 6 pixels, two maps of 3 x 3 kernels, pooling and five outputs, on 4 + 2 + 1 cores.

    The weights are random. Blocks of the convolution overlap: a pixel goes to up to four cores.
    """
    rng = np.random.default_rng(4)
    convolution = Convolution(in_shape=(1, 6, 6), out_maps=2, kernel=3)
    pooling = Convolution.pooling(convolution.out_shape, 2)
    populations = (
        Population("input", convolution.n_pre),
        Population("conv", convolution.n_post),
        Population("pool", pooling.n_post),
        Population("output", 5),
    )
    projections = (
        Projection(
            source="input",
            target="conv",
            weights=rng.normal(0.05, 0.35, (2, 9)),
            bias=rng.normal(0.1, 0.2, 2),
            convolution=convolution,
        ),
        Projection.pooling("conv", "pool", convolution.out_shape, 2),
        Projection(
            source="pool", target="output", weights=rng.normal(0, 0.7, (5, 8)), bias=rng.normal(0.2, 0.3, 5)
        ),
    )
    network = Network(name="convolutional", populations=populations, projections=projections)
    config = ChipConfig.model_validate(
        {"mesh": {"width": 4, "height": 2}, "core": {"axons": 20, "neurons": 8, "fan_out": 1}}
    )
    return map_network(quantize(network), config)


def random_codes(mapped: MappedNetwork, n_samples: int = 20, seed: int = 2) -> NDArray[np.uint8]:
    """Return activation codes [sample, input], a third of them 0; sample 0 is full, sample 1 empty."""
    rng = np.random.default_rng(seed)
    shape = (n_samples, len(mapped.input_routes))
    code_max = mapped.event_format.payload_max
    codes = rng.integers(1, code_max + 1, shape) * (rng.random(shape) < 2 / 3)
    codes[0], codes[1] = code_max, 0
    return codes.astype(np.uint8)


def chip_case(back_end: str, mapped: MappedNetwork | None = None, *, seed: int = 3) -> ChipCase:
    """Return the chip of ``back_end``; an analog one with noise, mismatch and offset on."""
    mapped = mapped or random_network()
    kind, sizes = BACK_ENDS[back_end]
    engine = kind(
        event_format=mapped.event_format,
        n_axons=mapped.n_axons,
        n_bias_axons=mapped.n_bias_axons,
        n_neurons=mapped.n_neurons,
        **sizes,
    )
    case = ChipCase(mapped=mapped, chip=mapped.chip(engine), codes=random_codes(mapped))
    if kind is not AnalogArrayParameters:
        return case
    if back_end == "spiking":
        spiking = SpikingNeuronParameters(unit_current=4e-9, refractory_time=100e-9)
        return replace(
            case,
            arrays=draw_arrays(mapped, SpikingArrayParameters(neuron=spiking), seed, evaluation_time=200e-6),
        )
    neuron = MixedSignalNeuronParameters()
    arrays = draw_arrays(mapped, neuron, seed)
    if not engine.calibrated:
        return replace(case, arrays=arrays)
    plan = plan_calibration(mapped, neuron, repeats_log2=3)
    return replace(case, arrays=arrays, plan=plan, trims=find_trims(mapped, arrays, plan))
