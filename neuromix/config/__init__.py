"""Experiment files: what may be written in YAML, and its validation."""

from .experiment import (
    BackEnds,
    ChipConfig,
    Cifar10Data,
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
from .load import json_schema, load_document, load_experiment
from .problems import ExperimentError, Problem
from .quantity import Quantity
from .shipped import find_experiment, shipped_experiments

__all__ = [
    "BackEnds",
    "ChipConfig",
    "Cifar10Data",
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
    "Quantity",
    "SerialBackEnd",
    "Simulator",
    "find_experiment",
    "json_schema",
    "load_document",
    "load_experiment",
    "shipped_experiments",
]
