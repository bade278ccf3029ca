import dataclasses
import math

import pytest

from analog_models.neuron import MixedSignalNeuronParameters
from analog_models.process import PROCESSES, Process
from analog_models.quantity import check_quantities, quantity

SOURCE_TAGS = ("[S]", "[M]", "[D]", "[R]", "[A]")


@dataclasses.dataclass(frozen=True)
class Tank:
    pressure: float = quantity(1.0, "Pa", 0, 10, "pressure", "made up [A]")
    colour: str = "red"


@pytest.mark.parametrize("pressure", [0, 10, 2.5])
def test_bounds_are_allowed_values(pressure: float) -> None:
    check_quantities(Tank(pressure=pressure), "tank")


@pytest.mark.parametrize("pressure", [-1, 10.1, math.nan, "5", None, True])
def test_message_is_made_from_the_declaration(pressure: float) -> None:
    with pytest.raises(ValueError, match=rf"^tank: pressure must be 0 to 10 Pa, got {pressure!r}$"):
        check_quantities(Tank(pressure=pressure), "tank")


def test_all_problems_are_reported_at_once() -> None:
    with pytest.raises(ValueError, match=r"temperature must be 200 to 450 K, got 20\n.*degeneration must be"):
        MixedSignalNeuronParameters(temperature=20, degeneration=0.5)


@pytest.mark.parametrize("owner", [MixedSignalNeuronParameters(), *PROCESSES.values()])
def test_every_number_declares_unit_bounds_and_source(owner: object) -> None:
    numbers = [field for field in dataclasses.fields(owner) if field.type in (float, "float")]  # type: ignore[arg-type]
    assert numbers
    for field in numbers:
        assert field.metadata.keys() == {"unit", "low", "high", "description", "source"}, field.name
        assert field.metadata["source"].endswith(SOURCE_TAGS), field.name
        assert field.metadata["low"] <= field.default <= field.metadata["high"], field.name


def test_name_that_is_no_choice_is_refused_with_those_that_are() -> None:
    message = r"^mixed-signal neuron: topology must be one of full_binary, segmented, m2m, c2c, got 'r2r'$"
    with pytest.raises(ValueError, match=message):
        MixedSignalNeuronParameters(topology="r2r")


def test_process_names_itself_in_its_errors() -> None:
    with pytest.raises(ValueError, match=r"^process odd: slope_factor must be 1 to 3, got 0.5$"):
        Process(name="odd", slope_factor=0.5)


def test_swing_above_the_supply_is_refused() -> None:
    with pytest.raises(ValueError, match=r"node_full_scale must be at most the supply, 1 V, got 1.2 V$"):
        MixedSignalNeuronParameters(node_full_scale=1.2)
