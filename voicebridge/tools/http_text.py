"""Fill arguments into the URL and body of an HTTP tool, and pick from its reply what is told.

Nothing here joins text blindly: a value becomes one whole path segment, one query value or one
JSON value, and can be no more than that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

from voicebridge.errors import ToolArgumentsInvalid, ToolFailed

_PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.]*)\}")
_BRACE = re.compile(r"[{}]")

Values = Mapping[str, Any]


def placeholders(template: Any) -> Iterator[str]:
    """Yield the names that a text, list or mapping refers to; ValueError for a stray brace."""
    if isinstance(template, str):
        if _BRACE.search(_PLACEHOLDER.sub("", template)):
            raise ValueError(
                "expected '{' and '}' around the name of an argument, as in {order_id}"
            )
        yield from _PLACEHOLDER.findall(template)
    elif isinstance(template, dict):
        for inner in template.values():
            yield from placeholders(inner)
    elif isinstance(template, list | tuple):
        for inner in template:
            yield from placeholders(inner)


def fill_path(template: str, values: Values) -> str:
    """Fill a URL's path; raises ToolArgumentsInvalid where the result would be another path."""
    path = _PLACEHOLDER.sub(lambda match: _segment(match[1], values[match[1]]), template)
    if any(unquote(segment) in {".", ".."} for segment in path.split("/")):
        raise ToolArgumentsInvalid("The arguments are not valid: '.' and '..' mean nothing here.")
    return path


def fill_query(template: Mapping[str, str], values: Values) -> list[tuple[str, str]]:
    """Fill query parameters; one whose placeholders all have no value is left out."""
    filled = ((name, fill(text, values)) for name, text in template.items())
    return [(name, _written(value)) for name, value in filled if value is not None]


def fill(template: Any, values: Values) -> Any:
    """Fill a JSON template; a text that is one placeholder becomes the value itself.

    A key whose value is a placeholder without a value is left out.
    """
    if isinstance(template, str):
        whole = _PLACEHOLDER.fullmatch(template)
        if whole:
            return values[whole[1]]
        return _PLACEHOLDER.sub(lambda match: _written(values[match[1]]), template)
    if isinstance(template, dict):
        filled = {name: fill(inner, values) for name, inner in template.items()}
        return {
            name: value
            for name, value in filled.items()
            if value is not None or template[name] is None
        }
    if isinstance(template, list | tuple):
        return [fill(inner, values) for inner in template]
    return template


def _segment(name: str, value: Any) -> str:
    text = _written(value)
    if not text.strip():
        raise ToolArgumentsInvalid(f"The arguments are not valid: '{name}' is empty.")
    return quote(text, safe="")


def _written(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


# --- the reply --------------------------------------------------------------------------------


def pointer(written: str) -> str:
    """Return a JSON pointer (RFC 6901) as it is; ValueError for what is none."""
    if written and not written.startswith("/"):
        raise ValueError("expected a JSON pointer such as /order/status; /items/*/name takes all")
    return written


def select(reply: Any, wanted: str | Mapping[str, str], tool: str) -> Any:
    """Pick one value by its pointer, or several by name; raises ToolFailed when none is there.

    The step ``*`` goes into every element of a list.
    """
    if isinstance(wanted, str):
        found = _at(reply, _steps(wanted))
        if found is _ABSENT:
            raise ToolFailed(f"{tool} brought nothing that can be told.")
        return found
    picked = {name: _at(reply, _steps(each)) for name, each in wanted.items()}
    told = {name: value for name, value in picked.items() if value is not _ABSENT}
    if not told:
        raise ToolFailed(f"{tool} brought nothing that can be told.")
    return told


_ABSENT = object()


def _steps(written: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in written.split("/")[1:]]


def _at(value: Any, steps: list[str]) -> Any:
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(value, dict):
        return _at(value[step], rest) if step in value else _ABSENT
    if not isinstance(value, list):
        return _ABSENT
    if step == "*":
        found = (_at(each, rest) for each in value)
        return [each for each in found if each is not _ABSENT]
    if step.isascii() and step.isdigit() and int(step) < len(value):
        return _at(value[int(step)], rest)
    return _ABSENT
