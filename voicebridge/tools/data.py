"""Let text from outside reach the model as data: cleaned, capped, and inside one JSON value.

A JSON string cannot be left from within: whatever stands in it, quotes and brackets included, is
escaped. So JSON is the fence, and there is no marker that a caller, a service or a customer's
record could write to get out of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from pydantic_core import from_json, to_json, to_jsonable_python

from voicebridge.errors import ToolFailed

MAX_OUTPUT_BYTES = 16 * 1024
MAX_DEPTH = 100
_OPENS, _CLOSES = ("{", "["), ("}", "]")

# Signs that nobody sees or hears and that can hide words from a person who reads along: controls
# except tab and line feed, invisible and direction-changing signs, halves of surrogate pairs,
# tags, and selectors of variants other than those of pictograms.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufe00-\ufe0d"
    "\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_LINE_ENDS = re.compile("\r\n?|[\x85\u2028\u2029]")


def clean(text: str) -> str:
    """Return ``text`` without signs that cannot be seen; every line ends with a line feed."""
    return _UNSEEN.sub("", _LINE_ENDS.sub("\n", text))


def cleaned(value: Any) -> Any:
    """Return a JSON value with every text in it clean, names included."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(name): cleaned(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [cleaned(inner) for inner in value]
    return value


def as_output(tool: str, result: object) -> str:
    """Write what a tool returned as one JSON value of at most MAX_OUTPUT_BYTES.

    Text that is a JSON object or list already is taken as such. What is larger is cut, as in
    ``{"cut": "…", "beginning": "…"}``; no more is written than is needed for that. Raises
    ToolFailed for a result that is not JSON.
    """
    if isinstance(result, str):
        return _text(result)
    try:
        if (beginning := _beginning_of_more(result)) is not None:
            return _cut(beginning)
        raw = to_json(result, inf_nan_mode="null")
        if len(raw) > MAX_OUTPUT_BYTES:
            return _cut(raw[:MAX_OUTPUT_BYTES].decode("utf-8", "ignore"))
        return _dumped(cleaned(from_json(raw)))
    except (ValueError, TypeError, RecursionError) as error:
        raise ToolFailed(f"{tool} gave a result that cannot be written as JSON") from error


def shortened(value: Any, most_bytes: int) -> Any:
    """Return ``value``, or the beginning of its text if it takes more than ``most_bytes``."""
    text = value if isinstance(value, str) else _dumped(value)
    if len(text.encode("utf-8", "replace")) <= most_bytes:
        return value
    beginning = text.encode("utf-8", "replace")[:most_bytes].decode("utf-8", "ignore")
    return {"beginning": beginning, "cut": f"cut here: more than {most_bytes} bytes"}


def _beginning_of_more(result: object) -> str | None:
    """Return the beginning of what is too large; None for what is not.

    It is written piece by piece, so that megabytes do not hold up the loop, nor what has no end.
    """
    pieces: list[str] = []
    size = depth = 0
    for piece in _PIECES.iterencode(result):
        pieces.append(piece)
        size += len(piece)
        if piece in _CLOSES:
            depth -= 1
        elif piece[:1] in _OPENS and piece[-1] not in _CLOSES:
            depth += 1
        if depth > MAX_DEPTH:  # each piece comes through all levels: these take their time
            raise ValueError("nested too deep")
        if size > MAX_OUTPUT_BYTES:
            return "".join(pieces)[:MAX_OUTPUT_BYTES]
    return None


def _jsonable(value: object) -> Any:
    if isinstance(value, Iterator):
        raise TypeError("an iterator may have no end")
    return to_jsonable_python(value, inf_nan_mode="constants")


_PIECES = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_jsonable)


def _text(text: str) -> str:
    size = len(text.encode("utf-8", "replace"))
    if size <= MAX_OUTPUT_BYTES:
        written = _dumped(cleaned(_json_or_text(text)))
        if len(written.encode()) <= MAX_OUTPUT_BYTES:
            return written
    return _cut(text[:MAX_OUTPUT_BYTES])


def _json_or_text(text: str) -> Any:
    if text.lstrip()[:1] not in {"{", "["}:
        return text
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        return text


def _cut(text: str) -> str:
    """Write as much of the beginning as fits beside the remark that there was more."""
    marker = f"cut here: more than {MAX_OUTPUT_BYTES} bytes"
    text = clean(text)
    while True:
        written = _dumped({"beginning": text, "cut": marker})
        over = len(written.encode()) - MAX_OUTPUT_BYTES
        if over <= 0:
            return written
        # A sign takes at most six bytes, so this never drops more than has to go.
        text = text[: -max(1, over // 6)]


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
