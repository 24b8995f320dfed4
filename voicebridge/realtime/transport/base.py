"""What a transport must do. Implementations translate the errors of their library here.

Deadlines are the caller's business: every method may be cancelled. Cancelling a read must not lose
a message; cancelling a write leaves open whether it was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Literal, Protocol, TypeAlias, runtime_checkable

TransportName: TypeAlias = Literal["auto", "websockets", "aiohttp", "picows"]


class MessageType(IntEnum):
    """The kind of a websocket message."""

    TEXT = 1
    BINARY = 2


class WebSocketConn(Protocol):
    """An open websocket."""

    @property
    def response_headers(self) -> Mapping[str, str]:
        """The headers of the handshake's reply."""

    async def read_message(self) -> tuple[MessageType, str | bytes]:
        """Wait for the next message, text as ``str`` and binary as ``bytes``.

        Raises ``ConnClosed`` when there will be none.
        """

    async def write_message(self, kind: MessageType, data: str | bytes) -> None:
        """Send a message; text may be given as its UTF-8 bytes.

        Raises ``ConnClosed`` when the connection is over.
        """

    async def ping(self) -> None:
        """Send a ping and wait for its pong. Raises ``ConnClosed``."""

    async def close(self) -> None:
        """Close with the normal code; again and again without harm."""


@runtime_checkable
class QuickConn(Protocol):
    """What a ``WebSocketConn`` may offer besides: sending and reading without a task's wait."""

    async def listen(self, take: Callable[[list[tuple[MessageType, str | bytes]]], None]) -> None:
        """Hand over messages as they are read, in order; those that came together, together.

        ``take`` must not raise. Raises ``ConnClosed`` when there will be no more.
        """

    def hold(self, held: bool) -> None:
        """Leave what comes in the socket until told otherwise; what was read is still handed on."""

    def post(self, text: bytes) -> bool:
        """Send a text message at once; False, and nothing sent, if there is no room or no end."""


class WebSocketDialer(Protocol):
    """Opens websockets."""

    async def dial(self, url: str, headers: Mapping[str, str]) -> WebSocketConn:
        """Open a websocket. Raises ``ConnectError``."""
