"""What the realtime server's events mean to a call."""

from __future__ import annotations

from binascii import a2b_base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from voicebridge.call import events as ev
from voicebridge.call.reasons import EndReason
from voicebridge.errors import RealtimeProtocolError
from voicebridge.realtime import (
    SERVER_EVENTS,
    ConversationItemInputAudioTranscriptionCompletedEvent,
    ConversationItemInputAudioTranscriptionFailedEvent,
    ErrorEvent,
    FunctionCall,
    InputAudioBufferSpeechStartedEvent,
    InputAudioBufferSpeechStoppedEvent,
    McpApprovalRequest,
    Response,
    ResponseCreatedEvent,
    ResponseDoneEvent,
    ResponseOutputAudioDeltaEvent,
    ResponseOutputAudioDoneEvent,
    ResponseOutputAudioTranscriptDeltaEvent,
    ResponseOutputItemDoneEvent,
    ServerEvent,
)

FATAL_CODES = frozenset(
    {
        "session_expired",
        "invalid_api_key",
        "insufficient_quota",
        "credit_balance_exhausted",
        "beta_api_shape_disabled",
        "model_not_found",
    }
)
"""Errors after which the server gives nothing more (OpenAI Realtime, section 7)."""

Meaning = ev.Event | RealtimeProtocolError


def _audio(event: ResponseOutputAudioDeltaEvent) -> Sequence[ev.Event]:
    try:
        audio = a2b_base64(event.delta, strict_mode=True)
    except ValueError:
        raise RealtimeProtocolError(
            "an audio delta that is not base64",
            event_type="response.output_audio.delta",
            field="delta",
        ) from None
    return (ev.AudioReceived(event.response_id, event.item_id, event.content_index, audio),)


def _words(event: ResponseOutputAudioTranscriptDeltaEvent) -> Sequence[ev.Event]:
    return (ev.TranscriptReceived(event.item_id, event.delta),)


def _audio_finished(event: ResponseOutputAudioDoneEvent) -> Sequence[ev.Event]:
    return (ev.AudioFinished(event.item_id),)


def _speech_started(event: InputAudioBufferSpeechStartedEvent) -> Sequence[ev.Event]:
    return (ev.SpeechStarted(event.item_id, event.audio_start_ms),)


def _speech_stopped(event: InputAudioBufferSpeechStoppedEvent) -> Sequence[ev.Event]:
    return (ev.SpeechStopped(event.item_id, event.audio_end_ms),)


def _transcribed(
    event: ConversationItemInputAudioTranscriptionCompletedEvent,
) -> Sequence[ev.Event]:
    return (ev.CallerTranscribed(event.item_id, event.transcript.strip()),)


def _not_transcribed(
    event: ConversationItemInputAudioTranscriptionFailedEvent,
) -> Sequence[ev.Event]:
    return (ev.CallerTranscribed(event.item_id, ""),)


def _response_created(event: ResponseCreatedEvent) -> Sequence[ev.Event]:
    response_id = event.response.id
    return (ev.ResponseCreated(response_id),) if response_id is not None else ()


def _item_done(event: ResponseOutputItemDoneEvent) -> Sequence[ev.Event]:
    """Read a finished call; one that was cut off may have half its arguments and is passed over."""
    item = event.item
    if isinstance(item, McpApprovalRequest):
        asked = (item.id, item.server_label, item.name, item.arguments)
        return (ev.ApprovalAsked(event.response_id, *asked),)
    if not isinstance(item, FunctionCall) or item.status == "incomplete" or not item.call_id:
        return ()
    called = ev.ToolCalled(event.response_id, item.call_id, item.name or "", item.arguments or "{}")
    return (called,)


def _response_done(event: ResponseDoneEvent) -> Sequence[ev.Event]:
    response = event.response
    if response.id is None:
        return ()
    return (ev.ResponseDone(response.id, response.status or "", _why(response)),)


def _refused(event: ErrorEvent) -> Sequence[ev.Event]:
    error = event.error
    if error.code in FATAL_CODES:
        return (ev.ModelLost(EndReason.MODEL_LOST, f"{error.code}: {error.message}"),)
    return (ev.RequestRejected(error.event_id, error.code or "", error.message or ""),)


MEANINGS: Final[Mapping[type[ServerEvent], Callable[[Any], Sequence[ev.Event]]]] = {
    ResponseOutputAudioDeltaEvent: _audio,
    ResponseOutputAudioTranscriptDeltaEvent: _words,
    ResponseOutputAudioDoneEvent: _audio_finished,
    InputAudioBufferSpeechStartedEvent: _speech_started,
    InputAudioBufferSpeechStoppedEvent: _speech_stopped,
    ConversationItemInputAudioTranscriptionCompletedEvent: _transcribed,
    ConversationItemInputAudioTranscriptionFailedEvent: _not_transcribed,
    ResponseCreatedEvent: _response_created,
    ResponseOutputItemDoneEvent: _item_done,
    ResponseDoneEvent: _response_done,
    ErrorEvent: _refused,
}
"""What an event means to the call; those that are not here mean nothing to it."""

READ: Final = frozenset(name for name, kind in SERVER_EVENTS.items() if kind in MEANINGS)


def _why(response: Response) -> str:
    details = response.status_details
    if details is None:
        return ""
    if details.error is not None:
        return f"{details.error.code or details.error.type}: {details.error.message or ''}"
    return details.reason or ""
