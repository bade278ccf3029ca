"""Benches of the digital neurons and compute engines."""
