"""The model's side of one call: a ``Conn``, what it says as call events, commands as its events."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from itertools import groupby

from voicebridge.bridge.outbox import Outbox
from voicebridge.bridge.session import check_formats
from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.reasons import EndReason
from voicebridge.errors import ConnectError, RealtimeProtocolError, SessionMismatch
from voicebridge.realtime import (
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
    | do.SendToolOutput
    | do.SendUserText
    | do.SendSystemText
    | do.SendAgentText
)


class ModelLeg:
    """One realtime session that runs with the settings asked for."""

    def __init__(self, conn: Conn) -> None:
        self._conn = conn
        self._outbox: Outbox[str | ClientEvent] = Outbox(MOST_WAITING)
        # Until the writer runs all waits: what was kept while we dialled goes out as one append.
        self._outbox.idle = False
        self.appended = 0
        """How many frames of the caller have been handed to the model."""
        self.more_to_come = False
        """Whether frames that have come together are being appended: they go out as one."""
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

    async def read(self) -> Sequence[ev.Event | RealtimeProtocolError]:
        """Wait for events of the server and return what they mean to the call, in order.

        A malformed one is returned as the error it is. Raises ``ConnClosed`` at the end.
        """
        meanings: list[ev.Event | RealtimeProtocolError] = []
        for event in await self._conn.read_messages():
            if isinstance(event, RealtimeProtocolError):
                meanings.append(event)
                continue
            if type(event) is ResponseDoneEvent and self.on_usage and event.response.usage:
                self.on_usage(event.response.usage)
            try:
                meanings += _meaning(event)
            except RealtimeProtocolError as error:
                meanings.append(error)
        return meanings

    # --- to the model -------------------------------------------------------------------------

    def append(self, payload: str) -> None:
        """Hand on audio of the caller, base64 as the carrier sent it: at once where there is room.

        What has to wait is merged. Raises ``OutboxFull`` when the server reads no more.
        """
        self.appended += 1
        at_once = self._outbox.idle and not self.more_to_come
        if not (at_once and self._conn.post_audio(payload)):
            self._outbox.put(payload)

    def send(self, command: ModelCommand) -> None:
        """Queue a command; raises ``OutboxFull`` when the server reads no more."""
        self._outbox.put(_client_event(command))

    async def write(self) -> None:
        """Write what is queued, for as long as the call lasts.

        Frames that had to wait for each other go out as one append. Raises ``RealtimeError``.
        """
        while True:
            for is_audio, group in groupby(await self._outbox.take(), lambda x: type(x) is str):
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
        case do.SendToolOutput(call_id, output):
            return ConversationItemCreateEvent(
                item=FunctionCallOutput(call_id=call_id, output=output)
            )
        case do.SendUserText(text):
            return ConversationItemCreateEvent(item=UserMessage(content=[input_text(text)]))
        case do.SendSystemText(text):
            return ConversationItemCreateEvent(item=SystemMessage(content=[input_text(text)]))
        case do.SendAgentText(item_id, text):
            return ConversationItemCreateEvent(
                previous_item_id="root",
                item=AssistantMessage(id=item_id, content=[output_text(text)]),
            )


def _meaning(event: ServerEvent) -> Sequence[ev.Event]:
    match event:
        case ResponseOutputAudioDeltaEvent():
            try:
                audio = base64.b64decode(event.delta, validate=True)
            except ValueError:
                raise RealtimeProtocolError(
                    "an audio delta that is not base64",
                    event_type="response.output_audio.delta",
                    field="delta",
                ) from None
            return (ev.AudioReceived(event.response_id, event.item_id, event.content_index, audio),)
        case ResponseOutputAudioTranscriptDeltaEvent(item_id=item_id, delta=delta):
            return (ev.TranscriptReceived(item_id, delta),)
        case ResponseOutputAudioDoneEvent(item_id=item_id):
            return (ev.AudioFinished(item_id),)
        case InputAudioBufferSpeechStartedEvent(item_id=item_id, audio_start_ms=start_ms):
            return (ev.SpeechStarted(item_id, start_ms),)
        case InputAudioBufferSpeechStoppedEvent(item_id=item_id, audio_end_ms=end_ms):
            return (ev.SpeechStopped(item_id, end_ms),)
        case ConversationItemInputAudioTranscriptionCompletedEvent(item_id=item_id):
            return (ev.CallerTranscribed(item_id, event.transcript.strip()),)
        case ConversationItemInputAudioTranscriptionFailedEvent(item_id=item_id):
            return (ev.CallerTranscribed(item_id, ""),)
        case ResponseCreatedEvent(response=Response(id=str(response_id))):
            return (ev.ResponseCreated(response_id),)
        case ResponseOutputItemDoneEvent(item=FunctionCall() as item):
            return _tool_called(event.response_id, item)
        case ResponseDoneEvent(response=Response(id=str(response_id)) as response):
            return (ev.ResponseDone(response_id, response.status or "", _why(response)),)
        case ErrorEvent(error=error) if error.code in _FATAL_CODES:
            return (ev.ModelLost(EndReason.MODEL_LOST, f"{error.code}: {error.message}"),)
        case ErrorEvent(error=error):
            return (ev.RequestRejected(error.event_id, error.code or "", error.message or ""),)
        case _:
            return ()


def _tool_called(response_id: str, item: FunctionCall) -> Sequence[ev.Event]:
    """Read a finished call; one that was cut off may have half its arguments and is passed over."""
    if item.status == "incomplete" or not item.call_id:
        return ()
    return (ev.ToolCalled(response_id, item.call_id, item.name or "", item.arguments or "{}"),)


def _why(response: Response) -> str:
    details = response.status_details
    if details is None:
        return ""
    if details.error is not None:
        return f"{details.error.code or details.error.type}: {details.error.message or ''}"
    return details.reason or ""
