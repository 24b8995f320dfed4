"""Responses, what is asked of them and what they cost (OpenAI Realtime, section 2.3)."""

from __future__ import annotations

from typing import Any

from voicebridge.realtime.audio import Audio
from voicebridge.realtime.items import Item
from voicebridge.realtime.session import IntOrInf, Prompt, Reasoning
from voicebridge.realtime.tooling import Tool, ToolChoice
from voicebridge.realtime.wire import Bool, Int, Number, WireModel


class CachedTokensDetails(WireModel):
    """Cached input tokens by kind."""

    text_tokens: Int | None = None
    audio_tokens: Int | None = None
    image_tokens: Int | None = None


class InputTokenDetails(WireModel):
    """Input tokens by kind; the cached ones are part of the others."""

    text_tokens: Int | None = None
    audio_tokens: Int | None = None
    image_tokens: Int | None = None
    cached_tokens: Int | None = None
    cached_tokens_details: CachedTokensDetails | None = None


class OutputTokenDetails(WireModel):
    """Output tokens by kind."""

    text_tokens: Int | None = None
    audio_tokens: Int | None = None


class Usage(WireModel):
    """What a response cost, in tokens."""

    total_tokens: Int | None = None
    input_tokens: Int | None = None
    output_tokens: Int | None = None
    input_token_details: InputTokenDetails | None = None
    output_token_details: OutputTokenDetails | None = None


class Error(WireModel):
    """What went wrong; ``event_id`` is that of our event which caused it."""

    type: str | None = None
    code: str | None = None
    message: str | None = None
    param: str | None = None
    event_id: str | None = None


class StatusDetails(WireModel):
    """Why a response ended as it did: ``turn_detected``, ``max_output_tokens``, an error …"""

    type: str | None = None
    reason: str | None = None
    error: Error | None = None


class Response(WireModel):
    """One response of the model."""

    id: str | None = None
    object: str | None = None
    status: str | None = None
    status_details: StatusDetails | None = None
    output: list[Item] | None = None
    conversation_id: str | None = None
    output_modalities: list[str] | None = None
    max_output_tokens: IntOrInf | None = None
    audio: Audio | None = None
    usage: Usage | None = None
    metadata: dict[str, Any] | None = None
    temperature: Number | None = None


class ResponseCreateParams(WireModel):
    """What this one response shall be like; all else is as the session has it.

    ``conversation="none"`` asks for a response beside the conversation; ``input`` then is its
    whole context. ``temperature`` exists in the beta dialect only.
    """

    instructions: str | None = None
    output_modalities: list[str] | None = None
    audio: Audio | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    max_output_tokens: IntOrInf | None = None
    parallel_tool_calls: Bool | None = None
    reasoning: Reasoning | None = None
    prompt: Prompt | None = None
    conversation: str | None = None
    input: list[Item] | None = None
    metadata: dict[str, str] | None = None
    temperature: Number | None = None


class RateLimit(WireModel):
    """How much of a limit (``requests``, ``tokens``) is left, and until when."""

    name: str | None = None
    limit: Int | None = None
    remaining: Int | None = None
    reset_seconds: Number | None = None


class Conversation(WireModel):
    """The conversation that items are kept in."""

    id: str | None = None
    object: str | None = None
