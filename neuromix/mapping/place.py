"""Place a quantised network on a mesh of cores, or list every design rule that it breaks."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from rtl_gen.formats import EventFormat, bits_for_count

from ..config.experiment import ChipConfig
from ..network.convolution import Convolution
from ..network.quantize import QuantizedNetwork, QuantizedProjection
from .mapped import HOST, MappedCore, MappedNetwork, Position, Route

__all__ = ["MappingError", "bias_axons_needed", "bias_weights", "map_network"]


class MappingError(ValueError):
    """The network does not fit the chip; ``problems`` lists every broken design rule."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def map_network(network: QuantizedNetwork, chip: ChipConfig) -> MappedNetwork:
    """Place each population on as few cores as hold it, row by row, and route its events.

    A core holds a block of maps, rows and columns, and has an axon for each input that one of its neurons
    sees. A bias becomes the weight of axons that are always on, as many as the largest bias code needs.

    Raises MappingError with all broken design rules at once.
    """
    n_bias_axons = max(bias_axons_needed(network, projection) for projection in network.projections)
    cuts = [
        _cut(projection.geometry, chip, n_bias_axons, sent_by_cores=index > 0)
        for index, projection in enumerate(network.projections)
    ]
    problems = list(_broken_rules(network, chip, n_bias_axons, cuts))
    if problems:
        raise MappingError(problems)

    tiles: Iterator[Position] = (
        (x, y) for y in range(1, chip.mesh.height + 1) for x in range(chip.mesh.width)
    )
    layers = [[(next(tiles), *block) for block in cut.blocks()] for cut in cuts]
    populations = network.populations
    outputs = [(HOST, np.arange(populations[-1].size))]
    reached = [[(position, inputs) for position, _, inputs in layer] for layer in layers]
    routes = [
        _routes(population.size, destinations)
        for population, destinations in zip(populations, [*reached, outputs], strict=True)
    ]
    cores = [
        MappedCore(
            x=x,
            y=y,
            population=projection.target,
            neurons=neurons,
            weights=weights,
            gain=projection.gain,
            shift=projection.shift,
            routes=tuple(sent[neuron] for neuron in neurons.tolist()),
        )
        for projection, layer, sent in zip(network.projections, layers, routes[1:], strict=True)
        for ((x, y), neurons, _), weights in zip(
            layer,
            _core_weights(projection, layer, chip.core.axons, n_bias_axons, network.weight_max),
            strict=True,
        )
    ]
    return MappedNetwork(
        event_format=EventFormat(
            x_width=bits_for_count(chip.mesh.width),
            y_width=bits_for_count(chip.mesh.height + 1),
            axon_width=bits_for_count(max(chip.core.axons, populations[-1].size)),
            payload_width=chip.payload_bits,
        ),
        mesh_width=chip.mesh.width,
        mesh_height=chip.mesh.height,
        queue_depth=chip.queue_depth,
        n_axons=chip.core.axons,
        n_bias_axons=n_bias_axons,
        n_neurons=chip.core.neurons,
        fan_out=chip.core.fan_out,
        cores=tuple(cores),
        input_routes=tuple(routes[0]),
        n_outputs=populations[-1].size,
        depth=len(network.projections),
    )


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """A population cut into blocks of ``shape`` maps, rows and columns, less at the edges: a core each."""

    geometry: Convolution
    shape: tuple[int, ...]
    n_cores: int
    n_axons: int
    """Inputs that the largest block sees."""
    reach: int
    """Most blocks that see one input."""
    n_routes: int
    """Inputs that the blocks see, all together."""

    def blocks(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield the neurons of each block, and the inputs that they see, in order."""
        inputs, _ = self.geometry.connectivity
        numbers = np.arange(self.geometry.n_post).reshape(self.geometry.out_shape)
        starts = (range(0, n, size) for n, size in zip(numbers.shape, self.shape, strict=True))
        for first in product(*starts):
            block = tuple(slice(start, start + size) for start, size in zip(first, self.shape, strict=True))
            neurons = numbers[block].ravel()
            yield neurons, np.unique(inputs[neurons])


def _cut(geometry: Convolution, chip: ChipConfig, n_bias_axons: int, *, sent_by_cores: bool) -> _Cut:
    """Return the cut that breaks the fewest rules, and among those the one of fewest cores, then routes."""

    def badness(cut: _Cut) -> tuple[int, ...]:
        beyond = max(0, cut.reach - chip.core.fan_out) if sent_by_cores else 0
        return (
            cut.n_axons + n_bias_axons > chip.core.axons,
            beyond,
            cut.n_cores,
            cut.n_routes,
            *(-size for size in cut.shape),
        )

    return min(_cuts(geometry, chip.core.neurons), key=badness)


def _cuts(geometry: Convolution, neurons: int) -> Iterator[_Cut]:
    """Yield the cuts into blocks of at most ``neurons``."""
    for parts in product(*(list(_axis_parts(seen, neurons)) for seen in _axes(geometry))):
        shape, n_blocks, n_inputs, reach, n_routes = zip(*parts, strict=True)
        if np.prod(shape) <= neurons:
            yield _Cut(
                geometry=geometry,
                shape=shape,
                n_cores=int(np.prod(n_blocks)),
                n_axons=int(np.prod(n_inputs)),
                reach=int(np.prod(reach)),
                n_routes=int(np.prod(n_routes)),
            )


def _axes(geometry: Convolution) -> Iterator[NDArray[np.bool_]]:
    """Yield what each output map, row and column sees of the input maps, rows, columns: [output, input]."""
    in_maps, height, width = geometry.in_shape
    out_maps, out_height, out_width = geometry.out_shape
    group_of_output = np.arange(out_maps) * geometry.groups // out_maps
    yield group_of_output[:, None] == np.arange(in_maps) * geometry.groups // in_maps
    for n_out, n_in in ((out_height, height), (out_width, width)):
        offset = np.arange(n_in) - geometry.stride * np.arange(n_out)[:, None]
        yield (offset >= 0) & (offset < geometry.kernel)


def _axis_parts(seen: NDArray[np.bool_], largest: int) -> Iterator[tuple[int, int, int, int, int]]:
    """Yield block sizes for an axis, and for each: blocks, inputs of the largest, reach, inputs of all."""
    n = len(seen)
    for size in sorted({min(n, largest), *(-(-n // n_blocks) for n_blocks in range(1, n + 1))}):
        if size <= largest:
            blocks = np.logical_or.reduceat(seen, np.arange(0, n, size))
            yield size, len(blocks), int(blocks.sum(1).max()), int(blocks.sum(0).max()), int(blocks.sum())


def _broken_rules(
    network: QuantizedNetwork, chip: ChipConfig, n_bias_axons: int, cuts: list[_Cut]
) -> Iterator[str]:
    payload_max = (1 << max(1, chip.payload_bits)) - 1
    if network.activation_max != payload_max:
        yield (
            f"chip.payload_bits: must carry codes up to {network.activation_max}, as network {network.name} "
            f"has them, got {chip.payload_bits} bits for codes up to {payload_max}"
        )
    following: list[_Cut | None] = [*cuts[1:], None]
    for projection, after in zip(network.projections, following, strict=True):
        fan_in = projection.geometry.fan_in
        if fan_in + n_bias_axons > chip.core.axons:
            yield (
                f"chip.core.axons: must be at least {fan_in + n_bias_axons} for population "
                f"{projection.target} ({fan_in} inputs and {n_bias_axons} bias axons), got {chip.core.axons}"
            )
        if after and after.reach > chip.core.fan_out:
            yield (
                f"chip.core.fan_out: must be at least {after.reach}, the number of cores after population "
                f"{projection.target}, got {chip.core.fan_out}"
            )
    n_cores = sum(cut.n_cores for cut in cuts)
    n_tiles = chip.mesh.width * chip.mesh.height
    if n_cores > n_tiles:
        needs = ", ".join(
            f"{projection.target} {cut.n_cores}"
            for projection, cut in zip(network.projections, cuts, strict=True)
        )
        yield (
            f"chip.mesh: must have at least {n_cores} tiles ({needs} cores of "
            f"{chip.core.neurons} neurons), got {chip.mesh.width} x {chip.mesh.height} = {n_tiles}"
        )


def bias_axons_needed(network: QuantizedNetwork, projection: QuantizedProjection) -> int:
    """Return how many always-on axons carry the largest bias of ``projection``."""
    largest = int(np.abs(projection.bias_codes).max(initial=0))
    return -(-largest // network.weight_max)


def bias_weights(bias: np.ndarray, n_bias_axons: int, weight_max: int) -> np.ndarray:
    """Split each bias code over the bias axons: as many full weights as needed and the rest, [post, axon]."""
    rest = np.array(bias, dtype=np.int64)
    columns = []
    for _ in range(n_bias_axons):
        columns.append(np.clip(rest, -weight_max, weight_max))
        rest = rest - columns[-1]
    return np.stack(columns, axis=1) if columns else np.zeros((len(rest), 0), dtype=np.int64)


def _core_weights(
    projection: QuantizedProjection,
    layer: Iterable[tuple[Position, NDArray[np.int64], NDArray[np.int64]]],
    n_axons: int,
    n_bias_axons: int,
    weight_max: int,
) -> Iterator[NDArray[np.int64]]:
    """Yield the weights [neuron, axon] of each core, those of the bias axons last."""
    seen, kernels = projection.geometry.connectivity
    bias = bias_weights(projection.bias_codes, n_bias_axons, weight_max)
    for _, neurons, inputs in layer:
        weights = np.zeros((len(neurons), n_axons), dtype=np.int64)
        axons = np.searchsorted(inputs, seen[neurons])
        np.put_along_axis(weights, axons, projection.weight_codes[kernels[neurons]].astype(np.int64), axis=1)
        weights[:, n_axons - n_bias_axons :] = bias[kernels[neurons]]
        yield weights


def _routes(
    n_neurons: int, destinations: Iterable[tuple[Position, NDArray[np.int64]]]
) -> list[tuple[Route, ...]]:
    """Return where each neuron sends: its axon in every core that has it among its inputs."""
    routes: list[list[Route]] = [[] for _ in range(n_neurons)]
    for (x, y), inputs in destinations:
        for axon, neuron in enumerate(inputs.tolist()):
            routes[neuron].append((x, y, axon))
    return [tuple(route) for route in routes]
