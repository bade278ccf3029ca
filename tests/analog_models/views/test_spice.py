"""The netlist of a cell: its devices, by count and by size."""

import re
from dataclasses import replace

import numpy as np
import pytest

from analog_models.corner import CORNERS
from analog_models.mdac import TOPOLOGIES, WEIGHT_MAX
from analog_models.neuron import MixedSignalNeuronParameters
from analog_models.views.spice import BUILT_IN_CARD, SpiceCell, spice_netlist

CELL = SpiceCell(parameters=MixedSignalNeuronParameters())


def transistors(text: str) -> dict[str, dict[str, str]]:
    """Return nodes, model and parameters of every transistor by name."""
    found = {}
    for line in text.splitlines():
        if line.startswith("m"):
            name, drain, gate, source, bulk, model, *sizes = line.split()
            nodes = {"drain": drain, "gate": gate, "source": source, "bulk": bulk, "model": model}
            found[name] = {**nodes, **dict(size.split("=") for size in sizes)}
    return found


def test_cell_has_as_many_units_as_its_topology() -> None:
    devices = transistors(spice_netlist(CELL, BUILT_IN_CARD))
    mirrors = [device for name, device in devices.items() if name.startswith("mu")]
    assert [int(device["m"]) for device in mirrors] == [1, 2, 4, 8, 16, 32, 64]
    assert sum(int(device["m"]) for device in mirrors) == TOPOLOGIES["full_binary"].n_units
    assert all((device["gate"], device["source"]) == ("axon", "0") for device in mirrors)
    assert int(devices["mdiode"]["m"]) == CELL.n_diode_units == 125


def test_drawn_units_are_transistors_of_their_own_with_their_own_shifts() -> None:
    threshold, factor = np.arange(WEIGHT_MAX) * 1e-3, np.arange(WEIGHT_MAX) * 1e-4
    devices = transistors(spice_netlist(CELL, BUILT_IN_CARD, unit_shifts=(threshold, factor)))
    mirrors = {name: device for name, device in devices.items() if name.startswith("mu")}
    assert len(mirrors) == WEIGHT_MAX
    drains = [device["drain"] for device in mirrors.values()]
    assert [drains.count(f"b{bit}") for bit in range(7)] == [1, 2, 4, 8, 16, 32, 64]
    np.testing.assert_allclose([float(device["delvto"]) for device in mirrors.values()], threshold, rtol=1e-5)
    np.testing.assert_allclose([float(device["mulu0"]) for device in mirrors.values()], 1 + factor, rtol=1e-5)


def test_every_bit_has_a_switch_to_either_wire() -> None:
    devices = transistors(spice_netlist(CELL, BUILT_IN_CARD))
    for bit in range(7):
        for wire in "pn":
            switch = devices[f"ms{wire}{bit}"]
            assert (switch["drain"], switch["gate"], switch["source"]) == (wire, f"{wire}{bit}", f"b{bit}")


def test_full_cell_drops_the_full_scale_over_its_load() -> None:
    p = CELL.parameters
    assert CELL.load_resistance * p.unit_current * WEIGHT_MAX == pytest.approx(p.node_full_scale)
    assert f"rp vdd p {CELL.load_resistance:.6g}" in spice_netlist(CELL, BUILT_IN_CARD)


def test_corner_shifts_every_transistor_away_from_or_towards_its_threshold() -> None:
    slow = transistors(spice_netlist(CELL, BUILT_IN_CARD, corner=CORNERS["ss"]))
    for device in slow.values():
        sign = -1 if device["model"] == BUILT_IN_CARD.pmos else 1
        assert float(device["delvto"]) == sign * CORNERS["ss"].threshold_shift
        assert float(device["mulu0"]) == CORNERS["ss"].mobility_factor
    assert {device["model"] for device in slow.values()} == {BUILT_IN_CARD.nmos, BUILT_IN_CARD.pmos}


def test_netlist_is_the_same_text_every_time() -> None:
    assert spice_netlist(CELL, BUILT_IN_CARD) == spice_netlist(
        SpiceCell(parameters=MixedSignalNeuronParameters()), BUILT_IN_CARD
    )


@pytest.mark.parametrize("topology", ["segmented", "m2m"])
def test_divider_has_as_many_units_as_its_topology(topology: str) -> None:
    cell = SpiceCell(parameters=MixedSignalNeuronParameters(topology=topology))
    devices = transistors(spice_netlist(cell, BUILT_IN_CARD))
    parts = re.compile(
        r"m(u\d|up\d|feed|leg\d|between\d|end|rest)$"
    )  # one of the three ways of each steered unit
    units = [int(device.get("m", 1)) for name, device in devices.items() if parts.match(name)]
    assert sum(units) == TOPOLOGIES[topology].n_units


@pytest.mark.parametrize("topology", ["full_binary", "segmented", "m2m"])
def test_every_unit_takes_its_own_shift_whichever_way_it_is_steered(topology: str) -> None:
    cell = SpiceCell(parameters=MixedSignalNeuronParameters(topology=topology))
    n_units = TOPOLOGIES[topology].n_units
    threshold, factor = np.arange(1, n_units + 1) * 1e-3, np.arange(1, n_units + 1) * 1e-4
    devices = transistors(spice_netlist(cell, BUILT_IN_CARD, unit_shifts=(threshold, factor)))
    ways: dict[str, set[str]] = {"": set(), "p": set(), "n": set(), "d": set()}
    for name, device in devices.items():
        if float(device["delvto"]):
            way = re.match(r"mu([pnd])", name)
            ways[way[1] if way else ""].add(device["delvto"])
            assert float(device["mulu0"]) == pytest.approx(1 + float(device["delvto"]) / 10)
    assert ways["p"] == ways["n"] == ways["d"]
    assert not ways[""] & ways["p"]
    assert len(ways[""] | ways["p"]) == n_units


def test_ladder_of_capacitors_is_that_of_its_topology() -> None:
    cell = SpiceCell(parameters=MixedSignalNeuronParameters(topology="c2c", ladder_capacitance=3e-15))
    error = np.arange(cell.parameters.cell.n_units) / 100
    for shifts in (None, (np.zeros_like(error), error)):
        text = spice_netlist(cell, BUILT_IN_CARD, unit_shifts=shifts)
        found = [
            float(line.split()[-1]) for line in text.splitlines() if re.match(r"c(leg|between|end)", line)
        ]
        units = np.split(error, np.cumsum(cell.parameters.cell.devices)[:-1])
        wanted = [3e-15 * (len(unit) + (0 if shifts is None else unit.sum())) for unit in units]
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
    assert cell.selected(0b0100101) == {"i0", "g1", "i2", "g3", "g4", "i5", "g6", "plus"}
    assert cell.selected(-0b0100101) ^ cell.selected(0b0100101) == {"plus", "minus"}


def test_shifts_of_another_number_of_units_are_refused() -> None:
    with pytest.raises(
        ValueError,
        match=r"^spice netlist: unit_shifts must be for 127 units of topology full_binary, got 23, 127$",
    ):
        spice_netlist(CELL, BUILT_IN_CARD, unit_shifts=(np.zeros(23), np.zeros(WEIGHT_MAX)))


def test_divided_bits_go_to_a_wire_or_to_the_supply() -> None:
    cell = SpiceCell(parameters=MixedSignalNeuronParameters(topology="segmented"))
    assert cell.selected(0b0100101) == {"p5", "p2", "p0", "d1", "d3", "rest"}
    assert cell.selected(-0b0110000) == {"n4", "n5"}  # nothing to divide: the feed is off


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_every_node_of_a_device_is_a_port_or_met_twice(topology: str) -> None:
    """A node that only one device touches is a typing error."""
    cell = SpiceCell(parameters=MixedSignalNeuronParameters(topology=topology))
    text = spice_netlist(cell, BUILT_IN_CARD)
    ports = set(re.search(r"^\.subckt neuron_cell (.*)$", text, re.MULTILINE)[1].split())
    touched: list[str] = []
    for line in text.splitlines():
        if line[0] in "mrcge":
            touched += line.split()[1 : 5 if line[0] == "m" else 3]
            touched += [node for pair in re.findall(r"v\(([\w,]+)\)", line) for node in pair.split(",")]
    assert ports <= set(touched)
    assert all(touched.count(node) > 1 or node in ports or node == "0" for node in touched)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"degeneration": float("inf")}, r"^spice cell: degeneration must be finite, got inf"),
        (
            {"input_current": 1e-9},
            r"^spice cell: input_current must be at least half of a mirror's, 8e-09 A, got 1e-09 A$",
        ),
    ],
)
def test_neuron_without_such_a_circuit_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SpiceCell(parameters=replace(MixedSignalNeuronParameters(), **changes))


def test_built_in_card_explains_every_parameter_that_it_sets() -> None:
    comments, models = BUILT_IN_CARD.path.read_text().split(".model", 1)
    explained = set(re.findall(r"[a-z0-9]+", comments))
    parameters = set(re.findall(r"(\w+)=", models)) - {"level", "version"}
    assert parameters <= explained, parameters - explained
    assert {BUILT_IN_CARD.nmos, BUILT_IN_CARD.pmos} <= set(models.split())
