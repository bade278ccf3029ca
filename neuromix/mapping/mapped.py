"""A network on a chip: which neurons live in which core, and what each memory holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rtl_gen.boundary.analog_array import AnalogArrayParameters
from rtl_gen.chip import ChipParameters, tile_name
from rtl_gen.fabric.route import HOST
from rtl_gen.formats import EventFormat
from rtl_gen.host.loader import MemoryImage
from rtl_gen.neuron.core import CoreParameters
from rtl_gen.neuron.engine import EngineParameters
from rtl_gen.neuron.event_engine import EventEngineParameters
from rtl_gen.neuron.parallel_engine import ParallelEngineParameters
from rtl_gen.signatures import LoadTarget, SettingsRow
from rtl_gen.tile import TileParameters

from ..config.experiment import ExperimentConfig

__all__ = ["HOST", "MappedCore", "MappedNetwork", "Position", "Route"]

Position = tuple[int, int]
"""Tile coordinates (x, y); the host is :data:`HOST`."""

Route = tuple[int, int, int]
"""Where an event goes: (x, y, axon)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class MappedCore:
    """What one core holds.

    ``neurons`` are their numbers in the population; ``weights[post, pre]`` covers them and all the core's
    axons, bias axons last; ``routes[post]`` lists their destinations.
    """

    x: int
    y: int
    population: str
    neurons: NDArray[np.int64]
    weights: NDArray[np.int64]
    gain: int
    shift: int
    routes: tuple[tuple[Route, ...], ...]

    @property
    def position(self) -> Position:
        """Tile coordinates."""
        return self.x, self.y

    @property
    def n_neurons(self) -> int:
        """How many neurons are in use."""
        return len(self.weights)


@dataclass(frozen=True, kw_only=True, eq=False)
class MappedNetwork:
    """A quantised network placed on a mesh. Cores come in the order in which a sample passes them."""

    event_format: EventFormat
    mesh_width: int
    mesh_height: int
    queue_depth: int
    n_axons: int
    n_bias_axons: int
    n_neurons: int
    fan_out: int
    cores: tuple[MappedCore, ...]
    input_routes: tuple[tuple[Route, ...], ...]
    n_outputs: int
    depth: int
    """Layers of neurons: a sample that enters in step t leaves in step t + depth."""

    def input_flits(self, codes: NDArray[np.integer]) -> NDArray[np.uint64]:
        """Return the flits that bring one sample's ``codes`` [input] into the chip; a zero sends none.

        Raises ValueError for another number of codes than the network has inputs.
        """
        if codes.shape != (len(self.input_routes),):
            raise ValueError(f"codes must be [{len(self.input_routes)}], got {list(codes.shape)}")
        inputs, flits = self._entries
        payloads = codes[inputs].astype(np.uint64)
        carried = payloads if self.event_format.payload_width else np.zeros_like(payloads)
        sent: NDArray[np.uint64] = (flits | carried)[payloads > 0]
        return sent

    @cached_property
    def _entries(self) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Where inputs go, in the order of sending: index of the input, and its flit without a payload."""
        entries = [
            (index, self.event_format.pack_flit(x=x, y=y, axon=axon, payload=0))
            for index, destinations in enumerate(self.input_routes)
            for x, y, axon in destinations
        ]
        inputs, flits = zip(*entries, strict=True)
        return np.array(inputs, np.int64), np.array(flits, np.uint64)

    @cached_property
    def _axons_reached(self) -> dict[Position, NDArray[np.int64]]:
        """By core, the axons that events come on, and its bias axons."""
        bias = range(self.n_axons - self.n_bias_axons, self.n_axons)
        reached = {core.position: set(bias) for core in self.cores}
        for destinations in (*self.input_routes, *(routes for core in self.cores for routes in core.routes)):
            for x, y, axon in destinations:
                if (x, y) in reached:  # and not the host
                    reached[x, y].add(axon)
        return {position: np.array(sorted(axons), np.int64) for position, axons in reached.items()}

    @cached_property
    def populations(self) -> tuple[str, ...]:
        """Populations of neurons, in the order in which a sample passes them."""
        return tuple(dict.fromkeys(core.population for core in self.cores))

    @property
    def delays(self) -> dict[str, int]:
        """By the name of its tile, how many time steps after the host a core sees an image."""
        return {tile_name(core.position): self.populations.index(core.population) for core in self.cores}

    def engine(self, back_end: str, config: ExperimentConfig) -> EngineParameters:
        """Return the engine of ``back_end`` at this network's core size."""
        sizes: dict[str, Any] = {
            "event_format": self.event_format,
            "n_axons": self.n_axons,
            "n_bias_axons": self.n_bias_axons,
            "n_neurons": self.n_neurons,
        }
        match back_end:
            case "parallel" if config.back_ends.parallel:
                return ParallelEngineParameters(**sizes)
            case "serial" if config.back_ends.serial:
                return EventEngineParameters(**sizes, lanes=config.back_ends.serial.lanes)
            case "mixed_signal" if array := config.back_ends.mixed_signal:
                return AnalogArrayParameters(
                    **sizes,
                    reset_cycles=array.reset_cycles,
                    settle_cycles=array.settle_cycles,
                    convert_cycles=array.convert_cycles,
                    calibrated=array.calibrate,
                )
        raise ValueError(f"back end must be one of the experiment's, got {back_end}")

    def chip(self, engine: EngineParameters) -> ChipParameters:
        """Return the chip whose cores compute with ``engine``."""
        return ChipParameters(
            mesh_width=self.mesh_width,
            mesh_height=self.mesh_height,
            tile=TileParameters(
                core=CoreParameters(engine=engine, fan_out=self.fan_out), queue_depth=self.queue_depth
            ),
        )

    def memory_images(
        self, chip: ChipParameters, trims: Mapping[Position, ArrayLike] | None = None
    ) -> list[MemoryImage]:
        """Return what the host loads before the first step, tile by tile.

        Rows of weights that nothing reads are None. ``trims[position][neuron]`` holds a core's trim words;
        without them trims keep their reset value, 0.
        """
        core_parameters = chip.tile.core
        engine = core_parameters.engine
        images = []
        for core in self.cores:
            settings = {
                SettingsRow.GAIN: core.gain,
                SettingsRow.SHIFT: core.shift,
                SettingsRow.NEURONS_IN_USE: core.n_neurons,
            }
            read = engine.rows_read(self._axons_reached[core.position], core.n_neurons)
            rows = zip(engine.synapse_rows(core.weights), read, strict=True)
            contents: list[tuple[int, int, Sequence[int | None]]] = [
                (
                    LoadTarget.SYNAPSES,
                    engine.synapse_row_width,
                    [row if is_read else None for row, is_read in rows],
                ),
                (
                    LoadTarget.ROUTES,
                    core_parameters.sender.table.width,
                    core_parameters.sender.table_rows(core.routes),
                ),
                (LoadTarget.SETTINGS, 32, [settings[row] for row in sorted(settings)]),
            ]
            if trims and core.position in trims:
                contents.append(
                    (LoadTarget.TRIMS, 32, [int(word) for word in np.asarray(trims[core.position])])
                )
            images += [
                MemoryImage(x=core.x, y=core.y, target=target, row_width=width, rows=rows)
                for target, width, rows in contents
            ]
        return images
