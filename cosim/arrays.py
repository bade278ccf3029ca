"""The manufactured analog arrays of one simulation, on disk between the job and the simulator's Python."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from analog_models.array import ArrayBank, ArrayDraw, ArrayParameters
from analog_models.neuron import MixedSignalNeuronDraw, MixedSignalNeuronParameters
from analog_models.process import Process
from analog_models.spiking import SpikingNeuronDraw, SpikingNeuronParameters
from analog_models.spiking_array import SpikingArrayParameters

__all__ = [
    "JOB_VARIABLE",
    "ArrayJob",
    "calibration_noise",
    "packed",
    "read_array_jobs",
    "read_rows",
    "signed_bytes",
    "unpacked",
    "write_array_jobs",
]

JOB_VARIABLE = "NEUROMIX_COSIM_JOB"
"""Environment variable that tells the simulator's Python the folder of its job."""

_FILE = "arrays.json"

_CONVERTING, _SPIKING = "converting", "spiking"


@dataclass(frozen=True, kw_only=True, eq=False)
class ArrayJob:
    """The array of the tile at ``x``, ``y``: its design, what came out of the fab, and its noise.

    Its lines settle for ``evaluation_time`` [s] in each step.
    """

    x: int
    y: int
    parameters: ArrayParameters
    draw: ArrayDraw
    noise_seed: int
    code_max: int
    evaluation_time: float = math.inf

    @property
    def suffix(self) -> str:
        """End of the names of this array's signals in the harness."""
        return f"{self.x}_{self.y}"

    @property
    def place(self) -> tuple[int, int]:
        """Address of the tile."""
        return self.x, self.y

    @property
    def code_width(self) -> int:
        """Width of an activation code [bits]."""
        return self.code_max.bit_length()

    def bank(
        self, rows: Mapping[int, bytes], *, gain: int, shift: int, calibrating: bool = False
    ) -> ArrayBank:
        """Return the array with the ``rows`` of weights that the digital side wrote, untrimmed.

        Row ``axon`` has a sign-magnitude byte per neuron; rows that were not written are 0.
        """
        codes = np.zeros((self.draw.n_axons, self.draw.n_neurons), dtype=np.int64)
        for axon, row in rows.items():
            codes[axon] = np.frombuffer(row, np.uint8)
        return self.parameters.bank(
            self.draw,
            weights=np.where(codes & 0x80, -(codes & 0x7F), codes).T,
            gain=gain,
            shift=shift,
            code_max=self.code_max,
            noise_seed=calibration_noise(self.noise_seed) if calibrating else self.noise_seed,
            evaluation_time=self.evaluation_time,
        )


def read_rows(path: Path) -> dict[tuple[int, int], dict[int, bytes]]:
    """Return the rows of weights that the harness has seen: by place, by axon, low byte first."""
    rows: dict[tuple[int, int], dict[int, bytes]] = {}
    for line in path.read_text().splitlines():
        x, y, row, weights = line.split()
        rows.setdefault((int(x), int(y)), {})[int(row)] = bytes.fromhex(weights)[::-1]
    return rows


def unpacked(words: NDArray[np.uint8], count: int, width: int) -> NDArray[np.int64]:
    """Return the ``[..., count]`` fields of ``width`` bits of ``words`` [..., byte], low ones first."""
    if width == 8:
        return words[..., :count].astype(np.int64)
    bits = np.unpackbits(words, axis=-1, bitorder="little")[..., : count * width]
    return bits.reshape(*words.shape[:-1], count, width).astype(np.int64) @ (1 << np.arange(width))


def packed(codes: NDArray[np.int64], width: int) -> NDArray[np.uint8]:
    """Return the words [..., byte] whose fields of ``width`` bits are ``codes`` [..., field]."""
    if width == 8:
        return codes.astype(np.uint8)
    bits = (codes[..., np.newaxis] >> np.arange(width)) & 1
    flat = bits.astype(np.uint8).reshape(*codes.shape[:-1], -1)
    return np.packbits(flat, axis=-1, bitorder="little")


def signed_bytes(words: NDArray[np.uint8], count: int) -> NDArray[np.int64]:
    """Return ``count`` two's complement bytes of ``words`` [..., byte], low byte first."""
    return words[..., :count].astype(np.int8).astype(np.int64)


def calibration_noise(noise_seed: int) -> int:
    """Return the seed of an array's noise while it is calibrated, whose evaluations are numbered apart."""
    return noise_seed ^ 1 << 127


def write_array_jobs(jobs: Iterable[ArrayJob], folder: Path) -> None:
    """Write what :func:`read_array_jobs` reads."""
    listed = []
    for job in jobs:
        job.draw.save(folder / f"draw_{job.suffix}.npz")
        listed.append(
            {
                "x": job.x,
                "y": job.y,
                "noise_seed": job.noise_seed,
                "code_max": job.code_max,
                "evaluation_time": job.evaluation_time,
                "design": _written(job.parameters),
            }
        )
    (folder / _FILE).write_text(json.dumps(listed, indent=1))


def read_array_jobs(folder: Path) -> list[ArrayJob]:
    """Read the arrays of the job in ``folder``."""
    jobs = []
    for entry in json.loads((folder / _FILE).read_text()):
        ((kind, neuron),) = entry.pop("design").items()
        neuron["process"] = Process(**neuron["process"])
        draw: type[MixedSignalNeuronDraw | SpikingNeuronDraw] = MixedSignalNeuronDraw
        parameters: ArrayParameters
        if kind == _SPIKING:
            parameters = SpikingArrayParameters(neuron=SpikingNeuronParameters(**neuron))
            draw = SpikingNeuronDraw
        else:
            parameters = MixedSignalNeuronParameters(**neuron)
        path = folder / f"draw_{entry['x']}_{entry['y']}.npz"
        jobs.append(ArrayJob(**entry, parameters=parameters, draw=draw.load(path)))
    return jobs


def _written(parameters: ArrayParameters) -> dict[str, object]:
    """Return the design as JSON: its neuron's parameters, by kind."""
    if isinstance(parameters, SpikingArrayParameters):
        return {_SPIKING: asdict(parameters.neuron)}
    if isinstance(parameters, MixedSignalNeuronParameters):
        return {_CONVERTING: asdict(parameters)}
    raise TypeError(f"an array must have converting or spiking neurons, got {type(parameters).__name__}")
