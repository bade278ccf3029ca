"""Results as data, then as figures and HTML."""
