"""Toggles by block, phase and image class, of counts made by hand."""

import numpy as np

from cosim.activity import PHASES, StepToggles
from neuromix.energy.toggles import block_of, tabulate_toggles

INSTANCES = ((), ("tile_0_1", "core", "engine"), ("tile_0_1", "router"), ("tile_1_1", "core"), ("tile_1_1",))


def test_blocks_are_told_by_where_an_instance_is() -> None:
    assert [block_of(instance) for instance in INSTANCES] == [
        "host side and barrier",
        "cores",
        "routers",
        "cores",
        "tiles, other",
    ]


def test_toggles_are_averaged_over_inferences_and_given_to_the_image_that_a_layer_sees() -> None:
    toggles = np.zeros((4, len(PHASES), len(INSTANCES)), np.int64)
    toggles[:, 1, 1] = [10, 20, 30, 40]  # the first layer sees images 1 to 4, when they enter
    toggles[:, 2, 3] = [1, 2, 3, 4]  # the second sees images 0 to 3
    steps = StepToggles(toggles=toggles, instances=INSTANCES)
    labels = [7, 3, 7, 3, 7]
    table = tabulate_toggles(steps, range(1, 5), {"tile_0_1": 0, "tile_1_1": 1}, labels)
    assert table.by_phase["cores"] == {"moving events": 25.0, "computing": 2.5}
    assert table.by_phase["routers"] == {"moving events": 0.0, "computing": 0.0}
    assert set(table.by_phase) == {block_of(instance) for instance in INSTANCES}
    threes = (10 + 30) / 2 + (2 + 4) / 2  # images 1 and 3 in steps 1 and 3, and a step later
    sevens = (20 + 40) / 2 + (1 + 3) / 2
    assert table.by_class == {"3": threes, "7": sevens}


def test_a_class_that_a_layer_has_not_seen_is_left_out() -> None:
    toggles = np.ones((2, len(PHASES), len(INSTANCES)), np.int64)
    steps = StepToggles(toggles=toggles, instances=INSTANCES)
    table = tabulate_toggles(steps, range(1, 3), {"tile_0_1": 0, "tile_1_1": 1}, [5, 5, 6])
    assert set(table.by_class) == {"5"}
