"""The divider of a cell as a net of conductances."""

import numpy as np
import pytest

from analog_models.mdac import MAGNITUDE_BITS, TOPOLOGIES
from neuromix.characterize.divider import Divider


@pytest.mark.parametrize(("topology", "n_divided"), [("segmented", 4), ("m2m", MAGNITUDE_BITS)])
def test_settled_divider_gives_each_bit_its_share(topology: str, n_divided: int) -> None:
    divider = Divider.of(TOPOLOGIES[topology])
    found = divider.taken @ divider.at_rest
    np.testing.assert_allclose(found[:n_divided], 2.0 ** np.arange(n_divided), rtol=1e-12)
    assert not found[n_divided:].any()


def test_every_unit_of_the_divider_weighs_on_the_node_that_is_its_source() -> None:
    assert Divider.of(TOPOLOGIES["segmented"]).gates.tolist() == [16]
    # On the ladder the leg and what leads on, in the middle of a leg its upper unit.
    ladder, middles = [2] * MAGNITUDE_BITS, [1] * (MAGNITUDE_BITS + 1)
    assert Divider.of(TOPOLOGIES["m2m"]).gates.tolist() == ladder + middles


@pytest.mark.parametrize("topology", ["full_binary", "c2c"])
def test_cell_that_divides_no_current_has_no_node(topology: str) -> None:
    assert Divider.of(TOPOLOGIES[topology]).at_rest.size == 0
