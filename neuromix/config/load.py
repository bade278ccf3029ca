"""From an experiment file to its checked configuration."""

import difflib
import functools
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from .document import Document, KeyPath, dotted, read_document
from .experiment import ExperimentConfig
from .problems import ExperimentError, Problem

__all__ = ["json_schema", "load_document", "load_experiment"]

Config = TypeVar("Config", bound=BaseModel)

_REQUIREMENTS = {
    "bool_type": "true or false",
    "greater_than_equal": "a whole number{bounds}",
    "int_type": "a whole number{bounds}",
    "less_than_equal": "a whole number{bounds}",
    "literal_error": "{expected}",
    "model_type": "a mapping of keys",
    "model_attributes_type": "a mapping of keys",
    "path_type": "a path",
    "requirement": "{requirement}",
    "string_type": "text",
    "too_short": "a list of at least {min_length}",
    "tuple_type": "a list",
    "union_tag_invalid": "one of {expected_tags}",
}
"""What must be, by the kind of error that pydantic finds; ``bounds`` are those of the declaration."""


def load_experiment(path: Path, overrides: Mapping[str, object] = MappingProxyType({})) -> ExperimentConfig:
    """Read the experiment file ``path``, with ``overrides`` (by dotted key) in place of what it says.

    Relative paths, in the file or in ``overrides``, count from the folder of the file. Raises
    ExperimentError, which lists every problem of the file.
    """
    return load_document(ExperimentConfig, path, overrides)


def load_document(
    model: type[Config], path: Path, overrides: Mapping[str, object] = MappingProxyType({})
) -> Config:
    """Read the file ``path`` as any ``model``; all else is as for :func:`load_experiment`."""
    document = read_document(path)
    document.override(overrides)
    problems = document.problems
    try:
        config = model.model_validate(document.values, context={"folder": path.parent})
    except ValidationError as error:
        unread = {(problem.place, problem.path) for problem in problems}
        found = [
            _problem(document, details, json_schema(model))
            for details in error.errors(include_url=False)
            if not _counts_only_valid_entries(details)
        ]
        problems += [problem for problem in found if (problem.place, problem.path) not in unread]
    if problems:
        raise ExperimentError(problems)
    return config


@functools.cache
def json_schema(model: type[BaseModel] = ExperimentConfig) -> dict[str, Any]:
    """Return the JSON schema of experiment files, by which editors check and complete them."""
    schema = model.model_json_schema()
    for section in (schema, *schema["$defs"].values()):
        for declared in section.get("properties", {}).values():
            if declared.get("range"):
                declared["description"] = (
                    f"{declared.get('description', '')} Range: {declared['range']}.".strip()
                )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _counts_only_valid_entries(details: ErrorDetails) -> bool:
    """Return whether a list seems too short only because of an entry that has a problem of its own."""
    return details["type"] == "too_short" and len(details["input"]) >= details["ctx"]["min_length"]


def _problem(document: Document, details: ErrorDetails, schema: dict[str, Any]) -> Problem:
    """Say in our words what pydantic found."""
    kind, given = details["type"], details["input"]
    context: dict[str, Any] = details.get("ctx", {})
    path = _written_path(document.values, details["loc"])
    if "discriminator" in context:
        path, given = (*path, context["discriminator"].strip("'")), context.get("tag")

    if kind == "extra_forbidden":
        message = f"unknown key; {_suggestion(schema, path)}"
    elif kind in ("missing", "union_tag_not_found"):
        message = "must be given, got nothing"
    elif kind == "value_error":
        message = str(context["error"]).partition(": ")[2]
    else:
        wanted = _REQUIREMENTS[kind].format(**context, bounds=_bounds(schema, path))
        message = f"must be {wanted}, got {_shown(given)}"
    return Problem(document.place(path), dotted(path), message)


def _written_path(values: object, location: KeyPath) -> KeyPath:
    """Return ``location`` without the parts that are not keys: pydantic adds the kind of a union's member."""
    path: KeyPath = ()
    for index, part in enumerate(location):
        if isinstance(values, dict) and values.get("kind") == part and path == location[:index]:
            continue
        path = (*path, part)
        if isinstance(values, dict):
            values = values.get(part)
        elif isinstance(values, list) and isinstance(part, int):
            values = values[part]
    return path


def _declarations(schema: dict[str, Any], path: KeyPath) -> Iterator[dict[str, Any]]:
    """Yield every part of ``schema`` that can stand at ``path``."""

    def expanded(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield node
        if "$ref" in node:
            yield from expanded(schema["$defs"][node["$ref"].rpartition("/")[2]])
        for member in (*node.get("anyOf", ()), *node.get("oneOf", ())):
            yield from expanded(member)

    if not path:
        yield from expanded(schema)
        return
    for parent in _declarations(schema, path[:-1]):
        declared = parent.get("properties", {}).get(path[-1])
        if declared is not None:
            yield from expanded(declared)


def _suggestion(schema: dict[str, Any], path: KeyPath) -> str:
    known = {key: None for parent in _declarations(schema, path[:-1]) for key in parent.get("properties", {})}
    close = difflib.get_close_matches(str(path[-1]), known, n=1)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(known) or 'none'}"


def _bounds(schema: dict[str, Any], path: KeyPath) -> str:
    for declared in _declarations(schema, path):
        low, high = declared.get("minimum"), declared.get("maximum")
        if low is not None:
            return f" of at least {low}" if high is None else f" from {low} to {high}"
    return ""


def _shown(value: object) -> str:
    """Show what was given as a person would write it, in one short line."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list():
            return "a list" if value else "an empty list"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
