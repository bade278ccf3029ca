"""The generated digital neurons on their own: simulated on a drive, their toggles priced."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from cosim.rows import ROWS_MAX, RowPlayer
from cosim.simulator import SimulatorName
from rtl_gen.memory import pack_rows
from rtl_gen.neuron.parallel_mac import ParallelMacParameters
from rtl_gen.neuron.serial_mac import SerialMacParameters

from .estimate import EnergyReport, estimate_energy
from .netlist import read_inventory
from .prices import PriceTable

__all__ = ["DRIVES", "Drive", "GeneratedNeuron", "drive"]

Drive = Literal["random", "photo"]
DRIVES: tuple[Drive, ...] = get_args(Drive)
"""``random``: uniform codes and weights, new ones for every result. ``photo``: a window slides over a
photograph, the weights stay."""

_WARM_UP = 20
"""Results that are computed before toggles count: longer than any pipeline."""

_GAIN = 40_000


@dataclass(frozen=True, kw_only=True)
class GeneratedNeuron:
    """A digital neuron of the generator: a multiplier per input, or one that takes turns."""

    n_inputs: int
    parallel: bool

    @property
    def name(self) -> str:
        """Folder name: ``parallel-25``."""
        return f"{'parallel' if self.parallel else 'serial'}-{self.n_inputs}"

    @property
    def cycles_per_result(self) -> int:
        """Clock cycles from one result to the next."""
        return 1 if self.parallel else self.n_inputs + 1

    def rows(self, weights: NDArray[np.int64], codes: NDArray[np.int64]) -> Iterator[Mapping[str, int]]:
        """Yield the inputs of every cycle for ``weights`` and ``codes`` [result, input]."""
        n_results, n_inputs = codes.shape
        shift = 17 + n_inputs.bit_length() // 2 + 7  # sums of random signs grow with the square root
        scale = {"gain": _GAIN, "shift": shift}
        if self.parallel:
            for weight_row, code_row in zip(pack_rows(weights, 8), pack_rows(codes, 8), strict=True):
                yield {"valid_in": 1, "weights": weight_row, "activations": code_row, **scale}
            return
        for result in range(n_results):
            for weight, code in zip(weights[result].tolist(), codes[result].tolist(), strict=True):
                yield {"accumulate": 1, "weight": weight & 0xFF, "activation": code, **scale}
            yield {"flush": 1, **scale}

    def measure(
        self,
        kind: Drive,
        table: PriceTable,
        *,
        folder: Path,
        cache: Path,
        simulator: SimulatorName = "icarus",
        n_results: int = 300,
        seed: int = 1,
    ) -> EnergyReport:
        """Simulate up to ``n_results`` results on a drive and price the toggles at 1 result per second.

        The leakage in the report is that of one second per cycle: take the power from it, not the energy.
        """
        warm_up = _WARM_UP if self.parallel else 1
        n_results = min(n_results, ROWS_MAX // self.cycles_per_result - warm_up)
        weights, codes = drive(kind, n_results + warm_up, self.n_inputs, np.random.default_rng(seed))
        if self.parallel:
            component = ParallelMacParameters(n_inputs=self.n_inputs).create()
        else:
            component = SerialMacParameters(n_inputs=self.n_inputs).create()
        player = RowPlayer.create(component, folder / self.name, cache, simulator)
        activity = player.play(list(self.rows(weights, codes)), warm_up=warm_up * self.cycles_per_result)
        n_macs = n_results * self.n_inputs
        return estimate_energy(
            activity,
            read_inventory(player.sources, player.top),
            table,
            clock_hz=1.0,
            n_inferences=n_results,
            n_macs=n_macs,
            n_sops=n_macs,
        )


def drive(
    kind: Drive, n_results: int, n_inputs: int, rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return weight codes and activation codes, both ``[result, input]``.

    ``n_inputs`` of a photo must be a square: 25 is a window of 5 x 5 pixels.
    """
    shape = (n_results, n_inputs)
    if kind == "random":
        return rng.integers(-127, 128, shape), rng.integers(0, 256, shape)
    side = int(np.sqrt(n_inputs))
    if side * side != n_inputs:
        raise ValueError(f"drive: inputs of a photo must be a square number, got {n_inputs}")
    windows = np.lib.stride_tricks.sliding_window_view(_photo(), (side, side))
    start = rng.integers(0, windows.shape[0])
    in_order = windows.reshape(-1, side, side)[start * windows.shape[1] :]  # along the rows, as a scan does
    codes = in_order[:n_results].reshape(n_results, n_inputs).astype(np.int64)
    weights = np.clip(np.rint(rng.normal(0, 127 / 3, n_inputs)), -127, 127).astype(np.int64)
    return np.broadcast_to(weights, shape), codes


def _photo() -> NDArray[np.uint8]:
    """Return the brightness of the photograph of a Chinese temple that comes with scikit-learn, 427 x 640."""
    from sklearn.datasets import load_sample_image  # slow to import, so only where needed

    return np.asarray(np.rint(load_sample_image("china.jpg").mean(axis=2)), np.uint8)
