"""Digital side of mixed-signal arrays."""
