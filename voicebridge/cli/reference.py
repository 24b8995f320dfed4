"""The configuration reference, written from the models that read the files.

``voicebridge config reference`` prints it; docs/configuration.md is its output.
"""

from __future__ import annotations

from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined as Undefined

from voicebridge.personas.layers import EXTENDS
from voicebridge.personas.persona import Persona
from voicebridge.personas.routing import Routing
from voicebridge.settings import SettingsFile

_INTRODUCTION = """\
# Configuration reference

Written by `voicebridge config reference` from the models that read the files; change those, not
this page. `voicebridge check` tells whether the files can be used, `voicebridge doctor` whether
calls can come in. Times are in seconds (`_s`) or milliseconds (`_ms`).
Secrets stand in no file: [deployment.md](deployment.md) lists the environment's variables.
"""

_FILES: tuple[tuple[str, str, type[BaseModel]], ...] = (
    (
        "config/voicebridge.yaml",
        "The settings of the bridge. Every key may be left out.",
        SettingsFile,
    ),
    (
        "config/personas/NAME.yaml",
        f"An agent. Besides these keys, `{EXTENDS}` names a file, or a list of files, that this "
        "one is\nlaid over; [personas.md](personas.md) tells how, and what variables there are.",
        Persona,
    ),
    (
        "config/routing.yaml",
        "Who answers which call; the file may be left out. See [personas.md](personas.md).",
        Routing,
    ),
)

_PLAIN = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
}
_BOUNDS = (
    ("ge", "at least {}"),
    ("gt", "more than {}"),
    ("le", "at most {}"),
    ("lt", "less than {}"),
)


def reference_text() -> str:
    """Write the whole reference as Markdown."""
    sections = [_INTRODUCTION]
    for title, words, model in _FILES:
        rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
        rows += [_row(key, fields) for key, fields in _keys(model).items()]
        sections.append("\n".join((f"## `{title}`", "", words, "", *rows, "")))
    return "\n".join(sections)


def _keys(model: type[BaseModel], prefix: str = "") -> dict[str, list[FieldInfo]]:
    """Return the keys of a model and, below each, those of the models in it.

    A key has several fields where a mapping is one model or another.
    """
    keys: dict[str, list[FieldInfo]] = {}
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        keys[key] = [field]
        inner = f"{key}[]." if _is_list(field.annotation) else f"{key}."
        for each in _models_in(field.annotation):
            for path, fields in _keys(each, inner).items():
                keys.setdefault(path, []).extend(fields)
    return keys


def _row(key: str, fields: list[FieldInfo]) -> str:
    values = dict.fromkeys("; ".join([_value(_input(each)), *_bounds(each)]) for each in fields)
    meanings = dict.fromkeys(each.description or "" for each in fields)
    cells = (f"`{key}`", " or ".join(values), _default(fields[0]), " ".join(meanings))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _input(field: FieldInfo) -> Any:
    """Return what may be written, which is more than what it becomes where it is read first."""
    for each in field.metadata:
        if isinstance(each, BeforeValidator) and each.json_schema_input_type is not Undefined:
            return each.json_schema_input_type
    return field.annotation


def _value(annotation: Any) -> str:
    """Say in words what a key may hold."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _value(arguments[0])
    if origin in (Union, UnionType):
        words = [_value(one) for one in arguments if one is not NoneType]
        return " or ".join(dict.fromkeys(words)) + (" or null" if NoneType in arguments else "")
    if origin is Literal:
        return ", ".join(f"`{one}`" for one in arguments)
    if origin in (tuple, list):
        return f"list of {_value(arguments[0])}"
    if origin is dict:
        return f"mapping of names to {_value(arguments[1])}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "mapping"
    return _PLAIN[annotation]


def _bounds(field: FieldInfo) -> list[str]:
    limits = {
        name: getattr(bound, name)
        for bound in field.metadata
        for name, _ in _BOUNDS
        if getattr(bound, name, None) is not None
    }
    return [words.format(_written(limits[name])) for name, words in _BOUNDS if name in limits]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    default = field.get_default(call_default_factory=True, validated_data={})
    return "" if isinstance(default, BaseModel) else f"`{_written(default)}`"


def _written(value: Any) -> str:
    """Write a default as it would stand in the file."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case float():
            return f"{value:.15g}"
        case dict() if not value:
            return "{}"
        case tuple() | list():
            return f"[{', '.join(_written(each) for each in value)}]"
        case _:
            return str(value)


def _is_list(annotation: Any) -> bool:
    if get_origin(annotation) is Annotated:
        return _is_list(get_args(annotation)[0])
    return get_origin(annotation) in (tuple, list)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]
