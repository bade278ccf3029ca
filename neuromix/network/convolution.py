"""Which neurons a convolution links, and with which weight: the geometry of every projection."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Convolution"]

_Scalar = TypeVar("_Scalar", bound=np.generic)

_PATCH_VALUES = 1 << 22
"""Values of patches that are unrolled at once: 32 MiB of float64."""


@dataclass(frozen=True, kw_only=True)
class Convolution:
    """Kernels slid over maps, without padding.

    A population of maps is numbered map by map, row by row. Group g of the output maps sees group g of the
    input maps. With as many groups as maps and equal weights it is a pooling; over maps of one pixel it is a
    full connection. Weights are ``[out_map, fan_in]``, the fan-in numbered as the input maps are.
    """

    in_shape: tuple[int, int, int]
    """Input maps, their height, their width."""
    out_maps: int
    kernel: int = 1
    """Height and width of the kernels."""
    stride: int = 1
    groups: int = 1

    def __post_init__(self) -> None:
        maps, height, width = self.in_shape
        for name, low, high in (
            ("in_shape", 1, None),
            ("out_maps", 1, None),
            ("kernel", 1, min(height, width)),
            ("stride", 1, None),
            ("groups", 1, None),
        ):
            value = getattr(self, name)
            if np.min(value) < low or (high is not None and value > high):
                bounds = f"at least {low}" if high is None else f"{low} to {high}"
                raise ValueError(f"convolution: {name} must be {bounds}, got {value}")
        if maps % self.groups or self.out_maps % self.groups:
            raise ValueError(
                f"convolution: groups must divide {maps} input and {self.out_maps} output maps, "
                f"got {self.groups}"
            )

    @classmethod
    def full(cls, post: int, pre: int) -> "Convolution":
        """Return the geometry of ``post`` neurons that each see all ``pre`` inputs."""
        return cls(in_shape=(pre, 1, 1), out_maps=post)

    @classmethod
    def pooling(cls, in_shape: tuple[int, int, int], size: int) -> "Convolution":
        """Return squares of ``size`` by ``size`` pixels side by side, each map on its own."""
        return cls(in_shape=in_shape, out_maps=in_shape[0], kernel=size, stride=size, groups=in_shape[0])

    @property
    def out_shape(self) -> tuple[int, int, int]:
        """Output maps, their height, their width."""
        _, height, width = self.in_shape
        return (
            self.out_maps,
            (height - self.kernel) // self.stride + 1,
            (width - self.kernel) // self.stride + 1,
        )

    @property
    def n_positions(self) -> int:
        """Where a kernel is put: pixels of an output map."""
        return self.out_shape[1] * self.out_shape[2]

    @property
    def fan_in(self) -> int:
        """Inputs that a neuron sees."""
        return self.in_shape[0] // self.groups * self.kernel**2

    @property
    def n_pre(self) -> int:
        """Inputs."""
        return self.in_shape[0] * self.in_shape[1] * self.in_shape[2]

    @property
    def n_post(self) -> int:
        """Neurons."""
        return self.out_maps * self.n_positions

    @cached_property
    def inputs(self) -> NDArray[np.int64]:
        """Input numbers ``[position, group, fan_in]`` under a kernel, in the order of its weights."""
        numbers = np.arange(self.n_pre).reshape(self.in_shape)
        window = (self.kernel, self.kernel)
        windows = np.lib.stride_tricks.sliding_window_view(numbers, window, axis=(1, 2))
        windows = windows[:, :: self.stride, :: self.stride].transpose(1, 2, 0, 3, 4)
        inputs = np.ascontiguousarray(windows.reshape(self.n_positions, self.groups, self.fan_in))
        inputs.flags.writeable = False
        return inputs

    @property
    def connectivity(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Input numbers ``[post, fan_in]`` of every neuron, and the row ``[post]`` of the weights it uses."""
        rows = np.repeat(np.arange(self.out_maps), self.n_positions)
        positions = np.tile(np.arange(self.n_positions), self.out_maps)
        return self.inputs[positions, rows * self.groups // self.out_maps], rows

    def patches(self, activations: NDArray[_Scalar]) -> NDArray[_Scalar]:
        """Return what the kernels see, [n, position, group, fan_in], of ``activations`` [n, pre]."""
        if self.n_positions == self.groups == 1 and self.fan_in == self.n_pre:
            return activations.reshape(len(activations), 1, 1, self.n_pre)
        return activations[:, self.inputs]

    def sums(self, activations: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sums [n, post] of ``activations`` [n, pre] under ``weights`` [out_map, fan_in]."""
        n_batch = max(1, _PATCH_VALUES // (self.inputs.size if self.n_positions > 1 else 1))
        kernels = weights.reshape(self.groups, -1, self.fan_in).transpose(0, 2, 1)
        results = np.empty((len(activations), self.n_post))
        for first in range(0, len(activations), n_batch):
            patches = self.patches(activations[first : first + n_batch])
            n = len(patches)
            rows = patches.transpose(2, 0, 1, 3).reshape(self.groups, n * self.n_positions, self.fan_in)
            sums = (rows @ kernels).reshape(self.groups, n, self.n_positions, -1)
            results[first : first + n] = sums.transpose(1, 0, 3, 2).reshape(n, -1)
        return results

    def unrolled(self, weights: NDArray[_Scalar]) -> NDArray[_Scalar]:
        """Return kernel ``weights`` [out_map, fan_in] as a matrix [post, pre], zero where no synapse is."""
        inputs, rows = self.connectivity
        matrix = np.zeros((self.n_post, self.n_pre), weights.dtype)
        np.put_along_axis(matrix, inputs, weights[rows], axis=1)
        return matrix
