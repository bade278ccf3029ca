"""Quantities with units, in the spellings that people use."""

import math
from typing import Annotated

import pytest
from pydantic import TypeAdapter, ValidationError

from neuromix.config.quantity import Quantity, format_quantity, parse_quantity


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("100MHz", "Hz", 100e6),
        (" 0.1  GHz ", "Hz", 100e6),
        ("1e8 Hz", "Hz", 100e6),
        ("100 megahertz", "Hz", 100e6),
        ("1E-1 GHz", "Hz", 100e6),
        ("27 °C", "K", 300.15),
        ("27 degC", "K", 300.15),
        ("1 µV", "V", 1e-6),  # micro sign
        ("1 μV", "V", 1e-6),  # Greek mu
        ("1 uV^2", "V^2", 1e-12),
        ("1 uV**2", "V^2", 1e-12),
        ("3.5 mV um", "V*m", 3.5e-9),
        ("3.5 mV·µm", "V*m", 3.5e-9),
        ("11.75 fF/um^2", "F/m^2", 11.75e-3),
        ("11.75 fF/µm²", "F/m^2", 11.75e-3),
        ("-.5 V", "V", -0.5),
        ("2 %", "", 0.02),
        ("3", "", 3.0),
        ("inf", "", math.inf),
    ],
)
def test_spelling_is_understood(text: str, unit: str, value: float) -> None:
    assert parse_quantity(text, unit) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "MHz",
        "100",
        "100 mhz",
        "100 m",
        "nan Hz",
        "1 kcycle/s",  # an angle: pint would silently multiply by 2 pi
        "3*4 MHz",
        "1 MHz**9**9**9",
        "1 __import__",
        "1 Hz + 1 Hz",
        "1 None",
        "1 lambda",
        "1 MHz\n; 1",
    ],
)
def test_what_is_no_frequency_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        parse_quantity(text, "Hz")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (80e-15, "F", "80 fF"),
        (0.0, "A", "0 A"),
        (3.5e-9, "V*m", "3.5e-09 V*m"),
        (0.25, "", "0.25"),
    ],
)
def test_format_is_readable(value: float, unit: str, text: str) -> None:
    assert format_quantity(value, unit) == text


def test_bounds_are_inclusive_and_open_where_not_given() -> None:
    quantity = Quantity(unit="V", example="1 V", low=0.5, high=2.0)
    assert [quantity.validate(text) for text in ("500 mV", "2 V")] == [0.5, 2.0]
    assert quantity.range == "500 mV to 2 V"
    assert Quantity(unit="V", example="1 V", low=0.5).range == "at least 500 mV"
    assert Quantity(unit="V", example="1 V", high=2.0).range == "at most 2 V"
    assert Quantity(unit="V", example="1 V").range == ""


@pytest.mark.parametrize("value", [True, None, [1], {"V": 1}, float("nan")])
def test_ratio_is_a_number_or_a_percentage(value: object) -> None:
    ratio = TypeAdapter(Annotated[float, Quantity(unit="", example="2 %", low=0.0, high=1.0)])
    assert ratio.validate_python("50 %") == ratio.validate_python(0.5) == 0.5
    with pytest.raises(ValidationError, match="a number or a percentage, such as '2 %'"):
        ratio.validate_python(value)
