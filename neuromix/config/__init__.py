"""Experiment files: what may be written in YAML, and its validation."""
