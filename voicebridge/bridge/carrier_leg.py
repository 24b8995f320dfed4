"""The carrier's side of one call: its socket, its dialect, its clock."""

from __future__ import annotations

import asyncio
from types import ModuleType
from typing import Protocol

from voicebridge.bridge.outbox import Outbox
from voicebridge.bridge.socket import TextSocket
from voicebridge.call import commands as do
from voicebridge.carriers.base import Media, Message, Started
from voicebridge.errors import CarrierError, CarrierProtocolError

SEND_WITHIN_S = 10.0
"""A carrier that does not take a message for this long is lost."""

MOST_WAITING = 4096
"""Messages that may wait for the socket: minutes of audio, as a model sends ahead."""

MOST_FAULTS = 100
"""A stream with more bad messages than this is no telephone."""


class Dialect(Protocol):
    """What a carrier's module offers; the modules of ``carriers`` have exactly these names."""

    def decode(self, text: str) -> Message: ...
    def encode_audio(self, stream_id: str, audio: bytes) -> str: ...
    def encode_mark(self, stream_id: str, name: str) -> str: ...
    def encode_clear(self, stream_id: str) -> str: ...


class CarrierLeg:
    """One media stream after its start."""

    def __init__(self, socket: TextSocket, dialect: Dialect | ModuleType, started: Started) -> None:
        self.started = started
        self.clock_ms = 0
        """The timestamp of the caller's last frame: the call's clock."""
        self.frames = 0
        """How many frames of the caller have come."""
        self._socket, self._dialect = socket, dialect
        self._outbox: Outbox[str] = Outbox(MOST_WAITING)
        self._faults = 0

    async def read(self) -> Message | CarrierProtocolError | None:
        """Wait for the next message; None at the end of the stream.

        A message that the protocol does not allow is returned as the error it is, and the stream
        goes on; too many of them raise it.
        """
        text = await self._socket.receive()
        if text is None:
            return None
        try:
            message: Message = self._dialect.decode(text)
        except CarrierProtocolError as error:
            self._faults += 1
            if self._faults > MOST_FAULTS:
                raise
            return error
        if type(message) is Media:
            self.clock_ms = message.timestamp_ms
            self.frames += 1
        return message

    def send(self, command: do.SendAudio | do.SendMark | do.SendClear) -> None:
        """Queue a command for the socket; raises ``OutboxFull`` when the carrier reads no more."""
        stream_id = self.started.stream_id
        match command:
            case do.SendAudio(audio):
                text = self._dialect.encode_audio(stream_id, audio)
            case do.SendMark(name):
                text = self._dialect.encode_mark(stream_id, name)
            case do.SendClear():
                text = self._dialect.encode_clear(stream_id)
        self._outbox.put(text)

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

    async def close(self) -> None:
        """Close the socket."""
        await self._socket.close()
