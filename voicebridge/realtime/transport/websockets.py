"""The default transport, on the ``websockets`` package."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.protocol import State

from voicebridge.realtime.errors import ConnClosed, ConnectError
from voicebridge.realtime.transport.base import MessageType
from voicebridge.realtime.transport.refused import refused_handshake
from voicebridge.realtime.transport.under_way import keep_little_under_way

# At DEBUG the library logs the handshake's headers, and with them the key.
_LOGGER: Final = logging.getLogger("voicebridge.realtime.websockets")
_LOGGER.setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class WebsocketsOptions:
    """How the default transport behaves; None switches a limit or a check off.

    ``read_limit_bytes`` is the largest message; ``ping_interval_s`` and ``ping_timeout_s`` are
    those of the keepalive that finds a dead connection.
    """

    read_limit_bytes: int | None = None
    ping_interval_s: float | None = 20.0
    ping_timeout_s: float | None = 20.0
    close_timeout_s: float = 2.0
    proxy: str | None = None
    ssl: SSLContext | None = None


class WebsocketsDialer:
    """Opens websockets by the ``websockets`` package, without compression."""

    def __init__(self, options: WebsocketsOptions | None = None) -> None:
        self._options = options or WebsocketsOptions()

    async def dial(self, url: str, headers: Mapping[str, str]) -> WebsocketsConn:
        """Open a websocket; redirects are refused, since the key would go with them."""
        options = self._options
        # The library takes ssl=None for "no TLS, whatever the scheme", so it is left out.
        tls: dict[str, Any] = {} if options.ssl is None else {"ssl": options.ssl}
        try:
            connection = await _NoRedirects(
                url,
                additional_headers=dict(headers),
                compression=None,
                max_size=options.read_limit_bytes,
                open_timeout=None,
                ping_interval=options.ping_interval_s,
                ping_timeout=options.ping_timeout_s,
                close_timeout=options.close_timeout_s,
                proxy=options.proxy,
                logger=_LOGGER,
                **tls,
            )
        except InvalidStatus as error:
            reply = error.response
            headers_ = dict(reply.headers.raw_items())
            raise refused_handshake(
                reply.status_code, headers_, bytes(reply.body or b"")
            ) from error
        except InvalidURI as error:
            raise ConnectError(f"not a websocket address: {error}") from error
        except (InvalidHandshake, WebSocketException) as error:
            raise ConnectError(f"not a websocket server: {error}") from error
        except OSError as error:
            raise ConnectError(f"no connection: {error}") from error
        keep_little_under_way(connection.transport.get_extra_info("socket"))
        return WebsocketsConn(connection, options.close_timeout_s)


class _NoRedirects(connect):
    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class WebsocketsConn:
    """A websocket of the ``websockets`` package."""

    def __init__(self, connection: ClientConnection, close_timeout_s: float = 2.0) -> None:
        self._connection, self._close_timeout_s = connection, close_timeout_s

    @property
    def response_headers(self) -> Mapping[str, str]:
        """The headers of the handshake's reply."""
        response = self._connection.response
        return {} if response is None else dict(response.headers.raw_items())

    async def read_message(self) -> tuple[MessageType, str | bytes]:
        """Wait for the next message."""
        try:
            data = await self._connection.recv()
        except ConnectionClosed as error:
            raise _closed(error) from error
        return (MessageType.TEXT if isinstance(data, str) else MessageType.BINARY), data

    async def write_message(self, kind: MessageType, data: str | bytes) -> None:
        """Send a message."""
        try:
            await self._connection.send(data, text=kind is MessageType.TEXT)
        except ConnectionClosed as error:
            raise _closed(error) from error

    async def ping(self) -> None:
        """Send a ping and wait for its pong, which needs no reader."""
        try:
            await (await self._connection.ping())
        except ConnectionClosed as error:
            raise _closed(error) from error

    async def close(self) -> None:
        """Close with code 1000, waiting for the other side no longer than the close timeout."""
        try:
            async with asyncio.timeout(self._close_timeout_s):
                await self._connection.close()
        except TimeoutError:
            pass
        finally:
            # The library gives up a server that does not answer, but not one that does not read.
            if self._connection.state is not State.CLOSED:
                self._connection.transport.abort()


def _closed(error: ConnectionClosed) -> ConnClosed:
    # What the library itself closed, for an unanswered ping or a message too large, was not
    # closed by us in the sense of ``by_us``: nobody asked for it.
    close = error.rcvd or error.sent
    if close is None:
        return ConnClosed(None, "lost without a closing handshake")
    return ConnClosed(close.code, close.reason)
