"""The realtime session's configuration as the GA API has it (OpenAI Realtime, section 2.3).

One set of models serves as the strict reader of ``session.update`` and as the configuration in
force: what an update names replaces what was there, field by field.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from voicebridge.rehearsal.refusals import RefusedError, validate

DEFAULT_INSTRUCTIONS = "You are a helpful, friendly voice agent. Answer briefly."


class Strict(BaseModel):
    """Refuse unknown keys and values of another type, as the API does."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Pcm(Strict):
    """16-bit little-endian mono at 24 kHz."""

    type: Literal["audio/pcm"]
    rate: Annotated[int, Field(ge=24_000, le=24_000)] = 24_000


class Pcmu(Strict):
    """G.711 mu-law at 8 kHz."""

    type: Literal["audio/pcmu"]


class Pcma(Strict):
    """G.711 A-law at 8 kHz."""

    type: Literal["audio/pcma"]


class ServerVad(Strict):
    """Turn detection by energy and silence (section 4)."""

    type: Literal["server_vad"]
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[int, Field(ge=0, le=10_000)] = 300
    silence_duration_ms: Annotated[int, Field(ge=0, le=10_000)] = 500
    create_response: bool = True
    interrupt_response: bool = True
    idle_timeout_ms: Annotated[int, Field(ge=5_000, le=30_000)] | None = None


class SemanticVad(Strict):
    """Turn detection by meaning; here by silence whose length ``eagerness`` sets."""

    type: Literal["semantic_vad"]
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


class Transcription(Strict):
    """What writes down the caller's words."""

    model: str | None = None
    language: str | None = None
    languages: list[str] | None = None
    keywords: list[str] | None = None
    prompt: str | None = None
    delay: Literal["minimal", "low", "medium", "high", "xhigh"] | None = None


class NoiseReduction(Strict):
    """What the API filters out before it listens; the simulated server only echoes it."""

    type: Literal["near_field", "far_field"]
    strength: Annotated[float, Field(ge=0, le=1)] | None = None


class CustomVoice(Strict):
    """A voice of one's own."""

    id: str


AudioFormat = Annotated[Pcm | Pcmu | Pcma, Field(discriminator="type")]
TurnDetection = Annotated[ServerVad | SemanticVad, Field(discriminator="type")]


class AudioInput(Strict):
    """How the caller is listened to."""

    format: AudioFormat = Pcm(type="audio/pcm")
    turn_detection: TurnDetection | None = ServerVad(type="server_vad")
    transcription: Transcription | None = None
    noise_reduction: NoiseReduction | None = None


class AudioOutput(Strict):
    """How the agent speaks."""

    format: AudioFormat = Pcm(type="audio/pcm")
    voice: str | CustomVoice = "alloy"
    speed: Annotated[float, Field(ge=0.25, le=1.5)] = 1.0


class Audio(Strict):
    """Both directions."""

    input: AudioInput = AudioInput()
    output: AudioOutput = AudioOutput()


class FunctionTool(Strict):
    """A function the model may call."""

    type: Literal["function"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    description: str | None = None
    parameters: dict[str, Any] | None = None


class McpTool(Strict):
    """Tools of an MCP server; accepted and never used here."""

    model_config = ConfigDict(extra="allow")

    type: Literal["mcp"]
    server_label: str


class NamedTool(Strict):
    """A tool that the model is made to call."""

    type: Literal["function", "mcp"]
    name: str | None = None
    server_label: str | None = None


Tool = Annotated[FunctionTool | McpTool, Field(discriminator="type")]
ToolChoice = Literal["none", "auto", "required"] | NamedTool
Modalities = Annotated[list[Literal["text", "audio"]], Field(min_length=1, max_length=1)]
TokenLimit = Annotated[int, Field(ge=1, le=32_000)] | Literal["inf"]


class Session(Strict):
    """A whole session; an update has some of it, and always its ``type``."""

    type: Literal["realtime"]
    model: str | None = None
    instructions: str = DEFAULT_INSTRUCTIONS
    output_modalities: Modalities = ["audio"]
    audio: Audio = Audio()
    tools: list[Tool] = []
    tool_choice: ToolChoice = "auto"
    max_output_tokens: TokenLimit = "inf"
    truncation: Literal["auto", "disabled"] | dict[str, Any] = "auto"
    tracing: Literal["auto"] | dict[str, Any] | None = None
    prompt: dict[str, Any] | None = None
    include: list[Literal["item.input_audio_transcription.logprobs"]] | None = None
    parallel_tool_calls: bool | None = None
    reasoning: dict[str, Any] | None = None


def read_update(data: object) -> Session:
    """Read the ``session`` of a ``session.update`` whole; raises RefusedError."""
    return validate(Session, data, "session")


def updated(current: Session, patch: Session, *, has_spoken: bool) -> Session:
    """Put an update into force; raises RefusedError for what is frozen by now."""
    merged: Session = _merged(current, patch)
    if patch.model is not None and patch.model != current.model:
        raise RefusedError(
            "invalid_value", "The model of a session cannot be changed.", "session.model"
        )
    if has_spoken and merged.audio.output.voice != current.audio.output.voice:
        message = "Cannot update a conversation's voice if assistant audio is present."
        raise RefusedError("cannot_update_voice", message, "session.audio.output.voice")
    return merged


_BRANCHES = (Audio, AudioInput, AudioOutput)


def _merged(current: Any, patch: Any) -> Any:
    """Take the fields that the patch names; go into the audio tree, replace all else whole."""
    fields = {}
    for name in patch.model_fields_set:
        value = getattr(patch, name)
        fields[name] = _merged(getattr(current, name), value) if type(value) in _BRANCHES else value
    return current.model_copy(update=fields)
