"""Sessions: what we ask for and what the server runs (OpenAI Realtime, sections 2.3 and 3.2)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypeGuard

from pydantic import Discriminator, StrictInt, Tag

from voicebridge.realtime.audio import Audio, neutral_format
from voicebridge.realtime.enums import AudioFormat
from voicebridge.realtime.tooling import Tool, ToolChoice
from voicebridge.realtime.wire import Bool, Int, Number, TaggedModel, WireModel, field_of

INF: Literal["inf"] = "inf"
IntOrInf: TypeAlias = StrictInt | Literal["inf"]
"""A number of tokens, or ``INF`` for as many as the model allows."""


def is_inf(value: IntOrInf | None) -> TypeGuard[Literal["inf"]]:
    """Tell whether a token limit is no limit."""
    return value == INF


class Prompt(WireModel):
    """A reusable prompt stored at the vendor."""

    id: str
    variables: dict[str, Any] | None = None
    version: str | None = None


class Reasoning(WireModel):
    """How hard a reasoning model thinks: see ``ReasoningEffort``."""

    effort: str | None = None


class TracingConfiguration(WireModel):
    """How the vendor's trace of the session is labelled."""

    group_id: str | None = None
    metadata: Any = None
    workflow_name: str | None = None


class TokenLimits(WireModel):
    """Limits of the context after the instructions."""

    post_instructions: Int | None = None


class RetentionRatio(TaggedModel):
    """Drop old items down to this share of the context at once, which keeps the cache useful."""

    type: Literal["retention_ratio"] = "retention_ratio"
    retention_ratio: Number
    token_limits: TokenLimits | None = None


class Session(TaggedModel):
    """A speaking session. Fields left out stay as they are; None clears where null does.

    ``id``, ``object`` and ``expires_at`` (unix seconds) come from the server only. ``temperature``
    exists in the beta dialect only; ``prompt``, ``truncation``, ``reasoning``, ``include`` and
    ``parallel_tool_calls`` in GA only.
    """

    type: str = "realtime"
    model: str | None = None
    instructions: str | None = None
    output_modalities: list[str] | None = None
    audio: Audio | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    max_output_tokens: IntOrInf | None = None
    parallel_tool_calls: Bool | None = None
    reasoning: Reasoning | None = None
    truncation: str | RetentionRatio | None = None
    prompt: Prompt | None = None
    tracing: str | TracingConfiguration | None = None
    include: list[str] | None = None
    temperature: Number | None = None
    id: str | None = None
    object: str | None = None
    expires_at: Int | None = None

    @property
    def input_format(self) -> AudioFormat | str | None:
        """The caller's audio format by its neutral name, or None where the session is silent."""
        return _format_of(self.audio, "input")

    @property
    def output_format(self) -> AudioFormat | str | None:
        """The model's audio format by its neutral name, or None where the session is silent."""
        return _format_of(self.audio, "output")


class TranscriptionSession(TaggedModel):
    """A session that only writes down what it hears."""

    type: Literal["transcription"] = "transcription"
    audio: Audio | None = None
    include: list[str] | None = None
    id: str | None = None
    object: str | None = None
    expires_at: Int | None = None

    @property
    def input_format(self) -> AudioFormat | str | None:
        """The audio format by its neutral name, or None where the session is silent."""
        return _format_of(self.audio, "input")


def _format_of(audio: Audio | None, side: Literal["input", "output"]) -> AudioFormat | str | None:
    half = None if audio is None else audio.input if side == "input" else audio.output
    return None if half is None else neutral_format(half.format)


def _tag_session(value: Any) -> str:
    return "transcription" if field_of(value, "type") == "transcription" else "realtime"


AnySession: TypeAlias = Annotated[
    Annotated[Session, Tag("realtime")] | Annotated[TranscriptionSession, Tag("transcription")],
    Discriminator(_tag_session),
]


class ClientSecret(WireModel):
    """A short-lived key for a client that must not hold ours; ``expires_at`` is unix seconds.

    ``session`` is what it opens, where the server tells.
    """

    value: str
    expires_at: Int | None = None
    session: AnySession | None = None
