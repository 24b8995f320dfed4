"""The carrier's side of one call: its socket, its dialect, its clock."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import ModuleType
from typing import Protocol

from voicebridge.bridge.outbox import Outbox
from voicebridge.bridge.socket import PushSocket, TextSocket
from voicebridge.call import commands as do
from voicebridge.carriers.base import Media, Message, Started
from voicebridge.errors import CarrierError, CarrierProtocolError

SEND_WITHIN_S = 10.0
"""A carrier that does not take a message for this long is lost."""

MOST_WAITING = 4096
"""Messages that may wait for the socket: minutes of audio, as a model sends ahead."""

MOST_FAULTS = 100
"""A stream with more bad messages than this is no telephone."""


def _nobody() -> None:
    """Tell nobody."""


class Dialect(Protocol):
    """What a carrier's module offers; the modules of ``carriers`` have exactly these names."""

    def media_of(self, text: str) -> tuple[str, int] | None: ...
    def decode(self, text: str) -> Message: ...
    def encode_audio(self, stream_id: str, audio: bytes) -> str: ...
    def encode_mark(self, stream_id: str, name: str) -> str: ...
    def encode_clear(self, stream_id: str) -> str: ...


class CarrierLeg:
    """One media stream after its start."""

    __slots__ = (
        "_dialect",
        "_outbox",
        "_post",
        "_socket",
        "_written",
        "clock_ms",
        "faults",
        "frames",
        "on_room",
        "started",
        "waiting",
    )

    def __init__(self, socket: TextSocket, dialect: Dialect | ModuleType, started: Started) -> None:
        self.started = started
        self.clock_ms = 0
        """The timestamp of the caller's last frame: the call's clock."""
        self.frames = 0
        """How many frames of the caller have come."""
        self._socket, self._dialect = socket, dialect
        self._outbox: Outbox[str] = Outbox(MOST_WAITING)
        self.faults = 0
        """How many messages came that the protocol does not allow."""
        self._written: list[str] = []
        self.waiting = 0
        """How many characters of messages wait for room in the socket."""
        self.on_room: Callable[[], None] = _nobody
        """Hears that some of them have gone."""
        self._post = socket.post if isinstance(socket, PushSocket) else None

    async def read(
        self,
        hear: Callable[[str, int], None],
        take: Callable[[Message | CarrierProtocolError], None],
        crowd: Callable[[bool], None],
    ) -> None:
        """Read until the stream ends: ``hear`` gets payload and timestamp of each frame.

        ``take`` gets every other message; one that the protocol does not allow comes as the error
        it is, and the stream goes on. ``crowd``: see ``PushSocket``. None of the three may raise.
        Raises ``CarrierProtocolError`` when the socket is of no more use.
        """
        media_of, decode = self._dialect.media_of, self._decode

        def read_one(text: str) -> None:
            heard = media_of(text)
            if heard is None:
                message = decode(text)
                if type(message) is not Media:
                    return take(message)
                heard = (message.payload, message.timestamp_ms)
            self.clock_ms = heard[1]
            self.frames += 1
            return hear(*heard)

        if isinstance(self._socket, PushSocket):
            return await self._socket.listen(read_one, crowd)
        while (text := await self._socket.receive()) is not None:
            read_one(text)
        return None

    def _decode(self, text: str) -> Message | CarrierProtocolError:
        try:
            return self._dialect.decode(text)
        except CarrierProtocolError as error:
            self.faults += 1
            return error

    def send(self, command: do.SendAudio | do.SendMark | do.SendClear) -> None:
        """Write a command down, to go out with the next ``flush``."""
        stream_id = self.started.stream_id
        if isinstance(command, do.SendAudio):
            text = self._dialect.encode_audio(stream_id, command.audio)
        elif isinstance(command, do.SendMark):
            text = self._dialect.encode_mark(stream_id, command.name)
        else:
            text = self._dialect.encode_clear(stream_id)
        self._written.append(text)

    def flush(self) -> None:
        """Send what was written down: at once if the socket has room, else when it has.

        Raises ``OutboxFull`` when the carrier reads no more.
        """
        if not self._written:
            return
        texts, self._written = self._written, []
        if self._post is not None and self._outbox.idle and self._post(texts):
            return
        for text in texts:
            self._outbox.put(text)
            self.waiting += len(text)

    async def write(self) -> None:
        """Write what is queued, for as long as the call lasts.

        Raises ``CarrierError`` when the socket is gone or takes nothing any more.
        """
        while True:
            for text in await self._outbox.take():
                try:
                    async with asyncio.timeout(SEND_WITHIN_S):
                        await self._socket.send(text)
                except TimeoutError:
                    raise CarrierError(f"the carrier took nothing for {SEND_WITHIN_S} s") from None
                self.waiting -= len(text)
                self.on_room()

    async def close(self) -> None:
        """Close the socket."""
        await self._socket.close()
