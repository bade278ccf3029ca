"""Analog arrays survive the way to the simulator's Python."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from analog_models.neuron import MixedSignalNeuronParameters
from cosim.arrays import ArrayJob, read_array_jobs, write_array_jobs


def array_jobs() -> list[ArrayJob]:
    default = MixedSignalNeuronParameters()
    designs = (
        replace(default, supply=1.2, process=replace(default.process, name="other")),
        MixedSignalNeuronParameters.ideal(),
    )
    return [
        ArrayJob(
            x=index,
            y=index + 1,
            parameters=design,
            draw=design.draw(3, 5, np.random.default_rng(index)),
            noise_seed=(1 << 64) - 1 - index,
            code_max=255 >> index,
            evaluation_time=(math.inf, 4e-8 / 3)[index],
        )
        for index, design in enumerate(designs)
    ]


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    jobs = array_jobs()
    write_array_jobs(jobs, tmp_path)
    for read, written in zip(read_array_jobs(tmp_path), jobs, strict=True):
        assert read.suffix == written.suffix
        for name in ("x", "y", "parameters", "noise_seed", "code_max", "evaluation_time"):
            assert getattr(read, name) == getattr(written, name), name
        for name in ("bit_error", "gain_error", "offset"):
            np.testing.assert_array_equal(getattr(read.draw, name), getattr(written.draw, name))
    assert read_array_jobs(tmp_path)[1].parameters.degeneration == float("inf")


def test_no_arrays_are_no_jobs(tmp_path: Path) -> None:
    write_array_jobs(array_jobs(), tmp_path)
    write_array_jobs([], tmp_path)
    assert read_array_jobs(tmp_path) == []


def test_the_same_jobs_give_the_same_bytes(tmp_path: Path) -> None:
    contents = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write_array_jobs(array_jobs(), tmp_path / name)
        contents.append({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()})
    assert contents[0] == contents[1]
    assert set(contents[0]) == {"arrays.json", "draw_0_1.npz", "draw_1_2.npz"}
