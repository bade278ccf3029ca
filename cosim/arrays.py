"""The manufactured analog arrays of one simulation, on disk between the job and the simulator's Python."""

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from analog_models.neuron import MixedSignalNeuronDraw, MixedSignalNeuronParameters
from analog_models.process import Process

__all__ = ["JOB_VARIABLE", "ArrayJob", "calibration_noise", "read_array_jobs", "write_array_jobs"]

JOB_VARIABLE = "NEUROMIX_COSIM_JOB"
"""Environment variable that tells the simulator's Python the folder of its job."""

_FILE = "arrays.json"


@dataclass(frozen=True, kw_only=True, eq=False)
class ArrayJob:
    """The array of the tile at ``x``, ``y``: its design, what came out of the fab, and its noise.

    Its lines settle for ``evaluation_time`` [s] in each step.
    """

    x: int
    y: int
    parameters: MixedSignalNeuronParameters
    draw: MixedSignalNeuronDraw
    noise_seed: int
    code_max: int
    evaluation_time: float = math.inf

    @property
    def suffix(self) -> str:
        """End of the names of this array's signals in the harness."""
        return f"{self.x}_{self.y}"


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
                "parameters": asdict(job.parameters),
            }
        )
    (folder / _FILE).write_text(json.dumps(listed, indent=1))


def read_array_jobs(folder: Path) -> list[ArrayJob]:
    """Read the arrays of the job in ``folder``."""
    jobs = []
    for entry in json.loads((folder / _FILE).read_text()):
        parameters = entry.pop("parameters")
        parameters["process"] = Process(**parameters["process"])
        jobs.append(
            ArrayJob(
                **entry,
                parameters=MixedSignalNeuronParameters(**parameters),
                draw=MixedSignalNeuronDraw.load(folder / f"draw_{entry['x']}_{entry['y']}.npz"),
            )
        )
    return jobs
