"""Behavioural models of mixed-signal neurons: numpy in, numpy out, SI units."""
