"""The audio side of a session: formats, turn detection, transcription, voice.

OpenAI Realtime, sections 2.3 and 4.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Discriminator, Tag

from voicebridge.realtime.enums import FORMAT_TYPES, AudioFormat
from voicebridge.realtime.wire import (
    Bool,
    Int,
    Number,
    TaggedModel,
    UnknownObject,
    WireModel,
    tag_by_type,
)


class AudioFormatObject(WireModel):
    """A format as GA writes it: ``audio/pcm`` with a rate in Hz, ``audio/pcmu``, ``audio/pcma``."""

    type: str | None = None
    rate: Int | None = None


Format: TypeAlias = AudioFormatObject | str
"""An ``AudioFormat`` by its neutral name, or a GA format object; both dialects take either."""


def neutral_format(value: Format | None) -> AudioFormat | str | None:
    """Name a format neutrally: an ``AudioFormat``, another server's own name, or None."""
    name = value.type if isinstance(value, AudioFormatObject) else value
    if name is None:
        return None
    if name in FORMAT_TYPES:
        return FORMAT_TYPES[name]
    return AudioFormat(name) if name in set(AudioFormat) else name


class NoiseReduction(WireModel):
    """Filter the input before turn detection and the model hear it."""

    type: str | None = None
    strength: Number | None = None


class AudioTranscription(WireModel):
    """Have the caller's words written down, beside what the model itself hears."""

    model: str | None = None
    language: str | None = None
    languages: list[str] | None = None
    prompt: str | None = None
    keywords: list[str] | None = None
    delay: str | None = None


class ServerVad(TaggedModel):
    """End a turn by silence. ``threshold`` is 0 to 1; all times count appended audio."""

    type: Literal["server_vad"] = "server_vad"
    threshold: Number | None = None
    prefix_padding_ms: Int | None = None
    silence_duration_ms: Int | None = None
    create_response: Bool | None = None
    interrupt_response: Bool | None = None
    idle_timeout_ms: Int | None = None


class SemanticVad(TaggedModel):
    """End a turn when the words sound finished."""

    type: Literal["semantic_vad"] = "semantic_vad"
    eagerness: str | None = None
    create_response: Bool | None = None
    interrupt_response: Bool | None = None


TurnDetection: TypeAlias = Annotated[
    Annotated[ServerVad, Tag("server_vad")]
    | Annotated[SemanticVad, Tag("semantic_vad")]
    | Annotated[UnknownObject, Tag("unknown")],
    Discriminator(tag_by_type("server_vad", "semantic_vad")),
]
"""None switches it off on the wire; leaving the field out leaves it as it was."""


class VoiceId(WireModel):
    """A custom voice."""

    id: str


class AudioInput(WireModel):
    """What becomes of the caller's audio. None for the last three switches them off."""

    format: Format | None = None
    turn_detection: TurnDetection | None = None
    transcription: AudioTranscription | None = None
    noise_reduction: NoiseReduction | None = None


class AudioOutput(WireModel):
    """How the model speaks; ``speed`` is 0.25 to 1.5, and the voice is fixed once it has spoken."""

    format: Format | None = None
    voice: str | VoiceId | None = None
    speed: Number | None = None


class Audio(WireModel):
    """Both directions of a session's audio."""

    input: AudioInput | None = None
    output: AudioOutput | None = None
