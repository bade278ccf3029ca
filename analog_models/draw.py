"""One manufactured array of mixed-signal neurons: its deviations from the design, in memory and on disk."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from .mdac import MAGNITUDE_BITS

__all__ = ["MixedSignalNeuronDraw"]

_DRAW_ARRAYS = ("bit_error", "gain_error", "offset")


@dataclass(frozen=True, kw_only=True, eq=False)
class MixedSignalNeuronDraw:
    """What came out of the fab: one array's deviations from the design. The arrays are read-only copies.

    Parameters
    ----------
    bit_error :
        ``[post, pre, bit]``, relative error of each bit's current, 7 bits.
    gain_error :
        ``[post]``, relative error of each neuron's current-to-voltage gain.
    offset :
        ``[post]``, input offset of each activation pair [V].
    """

    bit_error: NDArray[np.float64]
    gain_error: NDArray[np.float64]
    offset: NDArray[np.float64]

    def __post_init__(self) -> None:
        for name in _DRAW_ARRAYS:
            array = np.array(getattr(self, name), dtype=np.float64)
            array.flags.writeable = False
            object.__setattr__(self, name, array)
        shape = self.bit_error.shape
        if len(shape) != 3 or shape[2] != MAGNITUDE_BITS:
            raise ValueError(
                f"mixed-signal draw: bit_error must be [post, pre, {MAGNITUDE_BITS}], got shape {shape}"
            )
        for name in ("gain_error", "offset"):
            if getattr(self, name).shape != shape[:1]:
                raise ValueError(
                    f"mixed-signal draw: {name} must have shape {shape[:1]}, got {getattr(self, name).shape}"
                )

    @property
    def n_neurons(self) -> int:
        """Number of neurons, the axis post."""
        return int(self.bit_error.shape[0])

    @property
    def n_axons(self) -> int:
        """Number of axons, the axis pre."""
        return int(self.bit_error.shape[1])

    def save(self, path: Path) -> None:
        """Write the arrays to an ``.npz`` file; the same draw always gives the same bytes."""
        with Path(path).open("wb") as file:
            np.savez(file, **{name: getattr(self, name) for name in _DRAW_ARRAYS})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote. Raises ValueError when ``path`` holds something else."""
        try:
            with Path(path).open("rb") as file, np.load(file) as arrays:
                return cls(**{name: arrays[name] for name in _DRAW_ARRAYS})
        except (KeyError, ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path}: must be a saved draw of a mixed-signal array, got {error}") from error
