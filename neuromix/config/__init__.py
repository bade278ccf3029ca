"""Experiment files: what may be written in YAML, and its validation."""

from .experiment import (
    BackEnds,
    ChipConfig,
    CoreConfig,
    CosimConfig,
    DigitsData,
    EnergyConfig,
    ExperimentConfig,
    IdxData,
    MeshConfig,
    MixedSignalBackEnd,
    ParallelBackEnd,
    SerialBackEnd,
    Simulator,
)
from .load import json_schema, load_experiment
from .problems import ExperimentError, Problem
from .shipped import find_experiment, shipped_experiments

__all__ = [
    "BackEnds",
    "ChipConfig",
    "CoreConfig",
    "CosimConfig",
    "DigitsData",
    "EnergyConfig",
    "ExperimentConfig",
    "ExperimentError",
    "IdxData",
    "MeshConfig",
    "MixedSignalBackEnd",
    "ParallelBackEnd",
    "Problem",
    "SerialBackEnd",
    "Simulator",
    "find_experiment",
    "json_schema",
    "load_experiment",
    "shipped_experiments",
]
