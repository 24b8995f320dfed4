"""What waits to be written to the client: events in order, as text, one writer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from voicebridge.errors import VoicebridgeError

LONGEST_QUEUE = 8_192
ROOM_QUEUE = 256
SEND_DEADLINE_S = 10.0

Written = Callable[[float], None]


class ClientTooSlowError(VoicebridgeError):
    """The client does not read what it asked for."""


class Encoder(Protocol):
    """A dialect's way to write the server's events."""

    def encode(self, event: dict[str, Any]) -> dict[str, Any] | None:
        """Write a GA event in this dialect; None when the dialect has no such event."""


class Outbox:
    """Queue events for one client. ``inject`` are raw texts that follow the first such event."""

    def __init__(self, encoder: Encoder, inject_after: str, inject: tuple[str, ...]) -> None:
        self._encoder, self._inject_after, self._inject = encoder, inject_after, inject
        self._queue = asyncio.Queue[tuple[str, Written | None]](LONGEST_QUEUE)
        self._numbered = 0
        self._roomy = asyncio.Event()
        self._roomy.set()

    def emit(self, event: dict[str, Any], written: Written | None = None) -> None:
        """Queue a GA event; ``written`` is told the moment it went to the socket.

        Raises ClientTooSlowError when the client has stopped reading.
        """
        wire = self._encoder.encode(event)
        if wire is None:
            return
        self._numbered += 1
        wire = {"type": wire["type"], "event_id": f"event_{self._numbered:08x}", **wire}
        self._put(json.dumps(wire, separators=(",", ":")), written)
        if self._inject and wire["type"] == self._inject_after:
            for text in self._inject:
                self._put(text, None)
            self._inject = ()

    def _put(self, text: str, written: Written | None) -> None:
        try:
            self._queue.put_nowait((text, written))
        except asyncio.QueueFull:
            raise ClientTooSlowError("the client does not read its events") from None
        if self._queue.qsize() >= ROOM_QUEUE:
            self._roomy.clear()

    async def room(self) -> None:
        """Wait until the client has read most of what is queued; at most the send deadline."""
        if not self._roomy.is_set():
            with suppress(TimeoutError):  # the writer gives up on such a client by itself
                async with asyncio.timeout(SEND_DEADLINE_S):
                    await self._roomy.wait()

    async def write_to(self, socket: ServerConnection) -> None:
        """Write until the connection is closed or the client stops reading."""
        while True:
            text, written = await self._queue.get()
            try:
                async with asyncio.timeout(SEND_DEADLINE_S):
                    await socket.send(text)
            except (ConnectionClosed, TimeoutError):
                socket.transport.abort()
                return
            if written is not None:
                written(time.monotonic())
            if self._queue.qsize() < ROOM_QUEUE:
                self._roomy.set()
