"""XY routing: along the row to the right column, then along the column; software and RTL side by side.

Coordinates: x grows to the east, y to the south. The host is address (0, 0), north of tile (0, 1), the tile
in the north-west corner, so any tile reaches it by going west, then north.
"""

from enum import Enum

from amaranth.hdl import Mux, Value

__all__ = ["HOST", "Address", "Direction", "neighbour", "next_hop", "next_hop_value", "path"]

Address = tuple[int, int]
"""Position of a tile or of the host: x, y."""

HOST: Address = (0, 0)
"""Where the host is."""


class Direction(Enum):
    """Ports of a router."""

    NORTH = 0
    EAST = 1
    SOUTH = 2
    WEST = 3
    LOCAL = 4

    @property
    def label(self) -> str:
        """Name in ports and signals, such as ``north``."""
        return self.name.lower()

    @property
    def opposite(self) -> "Direction":
        """Where the neighbour in this direction sees us; a core sees its router on its local port."""
        return self if self is Direction.LOCAL else Direction((self.value + 2) % 4)


_STEPS = {
    Direction.NORTH: (0, -1),
    Direction.EAST: (1, 0),
    Direction.SOUTH: (0, 1),
    Direction.WEST: (-1, 0),
    Direction.LOCAL: (0, 0),
}


def neighbour(here: Address, direction: Direction) -> Address:
    """Return the address next to ``here`` in ``direction``."""
    step_x, step_y = _STEPS[direction]
    return here[0] + step_x, here[1] + step_y


def next_hop(here: Address, destination: Address) -> Direction:
    """Return through which port the router at ``here`` sends an event for ``destination``."""
    (here_x, here_y), (x, y) = here, destination
    if x != here_x:
        return Direction.EAST if x > here_x else Direction.WEST
    if y != here_y:
        return Direction.SOUTH if y > here_y else Direction.NORTH
    return Direction.LOCAL


def next_hop_value(here_x: Value, here_y: Value, x: Value, y: Value) -> Value:
    """Return the RTL twin of :func:`next_hop`: a :class:`Direction` as an Amaranth expression."""
    along_column = Mux(y > here_y, Direction.SOUTH, Mux(y < here_y, Direction.NORTH, Direction.LOCAL))
    return Mux(x > here_x, Direction.EAST, Mux(x < here_x, Direction.WEST, along_column))


def path(source: Address, destination: Address) -> list[Address]:
    """Return the addresses that an event passes, both ends included.

    An event from the host enters at the router below it and is routed from there, so it may go along the row
    at once.
    """
    passed = [source]
    if source == HOST:
        passed.append(neighbour(HOST, Direction.SOUTH))
    while passed[-1] != destination:
        passed.append(neighbour(passed[-1], next_hop(passed[-1], destination)))
    return passed
