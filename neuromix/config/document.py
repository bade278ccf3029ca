"""YAML as plain values that remember where they were written."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from .problems import OVERRIDE, ExperimentError, Place, Problem

__all__ = ["Document", "KeyPath", "dotted", "read_document"]

KeyPath = tuple[str | int, ...]
"""Keys and list indices from the top of the file down."""

_TAG = "tag:yaml.org,2002:"

_SCALARS: dict[str, Callable[[str], object]] = {
    _TAG + "null": lambda text: None,
    _TAG + "bool": lambda text: text == "true",
    _TAG + "int": int,
    _TAG + "float": float,
    _TAG + "str": str,
}


class _Loader(yaml.SafeLoader):
    """Reads scalars as YAML 1.2 does: ``no`` and ``1:30`` are text, ``1e6`` is a number. Refuses aliases."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's table)

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "an alias, which experiment files do without", mark)
        return super().compose_node(parent, index)


for _name, _pattern, _first_letters in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", ["t", "f"]),
    ("int", r"[-+]?(0|[1-9]\d*)", list("-+0123456789")),
    ("float", r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", list("-+.0123456789")),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_pattern})$"), _first_letters)


def dotted(path: KeyPath) -> str:
    """Write a key path as ``chip.mesh.width`` or ``cosim.simulators[0]``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


@dataclass
class Document:
    """Plain values of a YAML file, the place of every key and list entry, and what is malformed."""

    source: str
    values: object = None
    places: dict[KeyPath, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def place(self, path: KeyPath) -> Place:
        """Return where ``path`` is written, or else the nearest key around it."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, Place(self.source))

    def override(self, values: Mapping[str, object]) -> None:
        """Replace what the file says under each key of ``values``; keys are dotted paths."""
        for key, value in values.items():
            path: KeyPath = tuple(key.split("."))
            self.places = {known: place for known, place in self.places.items() if known[: len(path)] != path}
            self.places[path] = OVERRIDE
            for depth in range(len(path)):
                self.places.setdefault(path[:depth], OVERRIDE)
            for part in reversed(path):
                value = {part: value}
            self.values = _merged(self.values, value, depth=len(path))

    def read(self, node: yaml.Node, path: KeyPath = ()) -> object:
        """Return the plain value of ``node``, having noted the places and problems of all that is in it."""
        self.places.setdefault(path, self.mark(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.read(entry, (*path, index)) for index, entry in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        try:
            return _SCALARS[node.tag](node.value)
        except (KeyError, ValueError):
            tag = node.tag.replace(_TAG, "!!")
            message = f"must be a plain value, got {node.value!r} with tag {tag}"
            self.problems.append(Problem(self.places[path], dotted(path), message))
            return None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, object]:
        values: dict[str, object] = {}
        for key, value in node.value:
            place = self.mark(key)
            if not isinstance(key, yaml.ScalarNode):
                self.problems.append(Problem(place, dotted(path), f"key must be a word, got a {_kind(key)}"))
                continue
            key_path = (*path, str(key.value))
            if key.value in values:
                message = f"key must be given once, got it again after line {self.places[key_path].line}"
                self.problems.append(Problem(place, dotted(key_path), message))
                continue
            self.places[key_path] = place
            values[key.value] = self.read(value, key_path)
        return values

    def mark(self, node: yaml.Node) -> Place:
        """Return the place where ``node`` begins."""
        return Place(self.source, node.start_mark.line + 1, node.start_mark.column + 1)


def read_document(path: Path) -> Document:
    """Read the YAML file ``path``; raise ExperimentError if it cannot be read or holds no mapping."""
    document = Document(source=str(path))

    def error(message: str, mark: yaml.Mark | None = None) -> ExperimentError:
        place = Place(str(path), mark.line + 1, mark.column + 1) if mark else Place(str(path))
        return ExperimentError([Problem(place, "", message)])

    try:
        root = yaml.compose(path.read_bytes(), Loader=_Loader)
    except OSError as failure:
        reason = (failure.strerror or str(failure)).lower()
        raise error(f"must be a readable file, got: {reason}") from None
    except yaml.MarkedYAMLError as failure:
        raise error(f"must be valid YAML, got: {failure.problem}", failure.problem_mark) from None
    except yaml.reader.ReaderError as failure:
        raise error(f"must be UTF-8 text, got: {failure.reason}") from None
    except RecursionError:
        raise error("must be an experiment file, got endless nesting") from None
    if root is None:
        raise error("must be a mapping of keys, got an empty file")
    if not isinstance(root, yaml.MappingNode):
        raise error(f"must be a mapping of keys, got a {_kind(root)}", root.start_mark)
    document.values = document.read(root)
    return document


def _merged(old: object, new: object, depth: int) -> object:
    """Return ``old`` with the one key of ``new`` replaced ``depth`` levels down."""
    if depth == 0 or not isinstance(new, dict):
        return new
    kept = dict(old) if isinstance(old, dict) else {}
    return kept | {key: _merged(kept.get(key), value, depth - 1) for key, value in new.items()}


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.CollectionNode):
        return "mapping" if isinstance(node, yaml.MappingNode) else "list"
    return "single value"
