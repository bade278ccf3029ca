"""What every analog array is to those who simulate it: a design, a draw of it, and that with weights in it.

Designs are :class:`~analog_models.neuron.MixedSignalNeuronParameters`, whose nodes are converted, and
:class:`~analog_models.spiking_array.SpikingArrayParameters`, whose spikes are counted.
"""

import zipfile
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["ArrayBank", "ArrayDraw", "ArrayEvaluation", "ArrayParameters"]


class ArrayEvaluation(Protocol):
    """What an array gave for a batch of time steps; it also has an attribute for each of its ``voltages``."""

    @property
    def codes(self) -> NDArray[np.int64]:
        """Output codes ``[step, post]`` [LSB]."""


class ArrayBank(Protocol):
    """One manufactured array with weights, gain and trims in it."""

    def with_trims(self, *, offset_trim: ArrayLike, gain_trim: ArrayLike) -> Self:
        """Return the same array with other trim codes, ``[post]`` or one for all."""

    def evaluate(self, input_codes: NDArray[np.integer], first_step: int = 0) -> ArrayEvaluation:
        """Evaluate each time step of ``input_codes[step, pre]``; a result does not depend on its batch."""

    def energy(self, input_codes: NDArray[np.integer], *, evaluation_time: float) -> dict[str, float]:
        """Return the energy of these steps by item [J]."""


class ArrayDraw:
    """What came out of the fab: one array's deviations from its design, in memory and on disk.

    A subclass names its arrays in ``_ARRAYS`` and what they are of in ``_OF``, for messages.
    """

    _ARRAYS: ClassVar[tuple[str, ...]]
    _OF: ClassVar[str]

    bit_error: NDArray[np.float64]

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
            np.savez(file, **{name: getattr(self, name) for name in self._ARRAYS})

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what :meth:`save` wrote. Raises ValueError when ``path`` holds something else."""
        try:
            with Path(path).open("rb") as file, np.load(file) as arrays:
                return cls(**{name: arrays[name] for name in cls._ARRAYS})
        except (KeyError, ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile) as error:
            raise ValueError(f"{path}: must be a saved draw of {cls._OF}, got {error}") from error


class ArrayParameters(Protocol):
    """A design."""

    @property
    def voltages(self) -> tuple[str, ...]:
        """Names of the voltages ``[step, post]`` [V] of an evaluation, such as ``node_voltage``."""

    def draw(self, n_neurons: int, n_axons: int, rng: np.random.Generator) -> Any:
        """Return one manufactured array, an :class:`ArrayDraw`."""

    def bank(
        self,
        draw: Any,
        *,
        weights: ArrayLike,
        gain: int,
        shift: int,
        code_max: int,
        offset_trim: ArrayLike = 0,
        gain_trim: ArrayLike = 0,
        noise_seed: int,
        evaluation_time: float,
    ) -> ArrayBank:
        """Return the array ``draw`` with ``weights`` in it."""
