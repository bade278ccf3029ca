"""Networks onto chips: design rules, placement, memory images."""

from .mapped import HOST, MappedCore, MappedNetwork, Position, Route
from .place import MappingError, bias_axons_needed, bias_weights, map_network

__all__ = [
    "HOST",
    "MappedCore",
    "MappedNetwork",
    "MappingError",
    "Position",
    "Route",
    "bias_axons_needed",
    "bias_weights",
    "map_network",
]
