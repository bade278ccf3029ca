"""Benches of the host side: register bus and event streams."""
