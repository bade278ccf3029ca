"""Quantities with units: text such as ``100 MHz`` in a file, SI floats everywhere else."""

import functools
import math
import re
from dataclasses import dataclass
from tokenize import TokenError
from typing import Any

import pint
from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

__all__ = ["Quantity", "format_quantity", "parse_quantity", "requirement"]

_NUMBER = r"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|inf\b)"
_FACTOR = r"(?:%|°?[^\W\d_]+)(?:(?:\*\*|\^)-?\d|[²³])?"
_UNIT = rf"{_FACTOR}(?:(?:\s*[*/·]\s*|\s+){_FACTOR})*"
_QUANTITY = re.compile(rf"\s*({_NUMBER})\s*({_UNIT})?\s*")
_NOT_A_UNIT = (
    pint.PintError,
    TokenError,
    ArithmeticError,
    AttributeError,
    SyntaxError,
    TypeError,
    ValueError,
)


@functools.cache
def _registry() -> "pint.UnitRegistry[float]":
    return pint.UnitRegistry()


def requirement(sentence: str) -> PydanticCustomError:
    """Return the error that a value must be ``sentence``, a noun phrase."""
    return PydanticCustomError("requirement", "{requirement}", {"requirement": sentence})


def parse_quantity(text: str, unit: str) -> float:
    """Return quantity ``text`` in ``unit``; raise ValueError if it is none or its dimension differs."""
    match = _QUANTITY.fullmatch(text)
    if not match:
        raise ValueError(f"must be a number and a unit, got {text!r}")
    number, given_unit = float(match[1]), match[2] or ""
    try:
        quantity = _registry().Quantity(number, given_unit)
        if "radian" in str(quantity.to_root_units().units):
            raise ValueError  # pint takes an angle as 1, so that a cycle per second would be 6.28 Hz
        return float(quantity.to(unit).magnitude)
    except _NOT_A_UNIT:
        raise ValueError(f"must be a quantity in {unit}, got {text!r}") from None


def format_quantity(value: float, unit: str) -> str:
    """Write ``value`` in ``unit`` for people: six digits and, if one unit, a prefix, such as ``1.5 fF``."""
    if not unit.isalpha():
        return f"{value:.6g} {unit}".rstrip()
    return f"{_registry().Quantity(value, unit).to_compact():.6g~P}"


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """Annotation of a float that files give with a unit, and that is held in ``unit``, an SI unit.

    A number without unit is accepted only where ``unit`` is empty: a ratio, which may also be a percentage.
    Bounds are inclusive and in that unit; ``inf`` may be given where the upper bound is infinite.
    """

    unit: str
    example: str
    low: float = -math.inf
    high: float = math.inf

    @property
    def range(self) -> str:
        """What the bounds allow, such as ``1 kHz to 10 GHz``; empty without bounds."""
        low, high = (format_quantity(bound, self.unit) for bound in (self.low, self.high))
        if math.isinf(self.low):
            return "" if math.isinf(self.high) else f"at most {high}"
        return f"at least {low}" if math.isinf(self.high) else f"{low} to {high}"

    def validate(self, value: object) -> float:
        """Return ``value`` in the unit; raise what pydantic reports if it is no such quantity."""
        kind = f"a quantity in {self.unit}" if self.unit else "a number or a percentage"
        if not self.unit and isinstance(value, int | float) and not isinstance(value, bool):
            value = repr(value)
        try:
            number = parse_quantity(value if isinstance(value, str) else "", self.unit)
        except ValueError:
            raise requirement(f"{kind}, such as '{self.example}'") from None
        if not self.low <= number <= self.high:
            raise requirement(self.range)
        return number

    def write(self, value: float) -> object:
        """Write ``value`` so that reading it again gives the very same float."""
        return f"{value!r} {self.unit}" if self.unit or math.isinf(value) else value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self.validate,
            serialization=core_schema.plain_serializer_function_ser_schema(self.write, when_used="json"),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        text = {"type": "string", "pattern": rf"^\s*{_NUMBER}\s*\S"}
        kinds = text if self.unit else {"type": ["number", "string"]}
        return {**kinds, "examples": [self.example], "unit": self.unit, "range": self.range}
