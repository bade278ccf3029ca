"""Energy from toggles, memory accesses, leakage and analog charge."""
