"""The model's side of one call: a ``Conn``, what it says as call events, commands as its events."""

from __future__ import annotations

import asyncio
import base64
from binascii import a2b_base64
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from itertools import groupby
from typing import Any, Final

from voicebridge.bridge.outbox import Outbox, OutboxFull
from voicebridge.bridge.session import check_formats
from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.reasons import EndReason
from voicebridge.errors import ConnectError, RealtimeProtocolError, SessionMismatch
from voicebridge.realtime import (
    SERVER_EVENTS,
    AssistantMessage,
    Client,
    ClientEvent,
    Conn,
    ConversationItemCreateEvent,
    ConversationItemDeleteEvent,
    ConversationItemInputAudioTranscriptionCompletedEvent,
    ConversationItemInputAudioTranscriptionFailedEvent,
    ConversationItemTruncateEvent,
    ErrorEvent,
    FunctionCall,
    FunctionCallOutput,
    InputAudioBufferSpeechStartedEvent,
    InputAudioBufferSpeechStoppedEvent,
    McpApprovalRequest,
    McpApprovalResponse,
    Response,
    ResponseCancelEvent,
    ResponseCreatedEvent,
    ResponseCreateEvent,
    ResponseCreateParams,
    ResponseDoneEvent,
    ResponseOutputAudioDeltaEvent,
    ResponseOutputAudioDoneEvent,
    ResponseOutputAudioTranscriptDeltaEvent,
    ResponseOutputItemDoneEvent,
    ServerEvent,
    Session,
    SessionUpdatedEvent,
    SessionUpdateEvent,
    SystemMessage,
    Usage,
    UserMessage,
    input_text,
    output_text,
)

MOST_WAITING = 3000
"""Messages that may wait for the socket: a minute of the caller's frames."""

MOST_AUDIO_WAITING = 8 * 1024 * 1024
"""Characters of audio that may wait, in whatever pieces, for a carrier that sends faster than life;
by the clock a server that takes nothing is given up long before."""

_SESSION_EVENT_ID = "session"

_FATAL_CODES = frozenset(
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

ModelCommand = (
    do.CreateResponse
    | do.CancelResponse
    | do.TruncateItem
    | do.DeleteItem
    | do.SendToolCall
    | do.SendToolOutput
    | do.AnswerApproval
    | do.SendUserText
    | do.SendSystemText
    | do.SendAgentText
)


Meaning = ev.Event | RealtimeProtocolError


class ModelLeg:
    """One realtime session that runs with the settings asked for."""

    __slots__ = ("_chars", "_conn", "_outbox", "_post_audio", "_together", "appended", "on_usage")

    def __init__(self, conn: Conn) -> None:
        self._conn, self._post_audio = conn, conn.post_audio
        self._outbox: Outbox[str | ClientEvent] = Outbox(MOST_WAITING)
        # Until the writer runs all waits: what was kept while we dialled goes out as one append.
        self._outbox.idle = False
        self._chars = 0  # of audio, in the outbox
        self.appended = 0
        """How many frames of the caller have been handed to the model."""
        self._together: list[str] | None = None
        """The frames that have come together so far: they go out as one."""
        self.on_usage: Callable[[Usage], None] | None = None
        """Hears what each response has used."""

    @classmethod
    async def dial(
        cls, client: Client, model: str, session: Session, *, timeout_s: float
    ) -> ModelLeg:
        """Open a session and make sure that it is the one asked for.

        Raises ``ConnectError``, ``ConnClosed`` or ``SessionMismatch``.
        """
        try:
            async with asyncio.timeout(timeout_s), AsyncExitStack() as undo:
                conn = await client.connect(model=model, timeout_s=timeout_s)
                undo.push_async_callback(conn.close)
                asked = SessionUpdateEvent(event_id=_SESSION_EVENT_ID, session=session)
                await conn.send_message(asked)
                await _await_session(conn)
                undo.pop_all()
        except TimeoutError:
            raise ConnectError(
                f"the realtime server gave no session within {timeout_s:g} s"
            ) from None
        return cls(conn)

    # --- from the model -----------------------------------------------------------------------

    async def listen(self, take: Callable[[list[Meaning]], None]) -> None:
        """Hand over what the server's events mean to the call, in order, until the end.

        A malformed event comes as the error it is. ``take`` must not raise. Raises ``ConnClosed``.
        """

        def read(events: list[ServerEvent | RealtimeProtocolError]) -> None:
            if meanings := [meaning for event in events for meaning in self._meanings(event)]:
                take(meanings)

        await self._conn.listen(read, only=READ)

    def _meanings(self, event: ServerEvent | RealtimeProtocolError) -> Sequence[Meaning]:
        if isinstance(event, RealtimeProtocolError):
            return (event,)
        meaning = _MEANINGS.get(type(event))
        if meaning is None:
            return ()
        if type(event) is ResponseDoneEvent and self.on_usage and event.response.usage:
            self.on_usage(event.response.usage)
        try:
            return meaning(event)
        except RealtimeProtocolError as error:
            return (error,)

    def hold(self, held: bool) -> None:
        """Leave what the server says with the server, until told otherwise."""
        self._conn.hold(held)

    # --- to the model -------------------------------------------------------------------------

    def append(self, payload: str) -> None:
        """Hand on audio of the caller, base64 as the carrier sent it: at once where there is room.

        What has to wait is merged. Raises ``OutboxFull`` when the server reads no more.
        """
        self.appended += 1
        if self._together is not None:
            self._together.append(payload)
        elif not (self._outbox.idle and self._post_audio(payload)):
            self._put_audio(payload)

    def crowd(self, several: bool) -> None:
        """Learn that frames come together from here, or have: they go out as one append.

        Raises ``OutboxFull`` as ``append`` does.
        """
        payloads, self._together = self._together, [] if several else None
        if payloads:
            whole = _merged(payloads)
            if not (self._outbox.idle and self._post_audio(whole)):
                self._put_audio(whole)

    def _put_audio(self, payload: str) -> None:
        self._chars += len(payload)
        if self._chars > MOST_AUDIO_WAITING:
            raise OutboxFull(f"{MOST_AUDIO_WAITING} characters of audio wait to be written")
        self._outbox.put(payload)

    def send(self, command: ModelCommand) -> None:
        """Send a command: at once where there is room.

        Raises ``OutboxFull`` when the server reads no more.
        """
        event = _client_event(command)
        if not (self._outbox.idle and self._conn.post(event)):
            self._outbox.put(event)

    async def write(self) -> None:
        """Write what is queued, for as long as the call lasts.

        Frames that had to wait for each other go out as one append. Raises ``RealtimeError``.
        """
        while True:
            taken, self._chars = await self._outbox.take(), 0
            for is_audio, group in groupby(taken, lambda x: type(x) is str):
                if is_audio:
                    await self._conn.append_audio(_merged([str(payload) for payload in group]))
                    continue
                for event in group:
                    if not isinstance(event, str):
                        await self._conn.send_message(event)

    async def close(self) -> None:
        """Close the connection; closing twice is no error."""
        await self._conn.close()


async def _await_session(conn: Conn) -> None:
    while True:
        try:
            event = await conn.read_message()
        except RealtimeProtocolError:
            continue
        match event:
            case SessionUpdatedEvent(session=Session() as session):
                check_formats(session)
                return
            case ErrorEvent(error=error) if error.event_id == _SESSION_EVENT_ID:
                raise SessionMismatch(f"the server refused the session: {error.message}")
            case ErrorEvent(error=error) if error.code in _FATAL_CODES:
                raise ConnectError(f"{error.code}: {error.message}")
            case _:
                continue


def _merged(payloads: list[str]) -> str:
    if len(payloads) == 1:
        return payloads[0]
    audio = b"".join(base64.b64decode(payload) for payload in payloads)
    return base64.b64encode(audio).decode("ascii")


def _client_event(command: ModelCommand) -> ClientEvent:
    match command:
        case do.CreateResponse(event_id, None, True):
            return ResponseCreateEvent(event_id=event_id)
        case do.CreateResponse(event_id, instructions, tools):
            params = ResponseCreateParams()
            if instructions is not None:
                params.instructions = instructions
            if not tools:
                params.tool_choice = "none"
            return ResponseCreateEvent(event_id=event_id, response=params)
        case do.CancelResponse(response_id):
            return ResponseCancelEvent(response_id=response_id)
        case do.TruncateItem(event_id, item_id, content_index, audio_end_ms):
            return ConversationItemTruncateEvent(
                event_id=event_id,
                item_id=item_id,
                content_index=content_index,
                audio_end_ms=audio_end_ms,
            )
        case do.DeleteItem(event_id, item_id):
            return ConversationItemDeleteEvent(event_id=event_id, item_id=item_id)
        case do.SendToolCall(call_id, name, arguments):
            return ConversationItemCreateEvent(
                item=FunctionCall(call_id=call_id, name=name, arguments=arguments)
            )
        case do.SendToolOutput(call_id, output):
            return ConversationItemCreateEvent(
                item=FunctionCallOutput(call_id=call_id, output=output)
            )
        case do.AnswerApproval(request_id, approve, reason):
            answer = McpApprovalResponse(
                id=f"answer-{request_id}"[:32], approval_request_id=request_id, approve=approve
            )
            if reason is not None:
                answer.reason = reason
            return ConversationItemCreateEvent(item=answer)
        case do.SendUserText(text):
            return ConversationItemCreateEvent(item=UserMessage(content=[input_text(text)]))
        case do.SendSystemText(text):
            return ConversationItemCreateEvent(item=SystemMessage(content=[input_text(text)]))
        case do.SendAgentText(item_id, text):
            return ConversationItemCreateEvent(
                previous_item_id="root",
                item=AssistantMessage(id=item_id, content=[output_text(text)]),
            )


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
    if error.code in _FATAL_CODES:
        return (ev.ModelLost(EndReason.MODEL_LOST, f"{error.code}: {error.message}"),)
    return (ev.RequestRejected(error.event_id, error.code or "", error.message or ""),)


_MEANINGS: Final[Mapping[type[ServerEvent], Callable[[Any], Sequence[ev.Event]]]] = {
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

READ: Final = frozenset(name for name, kind in SERVER_EVENTS.items() if kind in _MEANINGS)


def _why(response: Response) -> str:
    details = response.status_details
    if details is None:
        return ""
    if details.error is not None:
        return f"{details.error.code or details.error.type}: {details.error.message or ''}"
    return details.reason or ""
