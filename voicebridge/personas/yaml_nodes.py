"""Read YAML text into plain data, remembering where each key stands.

The dialect is the small part of YAML that configuration needs. Scalars are null, true/false,
numbers in their everyday form, and text; so a telephone number (``+1555…``), an hour (``9:00``)
and ``on`` or ``no`` stay the text that was written. Tags, merge keys and repeated keys are
refused. Anchors are followed, but depth and number of values are bounded, so that a few lines of
aliases cannot fill the memory.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

MAX_BYTES = 256 * 1024
MAX_DEPTH = 32
MAX_VALUES = 20_000

Path_: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """Tell where something stands in a file; both count from 1.

    ``file`` is None where there is only one that it can be.
    """

    line: int
    column: int
    file: Path | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """Name one thing that is wrong: where, at which key path, and what to do about it."""

    message: str
    path: Path_ = ()
    place: Place | None = None


class UnreadableError(Exception):
    """Say that the text cannot be read as YAML at all; carries the one fault that stopped it."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


@dataclass(slots=True)
class Document:
    """Hold what a file says, where each value stands, and the faults of its form."""

    data: Any = None
    places: dict[Path_, Place] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


class _Loader(yaml.SafeLoader):
    """Compose nodes by the configuration's own scalar rules, to a bounded depth."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.depth >= MAX_DEPTH:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise UnreadableError(
                Fault(f"nested deeper than {MAX_DEPTH} levels", place=_place(mark))
            )
        self.depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node


_NULL, _BOOL, _INT, _FLOAT, _STR = (
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str")
)
_SCALARS = [
    (_NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (_BOOL, r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    (_INT, r"-?(0|[1-9][0-9]{0,17})", list("-0123456789")),
    (_FLOAT, r"-?(0|[1-9][0-9]{0,17})?\.[0-9]{1,17}([eE][-+]?[0-9]{1,2})?", list("-.0123456789")),
]
for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(_tag, re.compile(rf"(?:{_pattern})\Z"), _first)


def read_document(text: str) -> Document:
    """Compose ``text``; raises UnreadableError where YAML itself stops understanding it."""
    document = Document()
    node = _compose(text)
    if node is not None:
        document.data = _Builder(document).value(node, (), 0)
    return document


def _compose(text: str) -> yaml.Node | None:
    try:
        node: yaml.Node | None = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        place = _place(error.problem_mark) if error.problem_mark else None
        raise UnreadableError(Fault(_yaml_problem(error), place=place)) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        raise UnreadableError(
            Fault(f"the character U+{ord(text[error.position]):04X} is not allowed", place=place)
        ) from None
    except (ValueError, OverflowError):  # PyYAML lets chr() and int() of absurd escapes out
        raise UnreadableError(Fault("not YAML: an escape or directive is out of range")) from None
    return node


def _yaml_problem(error: yaml.MarkedYAMLError) -> str:
    problem = str(error.problem or error.context or "it cannot be parsed")
    if "\\t" in problem:
        return "not YAML: a tab stands where spaces are expected; indent with spaces"
    if "single document" in str(error.context):
        return "expected one document; remove the '---' that starts another"
    context = f" ({error.context})" if error.context and error.problem else ""
    return f"not YAML: {problem}{context}"


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)


class _Builder:
    """Turn nodes into plain data, noting the place of every key and the faults on the way."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._values = 0

    def value(self, node: yaml.Node, path: Path_, depth: int) -> Any:
        """Return the plain value of ``node``; a fault of its form is noted and None returned."""
        self._document.places.setdefault(path, _place(node.start_mark))
        self._values += 1
        if self._values > MAX_VALUES or depth > MAX_DEPTH:
            what = f"more than {MAX_VALUES} values; each alias repeats all that it points to"
            raise UnreadableError(Fault(what, path, _place(node.start_mark)))
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self._mapping(node, path, depth)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [
                self.value(item, (*path, index), depth + 1) for index, item in enumerate(node.value)
            ]
        if isinstance(node, yaml.ScalarNode) and node.tag in {_NULL, _BOOL, _INT, _FLOAT, _STR}:
            return self._scalar(node, path)
        self._fault(
            f"the tag '{node.tag[:60]}' is not allowed here; write plain values", path, node
        )
        return None

    def _mapping(self, node: yaml.MappingNode, path: Path_, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None or key_node.tag != _STR:
                self._fault("expected text as a key; put it in quotes", path, key_node)
            elif not _is_text(key):
                self._fault("a key that is not valid Unicode text", path, key_node)
            elif key == "<<":
                self._fault(
                    "merge keys ('<<') are not supported; write the keys out", path, key_node
                )
            elif key in result:
                first = self._document.places[(*path, key)].line
                where = (*path, key)
                self._fault(
                    f"the key '{key}' stands here twice; first in line {first}", where, key_node
                )
            else:
                self._document.places[(*path, key)] = _place(key_node.start_mark)
                result[key] = self.value(value_node, (*path, key), depth + 1)
        return result

    def _scalar(self, node: yaml.ScalarNode, path: Path_) -> Any:
        text: str = node.value
        if node.tag == _NULL:
            return None
        if node.tag == _BOOL:
            return text.lower() == "true"
        try:
            if node.tag == _INT:
                return int(text)
            if node.tag == _FLOAT:
                return float(text)
        except ValueError:  # an explicit tag, such as !!int on words
            self._fault(f"'{text[:40]}' is not a number", path, node)
            return None
        if not _is_text(text):
            self._fault("text that is not valid Unicode", path, node)
            return None
        return text

    def _fault(self, message: str, path: Path_, node: yaml.Node) -> None:
        self._document.faults.append(Fault(message, path, _place(node.start_mark)))


def _is_text(text: str) -> bool:
    """Tell whether ``text`` can be written as UTF-8; an escape can smuggle in half a surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
