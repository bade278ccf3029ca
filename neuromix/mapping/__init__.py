"""Networks onto chips: design rules, placement, memory images."""

from .mapped import HOST, MappedCore, MappedNetwork, Position, Route
from .place import MappingError, map_network

__all__ = ["HOST", "MappedCore", "MappedNetwork", "MappingError", "Position", "Route", "map_network"]
