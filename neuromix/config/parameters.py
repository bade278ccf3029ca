"""Parameter dataclasses of other packages as sections of an experiment file."""

import dataclasses
import functools
import types
import typing
from typing import Annotated, Any, Literal, Union

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, Strict, create_model
from pydantic_core import CoreSchema, core_schema

from .quantity import Quantity, format_quantity

__all__ = ["FromFile", "section_of"]


class FromFile:
    """Annotation of a frozen dataclass that files give as a mapping, checked before it is constructed.

    The dataclass is the only declaration. Each field's ``metadata`` tells ``unit`` (SI; empty for a ratio),
    ``low`` and ``high`` (inclusive, in that unit), ``allowed`` (names to choose from) and ``description``.
    Keys that the file leaves out take the dataclass's defaults.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        section = section_of(source)

        def construct(value: object, validate: core_schema.ValidatorFunctionWrapHandler) -> object:
            if isinstance(value, source):
                return value
            checked = validate(value)
            return source(**{name: getattr(checked, name) for name in checked.model_fields_set})

        def write(value: object) -> object:
            fields = {name: getattr(value, name) for name in section.model_fields}
            return section.model_construct(**fields).model_dump(mode="json")

        return core_schema.no_info_wrap_validator_function(
            construct,
            handler(section),
            serialization=core_schema.plain_serializer_function_ser_schema(write, when_used="json"),
        )


@functools.cache
def section_of(parameters: type) -> type[BaseModel]:
    """Return the pydantic model of the dataclass ``parameters``."""
    hints = typing.get_type_hints(parameters)
    fields: dict[str, Any] = {
        field.name: _field(field, hints[field.name]) for field in dataclasses.fields(parameters) if field.init
    }
    config = ConfigDict(frozen=True, extra="forbid", title=parameters.__name__)
    return create_model(parameters.__name__, __config__=config, __doc__=parameters.__doc__, **fields)


def _field(field: "dataclasses.Field[Any]", hint: Any) -> tuple[Any, Any]:
    """Return the annotation and default by which pydantic knows ``field``."""
    unit, low, high = (field.metadata.get(key) for key in ("unit", "low", "high"))
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    optional = isinstance(hint, types.UnionType) or typing.get_origin(hint) is Union
    kind = next(part for part in typing.get_args(hint) if part is not types.NoneType) if optional else hint

    annotation: Any = kind
    bounds: dict[str, Any] = {}
    if dataclasses.is_dataclass(kind):
        annotation = Annotated[kind, FromFile()]
    elif kind is float:
        example = next((value for value in (default, high, low) if isinstance(value, int | float)), 1.0)
        shown = format_quantity(example, unit or "")
        given = {key: bound for key, bound in (("low", low), ("high", high)) if bound is not None}
        annotation = Annotated[float, Quantity(unit=unit or "", example=shown, **given)]
        if isinstance(default, int | float):
            default = shown
    elif kind is str and "allowed" in field.metadata:
        annotation = Literal[field.metadata["allowed"]]
    elif kind in (int, bool):
        annotation = Annotated[kind, Strict()]
        bounds = {"ge": low, "le": high} if kind is int else {}
    if default is dataclasses.MISSING:
        default = ...
    description = field.metadata.get("description")
    return annotation | None if optional else annotation, Field(default, description=description, **bounds)
