"""Sizes of chips; what they do is tested in cosim/test_job.py."""

from dataclasses import replace

import pytest

from rtl_gen.chip import tile_name
from testbenches.chip_bench import chip_case


def test_tiles_are_named_by_their_addresses_row_by_row() -> None:
    chip = chip_case("parallel").chip
    assert [tile_name(address) for address in chip.tile_addresses] == [
        "tile_0_1",
        "tile_1_1",
        "tile_0_2",
        "tile_1_2",
    ]


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ({"mesh_width": 3}, "width must be 1 to 2 tiles, got 3"),
        ({"mesh_height": 4}, "height must be 1 to 3 tiles, got 4"),
        ({"mesh_width": 0}, "width must be 1 to 2 tiles, got 0"),
    ],
)
def test_a_mesh_that_events_cannot_address_is_refused(size: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=rf"^mesh: {message}$"):
        replace(chip_case("parallel").chip, **size)
