"""Parameter dataclasses as sections of a file: one declaration, checked and constructed from text."""

from dataclasses import dataclass, field, fields
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from analog_models.neuron import MixedSignalNeuronParameters
from neuromix.config.parameters import FromFile, section_of


def quantity(default: float, unit: str, low: float, high: float) -> Any:
    metadata = {"unit": unit, "low": low, "high": high, "description": f"in {unit}"}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Wire:
    length: float = quantity(1e-6, "m", 1e-9, 1e-3)


@dataclass(frozen=True, kw_only=True)
class Cell:
    name: str
    wire: Wire = Wire(length=2e-6)
    capacitance: float = quantity(0.47e-15, "F", 0.0, 1e-12)
    leakage: float | None = field(default=None, metadata={"unit": "A", "low": 0.0})
    n_units: int = field(default=4, metadata={"low": 1, "high": 8})
    cascoded: bool = False
    kind: str = field(default="nmos", metadata={"allowed": ("nmos", "pmos")})

    def __post_init__(self) -> None:
        if self.cascoded and self.n_units < 2:
            raise ValueError(f"cell: n_units must be at least 2 if cascoded, got {self.n_units}")


CELL: TypeAdapter[Cell] = TypeAdapter(Annotated[Cell, FromFile()])


def test_text_becomes_the_dataclass_in_si_units() -> None:
    given = {
        "name": "a",
        "capacitance": "1 fF",
        "leakage": "3 nA",
        "wire": {"length": "3 um"},
        "n_units": 2,
        "kind": "pmos",
    }
    assert CELL.validate_python(given) == Cell(
        name="a",
        capacitance=1e-15,
        leakage=pytest.approx(3e-9),
        wire=Wire(length=3e-6),
        n_units=2,
        kind="pmos",
    )


def test_keys_left_out_take_exactly_the_defaults_of_the_dataclass() -> None:
    assert CELL.validate_python({"name": "a"}) == Cell(name="a")
    assert CELL.validate_python(Cell(name="b")) == Cell(name="b")


def test_dataclass_survives_json_exactly() -> None:
    cell = Cell(name="a", capacitance=1 / 3 * 1e-15, leakage=0.1, wire=Wire(length=0.7e-6))
    assert CELL.validate_json(CELL.dump_json(cell)) == cell


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"capacitance": "1 pA"}, "a quantity in F, such as '470 aF'"),
        ({"capacitance": "2 pF"}, "0 F to 1 pF"),
        ({"capacitance": 1e-15}, "a quantity in F"),
        ({"n_units": 9}, "less than or equal to 8"),
        ({"cascoded": "yes"}, "valid boolean"),
        ({"kind": "njfet"}, "'nmos' or 'pmos'"),
        ({"wire": {"lenght": "1 um"}}, "not permitted"),
        ({"cascoded": True, "n_units": 1}, "n_units must be at least 2 if cascoded, got 1"),
    ],
)
def test_wrong_parameter_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CELL.validate_python({"name": "a", **given})


def test_every_parameter_of_the_analog_neuron_can_be_given() -> None:
    assert list(section_of(MixedSignalNeuronParameters).model_fields) == [
        field.name for field in fields(MixedSignalNeuronParameters)
    ]
