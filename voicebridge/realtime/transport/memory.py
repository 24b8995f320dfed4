"""A websocket without a network: two ends of a pair, for tests of whatever uses a ``Conn``."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from voicebridge.realtime.errors import ConnClosed
from voicebridge.realtime.transport.base import MessageType

DEFAULT_CAPACITY: Final = 1024
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class MemoryTransport:
    """One end of a pair; a write waits while the other end has not read ``capacity`` messages."""

    def __init__(self, capacity: int = DEFAULT_CAPACITY) -> None:
        self._capacity = capacity
        self._inbox: deque[tuple[MessageType, str | bytes]] = deque()
        self._changed = asyncio.Event()
        self._drained = asyncio.Event()
        self._other: MemoryTransport = self
        self._closed: ConnClosed | None = None

    @classmethod
    def pair(cls, capacity: int = DEFAULT_CAPACITY) -> tuple[MemoryTransport, MemoryTransport]:
        """Make two connected ends."""
        left, right = cls(capacity), cls(capacity)
        left._other, right._other = right, left
        return left, right

    @property
    def response_headers(self) -> Mapping[str, str]:
        """No headers: there was no handshake."""
        return _NO_HEADERS

    async def read_message(self) -> tuple[MessageType, str | bytes]:
        """Wait for the next message; those sent before a close still come."""
        while not self._inbox:
            if self._closed is not None:
                raise self._closed
            self._changed.clear()
            await self._changed.wait()
        message = self._inbox.popleft()
        self._drained.set()
        return message

    async def write_message(self, kind: MessageType, data: str | bytes) -> None:
        """Send a message to the other end."""
        other = self._other
        while len(other._inbox) >= other._capacity and self._closed is None:
            other._drained.clear()
            await other._drained.wait()
        if self._closed is not None:
            raise self._closed
        if kind is MessageType.TEXT and isinstance(data, bytes):
            data = data.decode()
        other._inbox.append((kind, data))
        other._changed.set()

    async def ping(self) -> None:
        """Answer at once while the pair is open."""
        if self._closed is not None:
            raise self._closed

    async def close(self) -> None:
        """Close with code 1000."""
        self.close_with(1000, "")

    def close_with(self, code: int | None, reason: str) -> None:
        """Close as a server may; None stands for a lost connection."""
        if self._closed is None:
            self._end(ConnClosed(code, reason, by_us=True))
            self._other._end(ConnClosed(code, reason))

    def _end(self, closed: ConnClosed) -> None:
        self._closed = closed
        self._changed.set()
        self._drained.set()
        self._other._drained.set()


class MemoryDialer:
    """Hands out one end of a pair, and remembers what it was asked for."""

    def __init__(self, conn: MemoryTransport) -> None:
        self._conn = conn
        self.url = ""
        self.headers: Mapping[str, str] = _NO_HEADERS

    async def dial(self, url: str, headers: Mapping[str, str]) -> MemoryTransport:
        """Give the end."""
        self.url, self.headers = url, headers
        return self._conn
