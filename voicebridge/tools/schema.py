"""What the model may pass to a tool, and the check of what it passed."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Protocol, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, Field, ValidationError, create_model
from pydantic.errors import PydanticUserError
from pydantic_core import SchemaError, from_json

from voicebridge.errors import ConfigError, ToolArgumentsInvalid
from voicebridge.tools.context import CallContext

# Values in which a key "title" or "$ref" would be data and not schema.
_DATA = frozenset({"default", "const", "enum", "examples"})
# Titles repeat the names; a discriminator points to definitions, which are written out.
_NOISE = frozenset({"title", "discriminator"})
_PREFIX = "argument_"  # no name of a parameter can then clash with one of pydantic's
_FAULTS_TOLD = 5


class ArgumentReader(Protocol):
    """Say what a tool takes from the model, and read what the model passed."""

    context_name: str | None
    """The parameter that takes the call's context, if there is one."""

    schema: Mapping[str, Any]
    """The JSON schema of the arguments, as the realtime API takes it."""

    def parse(self, arguments_json: str) -> dict[str, Any]:
        """Return the arguments by name; raises ToolArgumentsInvalid, worded for the model."""


class Arguments:
    """Hold the arguments of a tool: their names, types, descriptions and defaults."""

    def __init__(
        self, tool: str, fields: Mapping[str, tuple[Any, Any]], context_name: str | None = None
    ) -> None:
        """Take pydantic's field definitions by name; raises ConfigError for one without schema."""
        self._tool, self.context_name = tool, context_name
        self.names = tuple(fields)
        prepared: dict[str, Any] = {_PREFIX + name: field for name, field in fields.items()}
        try:
            self._model = create_model(
                f"{tool}_arguments",
                __config__=ConfigDict(extra="forbid", arbitrary_types_allowed=False),
                **prepared,
            )
            self.schema: Mapping[str, Any] = _simplified(self._model.model_json_schema())
        except (PydanticUserError, SchemaError) as error:
            raise unusable(tool, f"has no JSON schema: {str(error).splitlines()[0]}") from None

    @classmethod
    def of_function(
        cls, tool: str, function: Callable[..., Any], descriptions: Mapping[str, str]
    ) -> Arguments:
        """Read the arguments from a signature; raises ConfigError where it has no JSON schema."""
        hints = _hints(function)
        fields: dict[str, tuple[Any, Any]] = {}
        context_name = None
        for name, parameter in inspect.signature(function).parameters.items():
            if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
                raise unusable(tool, f"'{name}' must be an ordinary named parameter")
            if name not in hints:
                raise unusable(tool, f"the parameter '{name}' needs a type hint")
            if hints[name] is CallContext:
                context_name = name
            else:
                fields[name] = _field(name, hints[name], parameter, descriptions)
        return cls(tool, fields, context_name)

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


class AnyArguments:
    """Take any JSON object; whoever gave the schema checks it."""

    context_name: str | None = None

    def __init__(self, tool: str, schema: Mapping[str, Any]) -> None:
        self._tool, self.schema = tool, schema

    def parse(self, arguments_json: str) -> dict[str, Any]:
        """Return the whole object as the one argument ``arguments``."""
        try:
            arguments = from_json(arguments_json.strip() or "{}", allow_inf_nan=False)
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):
            raise ToolArgumentsInvalid(
                f"The arguments of {self._tool} are not valid: they must be one JSON object."
            )
        return {"arguments": arguments}


def unusable(tool: str, problem: str) -> ConfigError:
    """Return the error of a tool that cannot be offered."""
    return ConfigError(f"the tool '{tool}' cannot be used: {problem}")


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
