"""The beta dialect, as translations from and to GA (OpenAI Realtime, sections 2.4-2.6 and 3)."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field

from voicebridge.rehearsal.refusals import validate
from voicebridge.rehearsal.session_config import Strict, TokenLimit, Transcription

Json = dict[str, Any]
Format = Literal["pcm16", "g711_ulaw", "g711_alaw"]
Modalities = Annotated[list[Literal["text", "audio"]], Field(min_length=1, max_length=2)]
Temperature = Annotated[float, Field(ge=0.6, le=1.2)]

name = "beta"

_FORMATS: Final[dict[str, Json]] = {
    "pcm16": {"type": "audio/pcm", "rate": 24_000},
    "g711_ulaw": {"type": "audio/pcmu"},
    "g711_alaw": {"type": "audio/pcma"},
}
_FORMAT_NAMES: Final = {wire["type"]: name for name, wire in _FORMATS.items()}

_EVENTS: Final = {
    "conversation.item.added": "conversation.item.created",
    "conversation.item.done": None,
    "response.output_text.delta": "response.text.delta",
    "response.output_text.done": "response.text.done",
    "response.output_audio.delta": "response.audio.delta",
    "response.output_audio.done": "response.audio.done",
    "response.output_audio_transcript.delta": "response.audio_transcript.delta",
    "response.output_audio_transcript.done": "response.audio_transcript.done",
    "input_audio_buffer.timeout_triggered": None,
}
_PARTS: Final = {"output_text": "text", "output_audio": "audio"}


class BetaTurnDetection(Strict):
    """``turn_detection`` of the flat session; the defaults are GA's."""

    type: Literal["server_vad", "semantic_vad"] = "server_vad"
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    prefix_padding_ms: Annotated[int, Field(ge=0, le=10_000)] = 300
    silence_duration_ms: Annotated[int, Field(ge=0, le=10_000)] = 500
    eagerness: Literal["low", "medium", "high", "auto"] = "auto"
    create_response: bool = True
    interrupt_response: bool = True


class BetaNoiseReduction(Strict):
    """``input_audio_noise_reduction``."""

    type: Literal["near_field", "far_field"]


class BetaSession(Strict):
    """The flat session, read strictly; what is absent from an update is not set."""

    model: str | None = None
    modalities: Modalities | None = None
    instructions: str | None = None
    voice: str | None = None
    speed: float | None = None
    input_audio_format: Format | None = None
    output_audio_format: Format | None = None
    input_audio_transcription: Transcription | None = None
    input_audio_noise_reduction: BetaNoiseReduction | None = None
    turn_detection: BetaTurnDetection | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    temperature: Temperature | None = None
    max_response_output_tokens: TokenLimit | None = None
    tracing: Literal["auto"] | dict[str, Any] | None = None


class BetaResponse(Strict):
    """The ``response`` of a ``response.create``; both spellings of the token limit were in use."""

    conversation: Literal["auto", "none"] | None = None
    input: list[dict[str, Any]] | None = None
    instructions: str | None = None
    modalities: Modalities | None = None
    voice: str | None = None
    output_audio_format: Format | None = None
    max_output_tokens: TokenLimit | None = None
    max_response_output_tokens: TokenLimit | None = None
    temperature: Temperature | None = None
    metadata: dict[str, str] | None = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None


def decode(event: Json) -> Json:
    """Read a client's event into its GA form; raises RefusedError with the beta field's name."""
    kind = event.get("type")
    if kind == "session.update" and isinstance(event.get("session"), dict):
        flat = validate(BetaSession, event["session"], "session").model_dump(exclude_unset=True)
        return {**event, "session": _session_to_ga(flat)}
    if kind == "response.create" and isinstance(event.get("response"), dict):
        flat = validate(BetaResponse, event["response"], "response").model_dump(exclude_unset=True)
        return {**event, "response": _response_to_ga(flat)}
    if kind == "conversation.item.create" and isinstance(event.get("item"), dict):
        return {**event, "item": _item_to_ga(event["item"])}
    return event


def encode(event: Json) -> Json | None:
    """Write a server's GA event; None for one that beta does not have."""
    kind = _EVENTS.get(event["type"], event["type"])
    if kind is None:
        return None
    wire = {**event, "type": kind}
    if kind == "response.function_call_arguments.done":
        del wire["name"]  # the beta's page does not have it: a client knows it from the item
    if "session" in wire:
        wire["session"] = _session_to_beta(wire["session"])
    if "item" in wire:
        wire["item"] = _item_to_beta(wire["item"])
    if "response" in wire:
        wire["response"] = _response_to_beta(wire["response"])
    return wire


def _session_to_ga(flat: Json) -> Json:
    session: Json = {"type": "realtime"}
    audio: dict[str, Json] = {"input": {}, "output": {}}
    for key, value in flat.items():
        match key:
            case "modalities":
                session["output_modalities"] = ["audio"] if "audio" in value else ["text"]
            case "voice" | "speed":
                audio["output"][key] = value
            case "input_audio_format" | "output_audio_format":
                audio[key.split("_")[0]]["format"] = _FORMATS[value]
            case "input_audio_transcription" | "input_audio_noise_reduction":
                audio["input"][key.removeprefix("input_audio_")] = value
            case "turn_detection":
                audio["input"][key] = value and _turn_detection_to_ga(value)
            case "max_response_output_tokens":
                session["max_output_tokens"] = value
            case "tool_choice":
                session[key] = _tool_choice_to_ga(value)
            case "temperature":
                pass  # it has no counterpart; the script's words do not depend on it
            case _:
                session[key] = value
    return {**session, "audio": {side: values for side, values in audio.items() if values}}


def _turn_detection_to_ga(flat: Json) -> Json:
    shared = {"type", "create_response", "interrupt_response"}
    semantic = flat.get("type") == "semantic_vad"
    own = {"eagerness"} if semantic else {"threshold", "prefix_padding_ms", "silence_duration_ms"}
    kept = {key: value for key, value in flat.items() if key in shared | own}
    return {"type": "server_vad", **kept}


def _tool_choice_to_ga(value: Any) -> Any:
    """Take the name out of ``{"type": "function", "function": {"name": …}}``."""
    nested = value.get("function") if isinstance(value, dict) else None
    return {"type": "function", "name": nested["name"]} if isinstance(nested, dict) else value


def _response_to_ga(flat: Json) -> Json:
    session = _session_to_ga({key: flat[key] for key in flat if key in _SHARED_KEYS})
    kept = {key: flat[key] for key in flat if key not in _SHARED_KEYS and flat[key] is not None}
    del session["type"]
    if "input" in kept:
        kept["input"] = [_item_to_ga(item) for item in kept["input"]]
    return {**session, **kept}


_SHARED_KEYS: Final = {
    "modalities",
    "voice",
    "output_audio_format",
    "max_response_output_tokens",
    "temperature",
    "tool_choice",
}


def _item_to_ga(item: Json) -> Json:
    if item.get("role") != "assistant" or not isinstance(item.get("content"), list):
        return item
    names = {old: new for new, old in _PARTS.items()}
    return {**item, "content": [_renamed(part, names) for part in item["content"]]}


def _item_to_beta(item: Json) -> Json:
    if "content" not in item:
        return item
    return {**item, "content": [_renamed(part, _PARTS) for part in item["content"]]}


def _renamed(part: Any, names: dict[str, str]) -> Any:
    if not isinstance(part, dict):
        return part
    return {**part, "type": names.get(part.get("type", ""), part.get("type"))}


def _modalities(output: list[str]) -> list[str]:
    return ["text", "audio"] if "audio" in output else ["text"]


def _session_to_beta(session: Json) -> Json:
    heard, spoken = session["audio"]["input"], session["audio"]["output"]
    flat = {
        "id": session["id"],
        "model": session["model"],
        "modalities": _modalities(session["output_modalities"]),
        "instructions": session["instructions"],
        "voice": spoken["voice"],
        "speed": spoken["speed"],
        "input_audio_transcription": _only(heard["transcription"], ("model", "language", "prompt")),
        "input_audio_noise_reduction": _only(heard["noise_reduction"], ("type",)),
        "turn_detection": heard["turn_detection"] and _without_idle(heard["turn_detection"]),
        "tools": session["tools"],
        "tool_choice": session["tool_choice"],
        "temperature": 0.8,
        "max_response_output_tokens": session["max_output_tokens"],
        "tracing": session["tracing"],
    }
    for side, audio in (("input", heard), ("output", spoken)):
        if "format" in audio:
            flat[f"{side}_audio_format"] = _FORMAT_NAMES[audio["format"]["type"]]
    return flat


def _only(values: Json | None, keys: tuple[str, ...]) -> Json | None:
    return values and {key: values[key] for key in keys}


def _without_idle(detection: Json) -> Json:
    return {key: value for key, value in detection.items() if key != "idle_timeout_ms"}


def _response_to_beta(response: Json) -> Json:
    output = response["audio"]["output"]
    kept = {key: value for key, value in response.items() if key not in ("audio", "usage")}
    kept["modalities"] = _modalities(kept.pop("output_modalities"))
    kept["output"] = [_item_to_beta(item) for item in kept["output"]]
    usage = response["usage"]
    details = usage and {
        key: value
        for key, value in usage["input_token_details"].items()
        if key in ("text_tokens", "audio_tokens", "cached_tokens")
    }
    return {
        **kept,
        "voice": output["voice"],
        "output_audio_format": _FORMAT_NAMES[output["format"]["type"]],
        "temperature": 0.8,
        "usage": usage and {**usage, "input_token_details": details},
    }
