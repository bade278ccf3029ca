"""Place a quantised network on a mesh of cores, or list every design rule that it breaks."""

from collections.abc import Iterator

import numpy as np

from rtl_gen.formats import EventFormat, bits_for_count

from ..config.experiment import ChipConfig
from ..network.quantize import QuantizedNetwork, QuantizedProjection
from .mapped import HOST, MappedCore, MappedNetwork, Position, Route

__all__ = ["MappingError", "bias_axons_needed", "bias_weights", "map_network"]


class MappingError(ValueError):
    """The network does not fit the chip; ``problems`` lists every broken design rule."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def map_network(network: QuantizedNetwork, chip: ChipConfig) -> MappedNetwork:
    """Place each population on as many cores as it needs, row by row, and route its events.

    A bias becomes the weight of axons that are always on, as many as the largest bias code needs.

    Raises MappingError with all broken design rules at once.
    """
    n_bias_axons = max(bias_axons_needed(network, projection) for projection in network.projections)
    n_inputs_per_core = chip.core.axons - n_bias_axons
    cores_needed = [
        -(-len(projection.weight_codes) // chip.core.neurons) for projection in network.projections
    ]
    problems = list(_broken_rules(network, chip, n_bias_axons, cores_needed))
    if problems:
        raise MappingError(problems)

    tiles: Iterator[Position] = (
        (x, y) for y in range(1, chip.mesh.height + 1) for x in range(chip.mesh.width)
    )
    positions = [[next(tiles) for _ in range(needed)] for needed in cores_needed]
    following: list[list[Position]] = [*positions[1:], [HOST]]
    cores = []
    for projection, here, there in zip(network.projections, positions, following, strict=True):
        bias = bias_weights(projection.bias_codes, n_bias_axons, network.weight_max)
        for index, (x, y) in enumerate(here):
            first = index * chip.core.neurons
            span = slice(first, first + chip.core.neurons)
            weights = np.zeros((len(projection.weight_codes[span]), chip.core.axons), dtype=np.int64)
            weights[:, : projection.weight_codes.shape[1]] = projection.weight_codes[span]
            weights[:, n_inputs_per_core:] = bias[span]
            cores.append(
                MappedCore(
                    x=x,
                    y=y,
                    population=projection.target,
                    first_neuron=first,
                    weights=weights,
                    gain=projection.gain,
                    shift=projection.shift,
                    routes=_routes(first, len(weights), there),
                )
            )
    n_outputs = len(network.projections[-1].weight_codes)
    return MappedNetwork(
        event_format=EventFormat(
            x_width=bits_for_count(chip.mesh.width),
            y_width=bits_for_count(chip.mesh.height + 1),
            axon_width=bits_for_count(max(chip.core.axons, n_outputs)),
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
        input_routes=_routes(0, network.projections[0].weight_codes.shape[1], positions[0]),
        n_outputs=n_outputs,
        depth=len(network.projections),
    )


def _broken_rules(
    network: QuantizedNetwork, chip: ChipConfig, n_bias_axons: int, cores_needed: list[int]
) -> Iterator[str]:
    payload_max = (1 << max(1, chip.payload_bits)) - 1
    if network.activation_max != payload_max:
        yield (
            f"chip.payload_bits: must carry codes up to {network.activation_max}, as network {network.name} "
            f"has them, got {chip.payload_bits} bits for codes up to {payload_max}"
        )
    for projection, following in zip(network.projections, [*cores_needed[1:], 1], strict=True):
        fan_in = projection.weight_codes.shape[1]
        if fan_in + n_bias_axons > chip.core.axons:
            yield (
                f"chip.core.axons: must be at least {fan_in + n_bias_axons} for population "
                f"{projection.target} ({fan_in} inputs and {n_bias_axons} bias axons), got {chip.core.axons}"
            )
        if following > chip.core.fan_out:
            yield (
                f"chip.core.fan_out: must be at least {following}, the number of cores after population "
                f"{projection.target}, got {chip.core.fan_out}"
            )
    n_tiles = chip.mesh.width * chip.mesh.height
    if sum(cores_needed) > n_tiles:
        needs = ", ".join(
            f"{projection.target} {needed}"
            for projection, needed in zip(network.projections, cores_needed, strict=True)
        )
        yield (
            f"chip.mesh: must have at least {sum(cores_needed)} tiles ({needs} cores of "
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


def _routes(first: int, count: int, destinations: list[Position]) -> tuple[tuple[Route, ...], ...]:
    """Neuron ``first + i`` reaches the axon of that number in every core of the next population."""
    return tuple(tuple((x, y, first + index) for x, y in destinations) for index in range(count))
