"""The beta dialect: flat sessions and the first names of the events.

OpenAI has switched it off; compatible servers and test doubles still speak it (OpenAI Realtime,
sections 2.4 to 3.2). What it says is mapped onto GA's shapes and back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from voicebridge.realtime.dialects import ga
from voicebridge.realtime.dialects.base import (
    Credentials,
    Dialect,
    JsonObject,
    Target,
    mapped,
    mapped_list,
)
from voicebridge.realtime.dialects.keys import BETA_KEYS, check_settings
from voicebridge.realtime.enums import DEFAULT_BETA_MODEL, FORMAT_TYPES
from voicebridge.realtime.errors import UnsupportedParameter

EVENTS: Final = {
    f"response.{name}.{stage}": f"response.output_{name}.{stage}"
    for name in ("text", "audio", "audio_transcript")
    for stage in ("delta", "done")
}
"""Server events by their beta names, with their GA names; all others have one name."""
_GA_EVENTS: Final = {ga_name: beta_name for beta_name, ga_name in EVENTS.items()}

_PATHS: Final = {
    "voice": ("audio", "output", "voice"),
    "speed": ("audio", "output", "speed"),
    "output_audio_format": ("audio", "output", "format"),
    "input_audio_format": ("audio", "input", "format"),
    "input_audio_transcription": ("audio", "input", "transcription"),
    "input_audio_noise_reduction": ("audio", "input", "noise_reduction"),
    "turn_detection": ("audio", "input", "turn_detection"),
}
_RENAMED: Final = {
    "modalities": "output_modalities",
    "max_response_output_tokens": "max_output_tokens",
}
_CONTENT: Final = {"text": "output_text", "audio": "output_audio"}
_GA_CONTENT: Final = {ga_name: beta_name for beta_name, ga_name in _CONTENT.items()}


def url(base_url: str, target: Target) -> str:
    """Address a model or a transcription; the beta protocol cannot join calls."""
    if target.call_id is not None:
        raise UnsupportedParameter("the beta dialect cannot join calls", param="call_id")
    return ga.url(base_url, target)


def headers(credentials: Credentials) -> dict[str, str]:
    """Authorise as in GA, and ask for the beta protocol."""
    return {**ga.headers(credentials), "OpenAI-Beta": "realtime=v1"}


def check(event: JsonObject) -> None:
    """Refuse keys that a beta server refuses."""
    check_settings(event, BETA_KEYS, _check_rates)


def _check_rates(value: JsonObject, place: str) -> None:
    for side in ("input", "output"):
        half = (value.get("audio") or {}).get(side) or {}
        format_ = half.get("format")
        if isinstance(format_, dict) and format_.get("rate", 24000) != 24000:
            param = f"{place}.audio.{side}.format.rate"
            raise UnsupportedParameter("the beta dialect's pcm16 is 24000 Hz", param=param)


# Client events


def encode_client(event: JsonObject) -> JsonObject:
    """Turn a client event of ours into the beta form."""
    match event["type"]:
        case "session.update" if isinstance(event.get("session"), dict):
            transcription = event["session"].get("type") == "transcription"
            name = "transcription_session.update" if transcription else "session.update"
            session = flat(_both_modalities(event["session"]))
            session.pop("type", None)
            return {**event, "type": name, "session": session}
        case "response.create":
            return mapped(event, "response", _response_params_to_beta)
        case "conversation.item.create":
            return mapped(event, "item", item_to_beta)
    return event


def decode_client(event: JsonObject) -> JsonObject:
    """Turn a beta client event into the shape inside."""
    match event.get("type"):
        case "session.update":
            return mapped(event, "session", lambda s: {"type": "realtime", **nested(s)})
        case "transcription_session.update":
            event = {**event, "type": "session.update"}
            return mapped(event, "session", lambda s: {**nested(s), "type": "transcription"})
        case "response.create":
            return mapped(event, "response", _response_params_from_beta)
        case "conversation.item.create":
            return mapped(event, "item", item_from_beta)
    return event


def _both_modalities(value: JsonObject) -> JsonObject:
    # In GA audio brings its transcript unasked; beta wants both named.
    if value.get("output_modalities") == ["audio"]:
        return {**value, "output_modalities": ["text", "audio"]}
    return value


def _response_params_to_beta(params: JsonObject) -> JsonObject:
    return mapped_list(flat(_both_modalities(params)), "input", item_to_beta)


def _response_params_from_beta(params: JsonObject) -> JsonObject:
    return mapped_list(nested(params), "input", item_from_beta)


# Server events


def decode_server(event: JsonObject) -> JsonObject:
    """Turn a beta server event into the shape inside."""
    kind = event["type"]
    if kind in EVENTS:
        return {**event, "type": EVENTS[kind]}
    if kind == "transcription_session.updated":
        event = {**event, "type": "session.updated"}
        return mapped(event, "session", lambda s: {**nested(s), "type": "transcription"})
    return _server_objects(event, nested, _response_from_beta, item_from_beta)


def encode_server(event: JsonObject) -> JsonObject:
    """Turn a server event in the shape inside into the beta form."""
    kind = event["type"]
    if kind in _GA_EVENTS:
        return {**event, "type": _GA_EVENTS[kind]}
    if kind == "session.updated" and _is_transcription(event.get("session")):
        event = {**event, "type": "transcription_session.updated"}
        return mapped(event, "session", _transcription_to_beta)
    return _server_objects(event, _session_to_beta, _response_to_beta, item_to_beta)


_Change = Callable[[JsonObject], JsonObject]


def _server_objects(
    event: JsonObject, session: _Change, response: _Change, item: _Change
) -> JsonObject:
    event = mapped(event, "session", session)
    return mapped(mapped(event, "response", response), "item", item)


def _is_transcription(session: Any) -> bool:
    return isinstance(session, dict) and session.get("type") == "transcription"


def _transcription_to_beta(session: JsonObject) -> JsonObject:
    session = flat(session)
    del session["type"]
    return session


def _session_to_beta(session: JsonObject) -> JsonObject:
    session = flat(session)
    if session.get("type") == "realtime":
        del session["type"]
    return session


def _response_from_beta(response: JsonObject) -> JsonObject:
    return mapped_list(nested(response), "output", item_from_beta)


def _response_to_beta(response: JsonObject) -> JsonObject:
    # The one place where beta has GA's name for the token limit (section 2.6).
    tokens = {k: response[k] for k in ("max_output_tokens",) if k in response}
    rest = {key: value for key, value in response.items() if key not in tokens}
    return {**mapped_list(flat(rest), "output", item_to_beta), **tokens}


# Objects


def nested(value: JsonObject) -> JsonObject:
    """Turn beta's flat session or response fields into GA's nested ones.

    Where a server has a nested ``audio`` as well, the two are merged.
    """
    result: JsonObject = {}
    for key, inner in value.items():
        if key not in _PATHS:
            result[_RENAMED.get(key, key)] = _tool_choice_from_beta(key, inner)
    for key, (_, side, field) in _PATHS.items():
        if key in value:
            inner = ga.format_object(value[key]) if field == "format" else value[key]
            result["audio"] = _with(result.get("audio"), side, field, inner)
    return result


def flat(value: JsonObject) -> JsonObject:
    """Turn GA's nested session or response fields into beta's flat ones."""
    renamed = {new: old for old, new in _RENAMED.items()}
    result = {
        renamed.get(key, key): _tool_choice_to_beta(key, inner)
        for key, inner in value.items()
        if key != "audio"
    }
    audio = value.get("audio")
    for key, (_, side, field) in _PATHS.items():
        half = (audio or {}).get(side) or {}
        if field in half:
            result[key] = _format_name(half[field]) if field == "format" else half[field]
    if "audio" in value and (not audio or _unmapped(audio)):
        result["audio"] = _unmapped(audio) if audio else audio
    return result


def _with(audio: Any, side: str, field: str, value: Any) -> Any:
    """Set a field of one half of ``audio``; what is no object is left for validation to refuse."""
    halves = {} if audio is None else audio
    half = (halves.get(side) or {}) if isinstance(halves, dict) else None
    return {**halves, side: {**half, field: value}} if isinstance(half, dict) else audio


def _unmapped(audio: JsonObject) -> JsonObject:
    """Give what beta has no flat field for: a compatible server's own."""
    rest: JsonObject = {}
    for side, half in audio.items():
        if not isinstance(half, dict) or not half:
            rest[side] = half
            continue
        fields = {field for _, place, field in _PATHS.values() if place == side}
        left = {key: inner for key, inner in half.items() if key not in fields}
        if left:
            rest[side] = left
    return rest


def _format_name(value: Any) -> Any:
    return FORMAT_TYPES.get(str(value.get("type")), value) if isinstance(value, dict) else value


def _tool_choice_from_beta(key: str, value: Any) -> Any:
    if key != "tool_choice" or not isinstance(value, dict):
        return value
    function = value.get("function")
    if (
        set(value) == {"type", "function"}
        and isinstance(function, dict)
        and set(function) == {"name"}
    ):
        return {"type": value["type"], "name": function["name"]}
    return value


def _tool_choice_to_beta(key: str, value: Any) -> Any:
    if key == "tool_choice" and isinstance(value, dict) and set(value) == {"type", "name"}:
        return {"type": value["type"], "function": {"name": value["name"]}}
    return value


def item_from_beta(item: JsonObject) -> JsonObject:
    """Give the parts of an assistant's message their GA names."""
    return _with_content(item, _CONTENT)


def item_to_beta(item: JsonObject) -> JsonObject:
    """Give the parts of an assistant's message their beta names."""
    return _with_content(item, _GA_CONTENT)


def _with_content(item: JsonObject, names: dict[str, str]) -> JsonObject:
    if item.get("role") != "assistant":
        return item
    return mapped_list(item, "content", lambda part: _renamed_part(part, names))


def _renamed_part(part: JsonObject, names: dict[str, str]) -> JsonObject:
    kind = part.get("type")
    return {**part, "type": names[kind]} if isinstance(kind, str) and kind in names else part


DIALECT: Final = Dialect(
    name="beta",
    audio_delta="response.audio.delta",
    default_model=DEFAULT_BETA_MODEL,
    url=url,
    headers=headers,
    check=check,
    encode_client=encode_client,
    decode_client=decode_client,
    encode_server=encode_server,
    decode_server=decode_server,
)
