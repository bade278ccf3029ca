"""Benches for the digital side of analog arrays."""
