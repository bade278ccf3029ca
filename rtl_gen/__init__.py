"""Digital hardware in Amaranth: neurons, spike-routing fabric, boundary to analog arrays, host side."""
