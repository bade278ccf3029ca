"""Physical quantities declared with unit, bounds and source, so that errors and help are made from them."""

import dataclasses
import math
from numbers import Real
from typing import Any

__all__ = ["check_quantities", "quantity"]


def quantity(default: float, unit: str, low: float, high: float, description: str, source: str) -> Any:
    """Declare a dataclass field that holds a number in ``unit`` from ``low`` to ``high``, both allowed.

    The declaration is kept in the field's ``metadata`` under the names of the arguments. ``unit`` is ``""``
    for a plain number. ``source`` ends in ``[S]`` seen in a source, ``[M]`` measured in a circuit simulator,
    ``[D]`` derived, ``[R]`` recalled and not verified, or ``[A]`` assumed: a designer's choice.
    """
    return dataclasses.field(
        default=default,
        metadata={"unit": unit, "low": low, "high": high, "description": description, "source": source},
    )


def check_quantities(owner: Any, where: str) -> None:
    """Raise ValueError that names every declared quantity of dataclass ``owner`` outside its bounds."""
    problems = []
    for field in dataclasses.fields(owner):
        if "unit" not in field.metadata:
            continue
        low, high, unit = (field.metadata[key] for key in ("low", "high", "unit"))
        value = getattr(owner, field.name)
        is_number = isinstance(value, Real) and not isinstance(value, bool) and not math.isnan(value)
        if not is_number or not low <= value <= high:
            allowed = f"{low:g} to {high:g} {unit}".rstrip()
            problems.append(f"{where}: {field.name} must be {allowed}, got {value!r}")
    if problems:
        raise ValueError("\n".join(problems))
