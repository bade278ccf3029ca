"""A component given a row per cycle: known toggles, the same on both simulators, refusals."""

from pathlib import Path

import numpy as np
import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from cosim.activity import compare
from cosim.rows import ROWS_MAX, RowPlayer
from cosim.simulator import SIMULATORS, SimulatorName
from tests.conftest import BUILD


class Adder(wiring.Component):
    """Adds ``a`` and ``b`` and registers the sum."""

    a: In(4)
    b: In(4)
    total: Out(5)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        added = Signal(5)
        m.d.comb += added.eq(self.a + self.b)
        m.d.sync += self.total.eq(added)
        return m


def player(folder: Path, simulator_name: SimulatorName) -> RowPlayer:
    return RowPlayer.create(Adder(), folder / simulator_name, BUILD / "simulators", simulator_name)


def test_toggles_are_those_of_the_rows(test_folder: Path, simulator_name: SimulatorName) -> None:
    rows = [{"a": a, "b": b} for a, b in ((0, 0), (1, 0), (0, 0), (15, 1), (15, 1), (0, 15))]
    activity = player(test_folder, simulator_name).play(rows, warm_up=1)
    toggles = {name: activity.toggles[bits].tolist() for (_, name), bits in activity.index.items()}
    assert activity.cycles == 5
    assert toggles["a"] == [4, 2, 2, 2]  # to 1, 0, 15, 15, 0
    assert toggles["b"] == [1, 1, 1, 1]  # to 0, 0, 1, 1, 15
    assert toggles["added"] == [3, 1, 1, 1, 2]  # to 1, 0, 16, 16, 15


def test_simulators_count_the_same(test_folder: Path) -> None:
    rng = np.random.default_rng(3)
    rows = [{"a": int(a), "b": int(b)} for a, b in rng.integers(0, 16, (200, 2))]
    counted = [player(test_folder, name).play(rows, warm_up=3) for name in SIMULATORS]
    assert counted[0].toggles.sum() > 1000
    assert compare(*counted) == []


def test_rows_that_do_not_fit_are_refused(test_folder: Path) -> None:
    adder = player(test_folder, "icarus")
    with pytest.raises(ValueError, match=r"^row: b must be 0 to 15, got 16$"):
        adder.play([{"a": 0}, {"b": 16}], warm_up=0)
    with pytest.raises(ValueError, match=rf"^rows must be 3 to {ROWS_MAX}, got 2$"):
        adder.play([{}, {}], warm_up=2)
    with pytest.raises(ValueError, match=rf"^rows must be 1 to {ROWS_MAX}, got {ROWS_MAX + 1}$"):
        adder.play([{}] * (ROWS_MAX + 1), warm_up=0)
