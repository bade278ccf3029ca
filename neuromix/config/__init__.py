"""Experiment files: what may be written in YAML, and its validation."""

from .experiment import ExperimentConfig
from .load import json_schema, load_experiment
from .problems import ExperimentError, Problem
from .shipped import find_experiment, shipped_experiments

__all__ = [
    "ExperimentConfig",
    "ExperimentError",
    "Problem",
    "find_experiment",
    "json_schema",
    "load_experiment",
    "shipped_experiments",
]
