"""Parameters declared with what they may be, so that errors and help are made from the declaration."""

import dataclasses
import math
from collections.abc import Iterable
from numbers import Real
from typing import Any

__all__ = ["check_quantities", "choice", "quantity"]


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


def choice(default: str, allowed: Iterable[str], description: str) -> Any:
    """Declare a dataclass field that holds one of the ``allowed`` names; its metadata says which."""
    return dataclasses.field(
        default=default, metadata={"allowed": tuple(allowed), "description": description}
    )


def check_quantities(owner: Any, where: str) -> None:
    """Raise ValueError that names every declared field of dataclass ``owner`` that may not be what it is."""
    problems = []
    for field in dataclasses.fields(owner):
        allowed_names = field.metadata.get("allowed")
        if allowed_names and getattr(owner, field.name) not in allowed_names:
            given = getattr(owner, field.name)
            problems.append(f"{where}: {field.name} must be one of {', '.join(allowed_names)}, got {given!r}")
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
