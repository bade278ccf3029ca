"""Trained feed-forward networks, and the file they are kept in."""

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .convolution import Convolution

__all__ = ["Network", "NetworkFileError", "Population", "Projection"]

_FORMAT = "neuromix network"
_VERSION = 2
"""Files of version 1 are read as well: they hold no convolutions."""


class NetworkFileError(ValueError):
    """A network file is missing, damaged, or not a network file."""


@dataclass(frozen=True)
class Population:
    """A named group of neurons, or the inputs of a network."""

    name: str
    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"population {self.name}: size must be at least 1, got {self.size}")


@dataclass(frozen=True, kw_only=True, eq=False)
class Projection:
    """All synapses between two populations; the arrays are copied, read-only and finite.

    ``weights`` is float64 [post, pre], ``bias`` is float64 [post]; both in units of the largest activation.
    Those of a ``convolution`` are kernels [out_map, fan_in] and one bias per map.
    """

    source: str
    target: str
    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    convolution: Convolution | None = None

    def __post_init__(self) -> None:
        for name in ("weights", "bias"):
            array = np.array(getattr(self, name), np.float64)
            if not np.isfinite(array).all():
                raise ValueError(f"projection {self.label}: {name} must be finite, got inf or nan")
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        if self.weights.ndim != 2:
            raise ValueError(
                f"projection {self.label}: weights must be [post, pre], got {self.weights.shape}"
            )
        if self.bias.shape != self.weights.shape[:1]:
            raise ValueError(
                f"projection {self.label}: bias must be {self.weights.shape[:1]}, got {self.bias.shape}"
            )
        kernels = (self.geometry.out_maps, self.geometry.fan_in)
        if self.weights.shape != kernels:
            raise ValueError(f"projection {self.label}: weights must be {kernels}, got {self.weights.shape}")

    @classmethod
    def pooling(cls, source: str, target: str, in_shape: tuple[int, int, int], size: int) -> Self:
        """Return the mean over squares of ``size`` by ``size`` pixels, map by map."""
        pooling = Convolution.pooling(in_shape, size)
        return cls(
            source=source,
            target=target,
            weights=np.full((pooling.out_maps, pooling.fan_in), 1 / pooling.fan_in),
            bias=np.zeros(pooling.out_maps),
            convolution=pooling,
        )

    @property
    def geometry(self) -> Convolution:
        """Which inputs each neuron sees, and with which weight."""
        return self.convolution or Convolution.full(*self.weights.shape)

    @property
    def n_macs(self) -> int:
        """Multiply-accumulates of one inference: every weight of every neuron, without biases."""
        return self.weights.size * self.geometry.n_positions

    @property
    def n_synapses(self) -> int:
        """Connections that exist: weights other than zero of every neuron, without biases."""
        return int(np.count_nonzero(self.weights)) * self.geometry.n_positions

    def forward(self, activations: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums [n, post], before the neurons clip them, of ``activations`` [n, pre]."""
        geometry = self.geometry
        return geometry.sums(activations, self.weights) + np.repeat(self.bias, geometry.n_positions)

    @property
    def label(self) -> str:
        """Name of the projection in messages and reports."""
        return f"{self.source} -> {self.target}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Network:
    """A chain of populations, each connected to the next fully or by a convolution.

    Activations are in [0, 1]. A neuron is a saturating rectifier, ``clip(weights @ x + bias, 0, 1)``, in
    every population, the last one included. The class of a sample is the strongest output; the lowest index
    wins ties. ``populations[0]`` holds the inputs; ``projections[i]`` links ``populations[i]`` to the next.
    """

    name: str
    populations: tuple[Population, ...]
    projections: tuple[Projection, ...]
    provenance: Mapping[str, str | float] = field(default_factory=dict)
    """How the network came about: data, split, seed, epochs, command, accuracy and the like."""

    def __post_init__(self) -> None:
        if len(self.populations) < 2:
            raise ValueError(
                f"network {self.name}: populations must be at least 2, got {len(self.populations)}"
            )
        if len(self.projections) != len(self.populations) - 1:
            raise ValueError(
                f"network {self.name}: projections must be {len(self.populations) - 1}, "
                f"one from each population to the next, got {len(self.projections)}"
            )
        names = [population.name for population in self.populations]
        if len(set(names)) != len(names):
            raise ValueError(f"network {self.name}: population names must differ, got {', '.join(names)}")
        for projection, (pre, post) in zip(self.projections, pairwise(self.populations), strict=True):
            if (projection.source, projection.target) != (pre.name, post.name):
                raise ValueError(
                    f"network {self.name}: projection must be {pre.name} -> {post.name}, "
                    f"got {projection.label}"
                )
            links = (projection.geometry.n_post, projection.geometry.n_pre)
            if links != (post.size, pre.size):
                what = "neurons and inputs" if projection.convolution else "weights"
                raise ValueError(
                    f"network {self.name}: {what} of {projection.label} must be {(post.size, pre.size)}, "
                    f"got {links}"
                )

    @property
    def n_inputs(self) -> int:
        """Inputs of one sample."""
        return self.populations[0].size

    @property
    def n_outputs(self) -> int:
        """Outputs, one per class."""
        return self.populations[-1].size

    @property
    def n_macs(self) -> int:
        """Multiply-accumulates of one inference: every weight, zero or not, without biases."""
        return sum(projection.n_macs for projection in self.projections)

    @property
    def n_synapses(self) -> int:
        """Connections that exist: weights other than zero, without biases."""
        return sum(projection.n_synapses for projection in self.projections)

    def forward(self, images: ArrayLike) -> NDArray[np.float64]:
        """Return the output activations [n, out] of ``images`` [n, in] in [0, 1]."""
        activations = np.asarray(images, np.float64)
        if activations.ndim != 2 or activations.shape[1] != self.n_inputs:
            raise ValueError(
                f"network {self.name}: images must be [n, {self.n_inputs}], got {list(activations.shape)}"
            )
        for projection in self.projections:
            activations = np.clip(projection.forward(activations), 0, 1)
        return activations

    def classify(self, images: ArrayLike) -> NDArray[np.int64]:
        """Return the class [n] of each of ``images`` [n, in]."""
        return np.asarray(self.forward(images).argmax(axis=1), np.int64)

    def save(self, path: Path | str, *, weight_dtype: DTypeLike = np.float64) -> None:
        """Write the network to ``path`` (.npz), whole or not at all, weights rounded to ``weight_dtype``."""
        path = Path(path)
        header = {
            "format": _FORMAT,
            "version": _VERSION,
            "name": self.name,
            "populations": [[population.name, population.size] for population in self.populations],
            "convolutions": [
                projection.convolution and asdict(projection.convolution) for projection in self.projections
            ],
            "provenance": dict(self.provenance),
        }
        arrays: dict[str, Any] = {"header": np.array(json.dumps(header))}
        for index, projection in enumerate(self.projections):
            arrays[f"weights_{index}"] = projection.weights.astype(weight_dtype)
            arrays[f"bias_{index}"] = projection.bias.astype(weight_dtype)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        with partial.open("wb") as file:
            np.savez_compressed(file, **arrays)
        partial.replace(path)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """Read what :meth:`save` wrote; :class:`NetworkFileError` names the file and what is wrong."""
        path = Path(path)
        if not path.is_file():
            raise NetworkFileError(
                f"{path}: network must be a .npz file, got {'a folder' if path.is_dir() else 'nothing there'}"
            )
        try:
            if not zipfile.is_zipfile(path):
                raise NetworkFileError(f"{path}: network must be a whole .npz file, got no archive")
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except NetworkFileError:
            raise
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise NetworkFileError(f"{path}: network must be a readable .npz file, got: {error}") from error
        try:
            return cls._from_arrays(_header(arrays), arrays)
        except (KeyError, TypeError, ValueError) as error:
            raise NetworkFileError(f"{path}: {_reason(error)}") from error

    @classmethod
    def _from_arrays(cls, header: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        populations = tuple(Population(str(name), int(size)) for name, size in header["populations"])
        links = list(pairwise(populations))
        convolutions = header["convolutions"] if header["version"] > 1 else [None] * len(links)
        projections = tuple(
            Projection(
                source=pre.name,
                target=post.name,
                weights=arrays[f"weights_{index}"],
                bias=arrays[f"bias_{index}"],
                convolution=convolution and _convolution(convolution),
            )
            for index, ((pre, post), convolution) in enumerate(zip(links, convolutions, strict=True))
        )
        return cls(
            name=header["name"],
            populations=populations,
            projections=projections,
            provenance=header["provenance"],
        )


def _header(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Return the header of a network file; ValueError if the file is of another kind."""
    if "header" not in arrays:
        raise ValueError(f"contents must be a {_FORMAT} with a header, got {', '.join(arrays) or 'nothing'}")
    try:
        header = json.loads(str(arrays["header"]))
    except json.JSONDecodeError as error:
        raise ValueError(f"header must be JSON, got: {error}") from error
    kind = header.get("format") if isinstance(header, dict) else header
    if kind != _FORMAT:
        raise ValueError(f"format must be {_FORMAT!r}, got {kind!r}")
    if header.get("version") not in range(1, _VERSION + 1):
        raise ValueError(f"version must be 1 or {_VERSION}, got {header.get('version')!r}")
    return dict(header)


def _convolution(entry: Mapping[str, Any]) -> Convolution:
    maps, height, width = entry["in_shape"]
    return Convolution(**{**entry, "in_shape": (maps, height, width)})


def _reason(error: Exception) -> str:
    return f"contents must hold {error}, got none" if isinstance(error, KeyError) else str(error)
