"""Say in plain words what pydantic found wrong, and where in the file it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from voicebridge.personas.yaml_nodes import Fault, Path_, Place


class FaultAt(ValueError):
    """Raised by a model's own check, to tell at which of its keys the fault is."""

    def __init__(self, path: Path_, message: str) -> None:
        super().__init__(message)
        self.path = path


_EXPECTED = {
    "string_type": "text",
    "string_too_short": "some text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "model_attributes_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "dict_type": "a mapping (key: value)",
    "mapping_type": "a mapping (key: value)",
    "tuple_type": "a list",
    "list_type": "a list",
    "greater_than_equal": "at least {ge}",
    "greater_than": "more than {gt}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
    "finite_number": "a finite number",
}


def key_path(path: Path_) -> str:
    """Write a key's path as in ``turn_detection.threshold`` or ``tools[1]``."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the valid name nearest to ``name``, or nothing."""
    by_fold = {candidate.casefold(): candidate for candidate in valid}
    near = get_close_matches(name.casefold(), by_fold, n=1)
    return f"; did you mean '{by_fold[near[0]]}'?" if near else ""


def faults_of(
    error: ValidationError,
    model: type[BaseModel],
    places: Mapping[Path_, Place],
    advise: Callable[[str], str | None],
) -> Iterator[Fault]:
    """Yield a fault for each of pydantic's errors, at the line of the key it is about."""
    details = error.errors(include_url=False)
    # A misspelt key is unknown and leaves another one missing: the first of the two tells more.
    for detail in sorted(details, key=lambda one: one["type"] == "missing"):
        path = _path_in_file(detail, places)
        if detail["type"] == "extra_forbidden":
            name = str(path[-1])
            message = advise(name) or _unknown_key(name, _valid_keys(model, detail["loc"][:-1]))
        else:
            message = _message(detail)
        yield Fault(message, path, _nearest_place(path, places))


def _path_in_file(detail: ErrorDetails, places: Mapping[Path_, Place]) -> Path_:
    """Drop from pydantic's location what is not in the file, such as the tags of a union."""
    path: Path_ = ()
    error = detail.get("ctx", {}).get("error")
    for part in (*detail["loc"], *(error.path if isinstance(error, FaultAt) else ())):
        if (*path, part) in places:
            path = (*path, part)
    if detail["type"] == "missing":
        path = (*path, detail["loc"][-1])
    elif detail["type"] == "union_tag_invalid":
        path = (*path, detail["ctx"]["discriminator"].strip("'"))
    return path


def _nearest_place(path: Path_, places: Mapping[Path_, Place]) -> Place | None:
    while path and path not in places:
        path = path[:-1]
    return places.get(path)


def _unknown_key(name: str, valid: list[str]) -> str:
    hint = did_you_mean(name, valid)
    if not hint and valid:
        hint = f"; valid here: {', '.join(valid)}"
    return f"unknown key '{name}'{hint}"


def _valid_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    models = [model]
    for part in location:
        tagged = [one for one in models if part in _tags(one)]
        stepped = [
            inner
            for one in models
            if isinstance(part, str) and part in one.model_fields
            for inner in _models_in(one.model_fields[part].annotation)
        ]
        models = stepped or tagged or models
    return list(dict.fromkeys(name for one in models for name in one.model_fields))


def _tags(model: type[BaseModel]) -> list[Any]:
    """Return the values by which a union may tell ``model`` from its siblings, and its name."""
    literals = [get_args(field.annotation) for field in model.model_fields.values()]
    return [model.__name__, *(tag for tags in literals for tag in tags)]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models_in(inner)]


def _message(detail: ErrorDetails) -> str:
    kind, context, got = detail["type"], detail.get("ctx", {}), shown(detail["input"])
    if kind == "missing":
        return "this key is required, and missing"
    if kind in {"value_error", "assertion_error"}:
        return str(context["error"])
    if kind == "union_tag_not_found":
        return f"expected a mapping with a key {context['discriminator']}, got {got}"
    if kind == "union_tag_invalid":
        tag, tags = context["tag"], re.findall(r"'([^']*)'", context["expected_tags"])
        return f"expected {_alternatives(tags)}, got '{tag}'{did_you_mean(tag, tags)}"
    if kind in {"literal_error", "enum"}:
        names = re.findall(r"'([^']*)'", context["expected"])
        hint = did_you_mean(detail["input"], names) if isinstance(detail["input"], str) else ""
        return f"expected {context['expected']}, got {got}{hint}"
    if kind in _EXPECTED:
        bounds = {name: _number(bound) for name, bound in context.items()}
        quotes = kind == "string_type" and isinstance(detail["input"], int | float)
        remedy = "; put it in quotes" if quotes else ""
        return f"expected {_EXPECTED[kind].format(**bounds)}, got {got}{remedy}"
    return f"{detail['msg'].replace('Input should be', 'expected', 1)}, got {got}"


def _number(bound: Any) -> Any:
    return int(bound) if isinstance(bound, float) and bound.is_integer() else bound


def _alternatives(names: list[str]) -> str:
    return " or ".join(f"'{name}'" for name in names)


def shown(value: object) -> str:
    """Describe a value of a file briefly, in the file's own terms."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = str(value)
    text = text if len(text) <= 40 else f"{text[:37]}…"
    return repr(text) if isinstance(value, str) else text
