"""Derive from a function's signature what the model may pass, and check what it passed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError

from voicebridge.errors import ConfigError, ToolArgumentsInvalid
from voicebridge.tools.context import CallContext

# Values in which a key "title" or "$ref" would be data and not schema.
_DATA = frozenset({"default", "const", "enum", "examples"})
# Titles repeat the names; a discriminator points to definitions, which are written out.
_NOISE = frozenset({"title", "discriminator"})
_PREFIX = "argument_"  # no name of a parameter can then clash with one of pydantic's
_FAULTS_TOLD = 5


class Arguments:
    """Hold the arguments that a function takes from the model."""

    def __init__(
        self, tool: str, function: Callable[..., Any], descriptions: Mapping[str, str]
    ) -> None:
        """Raise ConfigError for a signature that has no JSON schema."""
        self._tool = tool
        hints = _hints(function)
        fields: dict[str, Any] = {}
        self.context_name: str | None = None
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
                raise self._wrong(f"'{name}' must be an ordinary named parameter")
            if name not in hints:
                raise self._wrong(f"the parameter '{name}' needs a type hint")
            if hints[name] is CallContext:
                self.context_name = name
            else:
                fields[_PREFIX + name] = _field(name, hints[name], parameter, descriptions)
        self.names = tuple(name.removeprefix(_PREFIX) for name in fields)
        try:
            self._model = create_model(
                f"{function.__name__}_arguments",
                __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=False),
                **fields,
            )
            self.schema = _simplified(self._model.model_json_schema())
        except PydanticUserError as error:
            raise self._wrong(f"has no JSON schema: {error.message}") from None

    def parse(self, arguments_json: str) -> dict[str, Any]:
        """Return the arguments by name; raises ToolArgumentsInvalid, worded for the model."""
        try:
            parsed = self._model.model_validate_json(arguments_json.strip() or "{}")
        except ValidationError as error:
            details = error.errors(include_url=False)[:_FAULTS_TOLD]
            faults = "; ".join(self._fault(detail) for detail in details)
            raise ToolArgumentsInvalid(
                f"The arguments of {self._tool} are not valid: {faults}. Correct them."
            ) from None
        return {name: getattr(parsed, _PREFIX + name) for name in self.names}

    def _fault(self, detail: Any) -> str:
        kind, path = detail["type"], ".".join(str(part) for part in detail["loc"])
        if kind == "json_invalid":
            return "they are not valid JSON"
        if not path:
            return "they must be one JSON object"
        if kind == "missing":
            return f"'{path}' is missing"
        if kind == "extra_forbidden":
            return f"there is no argument '{path}' (there is: {', '.join(self.names) or 'none'})"
        expected = re.sub(r"^(Input should be|Value error,) ", "", detail["msg"])
        return f"'{path}' should be {expected}"

    def _wrong(self, problem: str) -> ConfigError:
        return ConfigError(f"the tool '{self._tool}' cannot be used: {problem}")


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"the tool '{function.__name__}' cannot be used: its type hints cannot be resolved "
            f"({error}); import them at run time, not under TYPE_CHECKING"
        ) from None


def _field(
    name: str, hint: Any, parameter: inspect.Parameter, descriptions: Mapping[str, str]
) -> tuple[Any, Any]:
    """Describe one parameter to pydantic; ``Annotated[T, "words"]`` describes it to the model."""
    words = [extra for extra in get_args(hint)[1:] if isinstance(extra, str)]
    described = words if get_origin(hint) is Annotated else []
    default = ... if parameter.default is parameter.empty else parameter.default
    description = described[0] if described else descriptions.get(name)
    if description is None:
        return hint, Field(default, alias=name)
    return hint, Field(default, alias=name, description=description)


def _simplified(schema: dict[str, Any]) -> dict[str, Any]:
    """Drop pydantic's titles and put each definition where it is used.

    A definition that contains itself stays a ``$ref``, since it has no end written out.
    """
    definitions = schema.pop("$defs", {})
    recursive = {name for name in definitions if _contains_itself(name, definitions)}
    simple: dict[str, Any] = _walk(schema, definitions, recursive)
    if recursive:
        simple["$defs"] = {
            name: _walk(definitions[name], definitions, recursive) for name in sorted(recursive)
        }
    return simple


def _walk(schema: Any, definitions: Mapping[str, Any], recursive: set[str]) -> Any:
    if isinstance(schema, list):
        return [_walk(item, definitions, recursive) for item in schema]
    if not isinstance(schema, dict):
        return schema
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if name and name not in recursive:
        beside = {key: value for key, value in schema.items() if key != "$ref"}
        return _walk({**definitions[name], **beside}, definitions, recursive)
    simple: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            simple[key] = {
                each: _walk(inner, definitions, recursive) for each, inner in value.items()
            }
        elif key not in _NOISE:
            simple[key] = value if key in _DATA else _walk(value, definitions, recursive)
    return simple


def _contains_itself(name: str, definitions: Mapping[str, Any]) -> bool:
    reached: set[str] = set()
    ahead = set(_references(definitions[name]))
    while ahead:
        reached |= ahead
        ahead = {far for near in ahead for far in _references(definitions[near])} - reached
    return name in reached


def _references(schema: Any) -> Iterator[str]:
    if isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"].rpartition("/")[2]
        for key, value in schema.items():
            if key not in _DATA | _NOISE:
                yield from _references(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from _references(item)
