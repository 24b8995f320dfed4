"""The model's side of one call: a ``Conn``, what it says as call events, commands as its events."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from itertools import groupby

from voicebridge.bridge.meanings import FATAL_CODES, MEANINGS, READ, Meaning
from voicebridge.bridge.orders import ModelCommand, client_event
from voicebridge.bridge.outbox import Outbox, OutboxFull
from voicebridge.bridge.session import check_formats
from voicebridge.errors import ConnectError, RealtimeProtocolError, SessionMismatch
from voicebridge.realtime import (
    Client,
    ClientEvent,
    Conn,
    ErrorEvent,
    ResponseDoneEvent,
    ServerEvent,
    Session,
    SessionUpdatedEvent,
    SessionUpdateEvent,
    Usage,
)

MOST_WAITING = 3000
"""Messages that may wait for the socket: a minute of the caller's frames."""

MOST_AUDIO_WAITING = 8 * 1024 * 1024
"""Characters of audio that may wait, in whatever pieces, for a carrier that sends faster than life;
by the clock a server that takes nothing is given up long before."""

_SESSION_EVENT_ID = "session"


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
        meaning = MEANINGS.get(type(event))
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
        event = client_event(command)
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
            case ErrorEvent(error=error) if error.code in FATAL_CODES:
                raise ConnectError(f"{error.code}: {error.message}")
            case _:
                continue


def _merged(payloads: list[str]) -> str:
    if len(payloads) == 1:
        return payloads[0]
    audio = b"".join(base64.b64decode(payload) for payload in payloads)
    return base64.b64encode(audio).decode("ascii")
