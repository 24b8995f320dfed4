"""The response object and its bill, as GA events carry them (OpenAI Realtime, section 2.3)."""

from __future__ import annotations

from dataclasses import dataclass

from voicebridge.rehearsal.client_events import ResponseParams
from voicebridge.rehearsal.conversation import Item, Json
from voicebridge.rehearsal.session_config import Pcm, Pcma, Pcmu, Session

SERVER_ERROR = {
    "type": "server_error",
    "code": "server_error",
    "message": "The server had an error while processing your request. Please retry.",
}


@dataclass(frozen=True, slots=True)
class Manner:
    """How one response is given: its own settings where it has any, else the session's."""

    format: Pcm | Pcmu | Pcma
    voice: object
    modalities: list[str]
    max_tokens: int | str

    @classmethod
    def of(cls, params: ResponseParams, session: Session) -> Manner:
        """Settle what holds for a response asked for with ``params``."""
        own, usual = params.audio.output, session.audio.output
        voice = own.voice or usual.voice
        return cls(
            format=own.format or usual.format,
            voice=voice if isinstance(voice, str) else voice.model_dump(),
            modalities=[*(params.output_modalities or session.output_modalities)],
            max_tokens=params.max_output_tokens or session.max_output_tokens,
        )

    @property
    def spoken(self) -> bool:
        """Tell whether the response has audio."""
        return "audio" in self.modalities


def status_details(status: str, reason: str | None) -> Json | None:
    """Say why a response ended as it did; None for one that is complete."""
    if status in ("completed", "in_progress"):
        return None
    details: Json = {"type": status}
    if reason is not None:
        details["reason"] = reason
    if status == "failed":
        details["error"] = SERVER_ERROR
    return details


def usage(asked: tuple[int, int], cached: tuple[int, int], output: list[Item]) -> Json:
    """Bill the (text, audio) tokens that went in, of which some were cached, and what came out."""
    out = [item.tokens() for item in output]
    text_out, audio_out = sum(text for text, _ in out), sum(audio for _, audio in out)
    cached_details = {"text_tokens": cached[0], "audio_tokens": cached[1], "image_tokens": 0}
    return {
        "total_tokens": sum(asked) + text_out + audio_out,
        "input_tokens": sum(asked),
        "output_tokens": text_out + audio_out,
        "input_token_details": {
            "text_tokens": asked[0],
            "audio_tokens": asked[1],
            "image_tokens": 0,
            "cached_tokens": sum(cached),
            "cached_tokens_details": cached_details,
        },
        "output_token_details": {"text_tokens": text_out, "audio_tokens": audio_out},
    }
