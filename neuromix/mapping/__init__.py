"""Networks onto chips: design rules, placement, memory images."""
