"""Benches of the event fabric, and the traffic that they and the unit tests send through it."""
