"""Experiments and trained networks shipped with the product."""
