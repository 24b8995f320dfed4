"""The keys that each dialect's server takes in a session and in a response to create.

One unknown key makes the server refuse the whole update and go on with its defaults, which on a
phone call is static instead of a voice (OpenAI Realtime, section 3.2). So they are refused here.
Both trees are in GA shape, since that is the shape in which events are built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final, TypeAlias

from voicebridge.realtime.dialects.base import JsonObject
from voicebridge.realtime.errors import UnsupportedParameter


@dataclass(frozen=True, slots=True)
class ByType:
    """Keys that depend on the object's ``type``; other types are refused if ``closed``."""

    keys: Mapping[str, Keys]
    closed: bool = False


Keys: TypeAlias = "Mapping[str, Keys | ByType | None]"


@dataclass(frozen=True, slots=True)
class Taken:
    """The keys that a dialect's server takes."""

    dialect: str
    session: Keys
    transcription: Keys
    response: Keys


def _leaves(names: str) -> dict[str, None]:
    return dict.fromkeys(names.split())


_FORMAT: Final = ByType(
    {
        "audio/pcm": _leaves("type rate"),
        "audio/pcmu": _leaves("type"),
        "audio/pcma": _leaves("type"),
    }
)
_VAD = _leaves(
    "type threshold prefix_padding_ms silence_duration_ms create_response interrupt_response"
)
_SEMANTIC = _leaves("type eagerness create_response interrupt_response")
_FUNCTION = _leaves("type name description parameters")
_FILTER = _leaves("read_only tool_names")
_MCP: Keys = {
    **_leaves("type server_label server_url connector_id tunnel_id server_description"),
    **_leaves("authorization headers allowed_callers defer_loading"),
    "allowed_tools": _FILTER,
    "require_approval": {"always": _FILTER, "never": _FILTER},
}
_COMMON = _leaves("type model instructions output_modalities max_output_tokens")
_TRACING = _leaves("group_id metadata workflow_name")

_GA_AUDIO_INPUT: Keys = {
    "format": _FORMAT,
    "transcription": _leaves("model language languages prompt keywords delay"),
    "noise_reduction": _leaves("type strength"),
    "turn_detection": ByType(
        {"server_vad": {**_VAD, "idle_timeout_ms": None}, "semantic_vad": _SEMANTIC}
    ),
}
_GA_TOOLING: Keys = {
    "tools": ByType({"function": _FUNCTION, "mcp": _MCP}),
    "tool_choice": ByType(
        {"function": _leaves("type name"), "mcp": _leaves("type server_label name")}
    ),
    "prompt": _leaves("id variables version"),
    "reasoning": _leaves("effort"),
    "parallel_tool_calls": None,
}
_GA_SESSION: Keys = {
    **_COMMON,
    **_GA_TOOLING,
    "audio": {
        "input": _GA_AUDIO_INPUT,
        "output": {"format": _FORMAT, "voice": _leaves("id"), "speed": None},
    },
    "tracing": _TRACING,
    "truncation": {
        **_leaves("type retention_ratio"),
        "token_limits": _leaves("post_instructions"),
    },
    "include": None,
}
_GA_TRANSCRIPTION: Keys = {
    "type": None,
    "include": None,
    "audio": {"input": _GA_AUDIO_INPUT},
}
_GA_RESPONSE: Keys = {
    **_leaves("conversation input instructions max_output_tokens metadata output_modalities"),
    **_GA_TOOLING,
    "audio": {"output": {"format": _FORMAT, "voice": _leaves("id")}},
}

_BETA_AUDIO_INPUT: Keys = {
    "format": _FORMAT,
    "transcription": _leaves("model language prompt"),
    "noise_reduction": _leaves("type"),
    "turn_detection": {**_VAD, **_SEMANTIC},
}
_BETA_TOOLING: Keys = {
    "tools": ByType({"function": _FUNCTION}, closed=True),
    "tool_choice": ByType({"function": _leaves("type name")}, closed=True),
}
_BETA_SESSION: Keys = {
    **_COMMON,
    **_BETA_TOOLING,
    "audio": {
        "input": _BETA_AUDIO_INPUT,
        "output": {"format": _FORMAT, "voice": {}, "speed": None},
    },
    "tracing": _TRACING,
    "temperature": None,
    "client_secret": None,
}
_BETA_TRANSCRIPTION: Keys = {
    "type": None,
    "include": None,
    "client_secret": None,
    "output_modalities": None,
    "audio": {"input": _BETA_AUDIO_INPUT},
}
_BETA_RESPONSE: Keys = {
    **_leaves("conversation input instructions max_output_tokens metadata output_modalities"),
    **_BETA_TOOLING,
    "temperature": None,
    "audio": {"output": {"format": _FORMAT, "voice": {}}},
}


GA_KEYS: Final = Taken("ga", _GA_SESSION, _GA_TRANSCRIPTION, _GA_RESPONSE)
BETA_KEYS: Final = Taken("beta", _BETA_SESSION, _BETA_TRANSCRIPTION, _BETA_RESPONSE)


def check_settings(
    event: JsonObject, taken: Taken, also: Callable[[JsonObject, str], None]
) -> None:
    """Refuse unknown keys of the session or response in a client event, if it brings either.

    ``also`` checks what keys alone don't tell; it is given the settings and their name.
    """
    match event:
        case {"type": "session.update", "session": dict(settings)}:
            transcription = settings.get("type") == "transcription"
            place, keys = "session", taken.transcription if transcription else taken.session
        case {"type": "response.create", "response": dict(settings)}:
            place, keys = "response", taken.response
        case _:
            return
    _refuse_unknown(settings, keys, place, taken.dialect)
    also(settings, place)


def _refuse_unknown(value: Any, keys: Keys | ByType | None, place: str, dialect: str) -> None:
    """Raise ``UnsupportedParameter`` at the first key, depth first, that the tree doesn't have."""
    if keys is None:
        return
    if isinstance(value, list):
        for index, element in enumerate(value):
            _refuse_unknown(element, keys, f"{place}[{index}]", dialect)
    elif isinstance(value, dict):
        known = _keys_for(value, keys, place, dialect)
        for key, inner in value.items():
            if known is None:
                break
            if key not in known:
                raise UnsupportedParameter(_advice(key, known, dialect), param=f"{place}.{key}")
            _refuse_unknown(inner, known[key], f"{place}.{key}", dialect)


def _keys_for(value: JsonObject, keys: Keys | ByType, place: str, dialect: str) -> Keys | None:
    if not isinstance(keys, ByType):
        return keys
    kind = value.get("type")
    if keys.closed and kind is not None and kind not in keys.keys:
        message = f"the {dialect} dialect has no {kind!r} here, only {', '.join(keys.keys)}"
        raise UnsupportedParameter(message, param=f"{place}.type")
    return keys.keys.get(kind) if isinstance(kind, str) else None


def _advice(key: str, known: Keys, dialect: str) -> str:
    message = f"the {dialect} dialect's server would refuse this key, and the whole event with it"
    near = get_close_matches(key, known, n=1)
    if near:
        return f"{message}; did you mean {near[0]!r}?"
    return f"{message}; it takes {', '.join(known) or 'a plain string'}"
