from itertools import product

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from rtl_gen.fabric.route import HOST, Direction, neighbour, next_hop, next_hop_value, path


@pytest.mark.parametrize(("x_width", "y_width"), [(1, 1), (2, 3), (3, 2)])
def test_rtl_route_equals_function_everywhere(x_width, y_width):
    here_x, x = Signal(x_width), Signal(x_width)
    here_y, y = Signal(y_width), Signal(y_width)
    hop = Signal(Direction)
    m = Module()
    m.d.comb += hop.eq(next_hop_value(here_x, here_y, x, y))
    seen = set()

    async def testbench(ctx):
        columns, rows = range(1 << x_width), range(1 << y_width)
        for values in product(columns, rows, columns, rows):
            for signal, value in zip((here_x, here_y, x, y), values, strict=True):
                ctx.set(signal, value)
            expected = next_hop(values[:2], values[2:])
            assert Direction(ctx.get(hop)) is expected, f"here {values[:2]}, destination {values[2:]}"
            seen.add(expected)

    simulator = Simulator(m)
    simulator.add_testbench(testbench)
    simulator.run()
    assert seen == set(Direction)


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ((1, 1), Direction.NORTH),
        ((2, 2), Direction.EAST),
        ((1, 3), Direction.SOUTH),
        ((0, 2), Direction.WEST),
        ((1, 2), Direction.LOCAL),
        ((2, 1), Direction.EAST),  # x first
        ((0, 3), Direction.WEST),
        (HOST, Direction.WEST),
    ],
)
def test_next_hop_goes_along_the_row_first(destination, expected):
    assert next_hop((1, 2), destination) is expected


def test_neighbours_see_each_other_in_opposite_directions():
    for direction in Direction:
        assert neighbour(neighbour((3, 3), direction), direction.opposite) == (3, 3)


def test_path_goes_along_the_row_then_along_the_column():
    assert path((2, 2), HOST) == [(2, 2), (1, 2), (0, 2), (0, 1), (0, 0)]
    assert path(HOST, (1, 2)) == [(0, 0), (0, 1), (1, 1), (1, 2)]
    assert path((1, 1), (1, 1)) == [(1, 1)]


def test_every_path_is_as_short_as_it_can_be():
    tiles = list(product(range(3), range(1, 4)))
    for source, destination in product([*tiles, HOST], repeat=2):
        if source == destination == HOST:
            continue
        distance = abs(source[0] - destination[0]) + abs(source[1] - destination[1])
        assert len(path(source, destination)) == 1 + distance
