"""The GA dialect: OpenAI's current protocol, and the shape of everything in this package.

OpenAI Realtime, sections 1.1 and 2.1 to 2.3. Only formats given by their neutral names need
spelling; all else is on the wire as it is in the events.
"""

from __future__ import annotations

from typing import Any, Final

from voicebridge.realtime.dialects.base import (
    Credentials,
    Dialect,
    JsonObject,
    Target,
    mapped,
    with_query,
)
from voicebridge.realtime.dialects.keys import GA_KEYS, check_settings
from voicebridge.realtime.enums import DEFAULT_MODEL
from voicebridge.realtime.errors import UnsupportedParameter

FORMATS: Final[dict[str, JsonObject]] = {
    "pcm16": {"type": "audio/pcm", "rate": 24000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}


def url(base_url: str, target: Target) -> str:
    """Address a call, a transcription or a model: the one excludes the others."""
    if target.call_id is not None:
        return with_query(base_url, call_id=target.call_id)
    if target.intent == "transcription":
        return with_query(base_url, intent=target.intent)
    return with_query(base_url, model=target.model, intent=target.intent)


def headers(credentials: Credentials) -> dict[str, str]:
    """Authorise by bearer token; without one, send nothing."""
    return {"Authorization": f"Bearer {credentials.token}"} if credentials.token else {}


def check(event: JsonObject) -> None:
    """Refuse keys and modalities that a GA server refuses."""
    check_settings(event, GA_KEYS, _check_modalities)


def _check_modalities(value: JsonObject, place: str) -> None:
    modalities = value.get("output_modalities")
    if isinstance(modalities, list) and {"text", "audio"} <= set(modalities):
        message = 'take ["audio"] or ["text"]: audio always brings its transcript'
        raise UnsupportedParameter(message, param=f"{place}.output_modalities")


def encode_client(event: JsonObject) -> JsonObject:
    """Spell the formats of a session or response."""
    return mapped(mapped(event, "session", spell_formats), "response", spell_formats)


def spell_formats(value: JsonObject) -> JsonObject:
    """Write neutral format names as GA's format objects."""
    return mapped(value, "audio", _spell_both)


def _spell_both(audio: JsonObject) -> JsonObject:
    return mapped(mapped(audio, "input", _spell), "output", _spell)


def _spell(half: JsonObject) -> JsonObject:
    return {**half, "format": format_object(half["format"])} if "format" in half else half


def format_object(value: Any) -> Any:
    """Turn a neutral format name into GA's object; anything else stays as it is."""
    return dict(FORMATS[value]) if isinstance(value, str) and value in FORMATS else value


def as_is(event: JsonObject) -> JsonObject:
    """Give the event back: nothing differs from the shape inside."""
    return event


DIALECT: Final = Dialect(
    name="ga",
    audio_delta="response.output_audio.delta",
    default_model=DEFAULT_MODEL,
    url=url,
    headers=headers,
    check=check,
    encode_client=encode_client,
    decode_client=as_is,
    encode_server=as_is,
    decode_server=as_is,
)
