"""What the API says when it refuses an event (OpenAI Realtime, section 7)."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from voicebridge.errors import VoicebridgeError

M = TypeVar("M", bound=BaseModel)

_LIMITS = {
    "greater_than_equal": ("below_min_value", "below minimum value", ">=", "ge"),
    "less_than_equal": ("above_max_value", "above maximum value", "<=", "le"),
}
_LENGTHS = {
    "string_too_long": ("string_above_max_length", "string too long", "max_length"),
    "too_long": ("array_above_max_length", "array too long", "max_length"),
    "too_short": ("array_below_min_length", "array too short", "min_length"),
    "string_too_short": ("empty_string", "empty string", "min_length"),
}


class RefusedError(VoicebridgeError):
    """An event that the server refuses; it becomes an ``error`` event and the session goes on."""

    def __init__(
        self,
        code: str,
        message: str,
        param: str | None = None,
        *,
        type: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.param, self.type = code, message, param, type


def missing(param: str) -> RefusedError:
    """Make the refusal of an event that lacks ``param``."""
    return RefusedError(
        "missing_required_parameter", f"Missing required parameter: '{param}'.", param
    )


def validate(model: type[M], data: object, root: str = "") -> M:
    """Read ``data`` as ``model``; raises the RefusedError that the API would answer with.

    ``root`` is the name of the event's part that ``data`` is, such as "session".
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False)[0], data, root) from error


def _refusal(error: ErrorDetails, data: object, root: str) -> RefusedError:
    kind, context = error["type"], error.get("ctx", {})
    param = _path(error, data, root)
    if kind == "missing":
        return missing(param)
    if kind == "union_tag_not_found":
        return missing(_join(param, _tag_key(error)))
    if kind == "extra_forbidden":
        return RefusedError("unknown_parameter", f"Unknown parameter: '{param}'.", param)
    if kind == "union_tag_invalid":
        expected = str(context.get("expected_tags"))
        return _bad_value(context.get("tag"), expected, _join(param, _tag_key(error)))
    if kind in ("literal_error", "enum"):
        return _bad_value(error["input"], str(context.get("expected")), param)
    if kind in _LIMITS:
        return _out_of_range(error, param)
    if kind in _LENGTHS:
        code, words, limit = _LENGTHS[kind]
        message = f"Invalid '{param}': {words}. The limit is {context.get(limit)}."
        return RefusedError(code, message, param)
    if kind.endswith("_type"):
        given = type(error["input"]).__name__
        return RefusedError(
            "invalid_type", f"Invalid type for '{param}': {given} was given.", param
        )
    return RefusedError("invalid_value", f"Invalid value for '{param}': {error['msg']}.", param)


def _bad_value(value: object, expected: str, param: str) -> RefusedError:
    message = f"Invalid value: '{value}'. Supported values are: {expected}."
    return RefusedError("invalid_value", message, param)


def _out_of_range(error: ErrorDetails, param: str) -> RefusedError:
    suffix, words, sign, key = _LIMITS[error["type"]]
    number = "integer" if isinstance(error["input"], int) else "decimal"
    bound = error.get("ctx", {}).get(key)
    message = (
        f"Invalid '{param}': {number} {words}. "
        f"Expected a value {sign} {bound}, but got {error['input']} instead."
    )
    return RefusedError(f"{number}_{suffix}", message, param)


def _tag_key(error: ErrorDetails) -> str:
    """Tell which key chooses the member of the union: pydantic puts it in quotes."""
    return str(error.get("ctx", {}).get("discriminator", "type")).strip("'")


def _path(error: ErrorDetails, data: object, root: str) -> str:
    """Write the place as the API does; the names of union members in it are no keys."""
    path, node, location = root, data, error["loc"]
    names_a_key = error["type"] in ("missing", "extra_forbidden")
    for index, key in enumerate(location):
        if isinstance(key, int):
            path, node = f"{path}[{key}]", _child(node, key)
        elif isinstance(node, dict):
            is_member = key not in node or key in (node.get("type"), node.get("role"))
            if not is_member or (names_a_key and index == len(location) - 1):
                path, node = _join(path, key), _child(node, key)
    return path


def _child(node: Any, key: int | str) -> object:
    if isinstance(key, int):
        return node[key] if isinstance(node, list) and key < len(node) else None
    return node.get(key)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
