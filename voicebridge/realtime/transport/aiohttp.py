"""A second transport, on aiohttp, for programs that live on it anyway."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from ssl import SSLContext
from types import SimpleNamespace
from typing import Final

from aiohttp import (
    ClientConnectionResetError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    ClientWSTimeout,
    InvalidURL,
    NonHttpUrlClientError,
    TraceConfig,
    TraceRequestRedirectParams,
    WSMessage,
    WSMsgType,
    WSServerHandshakeError,
)
from aiohttp.http_websocket import WebSocketError

from voicebridge.realtime.errors import ConnClosed, ConnectError
from voicebridge.realtime.transport.base import MessageType
from voicebridge.realtime.transport.pongs import Pongs
from voicebridge.realtime.transport.refused import refused_handshake
from voicebridge.realtime.transport.under_way import keep_little_under_way

CLOSE_TIMEOUT_S: Final = 2.0
MOST_OF_A_REFUSAL_BYTES: Final = 64 * 1024
_SWITCHING_PROTOCOLS: Final = 101


class AiohttpDialer:
    """Opens websockets by aiohttp, without compression or a limit of size."""

    def __init__(self, *, ssl: SSLContext | None = None, heartbeat_s: float | None = 20.0) -> None:
        self._ssl, self._heartbeat_s = ssl, heartbeat_s

    async def dial(self, url: str, headers: Mapping[str, str]) -> AiohttpConn:
        """Open a websocket; redirects are refused, since the key would go with them."""
        session = _session()
        socket: ClientWebSocketResponse | None = None
        try:
            socket = await session.ws_connect(
                url,
                headers=headers,
                autoping=False,
                compress=0,
                heartbeat=self._heartbeat_s,
                max_msg_size=0,
                ssl=self._ssl or True,
                timeout=ClientWSTimeout(ws_close=CLOSE_TIMEOUT_S),
            )
        except WSServerHandshakeError as error:
            raise ConnectError(f"not a websocket server: {error.message}") from error
        except (InvalidURL, NonHttpUrlClientError, ValueError) as error:
            raise ConnectError(f"not a websocket address: {error}") from error
        except (ClientError, OSError) as error:
            raise ConnectError(f"no connection: {error}") from error
        finally:
            if socket is None:
                await session.close()
        keep_little_under_way(socket.get_extra_info("socket"))
        return AiohttpConn(session, socket)


def _session() -> ClientSession:
    trace = TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    return ClientSession(
        trace_configs=[trace],
        raise_for_status=_refuse,
        timeout=ClientTimeout(total=None, sock_connect=None),
    )


async def _refuse_redirect(
    session: ClientSession, context: SimpleNamespace, params: TraceRequestRedirectParams
) -> None:
    reply = params.response
    raise refused_handshake(reply.status, dict(reply.headers), b"")


async def _refuse(reply: ClientResponse) -> None:
    """Tell a refusal by its words, which the library throws away."""
    if reply.status != _SWITCHING_PROTOCOLS:
        body = await reply.content.read(MOST_OF_A_REFUSAL_BYTES)
        raise refused_handshake(reply.status, dict(reply.headers), body)


class AiohttpConn:
    """A websocket of aiohttp.

    Pings of the server are answered, and pongs are seen, while somebody reads.
    """

    def __init__(self, session: ClientSession, socket: ClientWebSocketResponse) -> None:
        self._session, self._socket = session, socket
        self._pongs = Pongs()
        connection = socket._response.connection
        self._transport = None if connection is None else connection.transport
        self._ended: ConnClosed | None = None

    @property
    def response_headers(self) -> Mapping[str, str]:
        """The headers of the handshake's reply."""
        return dict(self._socket._response.headers)

    async def read_message(self) -> tuple[MessageType, str | bytes]:
        """Wait for the next message."""
        while self._ended is None:
            message = await self._socket.receive()
            match message.type:
                case WSMsgType.TEXT:
                    return MessageType.TEXT, message.data
                case WSMsgType.BINARY:
                    return MessageType.BINARY, message.data
                case WSMsgType.PING:
                    await self._pong(message.data)
                case WSMsgType.PONG:
                    self._pongs.seen(bytes(message.data))
                case _:
                    self._end(message)
        raise self._ended

    async def write_message(self, kind: MessageType, data: str | bytes) -> None:
        """Send a message."""
        payload = data.encode() if isinstance(data, str) else data
        opcode = WSMsgType.TEXT if kind is MessageType.TEXT else WSMsgType.BINARY
        await self._send(payload, opcode)

    async def ping(self) -> None:
        """Send a ping and wait for its pong, which only a reader sees."""
        with self._pongs.awaited() as (payload, pong):
            await self._send(payload, WSMsgType.PING)
            await pong

    async def close(self) -> None:
        """Close with code 1000, waiting for the other side no longer than the close timeout."""
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._socket.close()
        except TimeoutError:
            pass
        finally:
            transport = self._transport
            if transport is not None and transport.get_write_buffer_size():
                transport.abort()  # it does not read: what is not written yet never will be
            await self._session.close()

    async def _send(self, payload: bytes, opcode: WSMsgType) -> None:
        if self._ended is not None:
            raise self._ended
        try:
            await self._socket.send_frame(payload, opcode)
        except (ClientConnectionResetError, ConnectionError) as error:
            raise self._ended or ConnClosed(None, str(error)) from error

    async def _pong(self, payload: bytes) -> None:
        try:
            await self._socket.pong(payload)
        except ConnectionError as error:
            self._ended = ConnClosed(None, str(error))

    def _end(self, message: WSMessage) -> None:
        if message.type is WSMsgType.CLOSE:
            self._ended = ConnClosed(message.data, message.extra or "")
        elif message.type is WSMsgType.CLOSING:
            self._ended = ConnClosed(1000, by_us=True)
        elif isinstance(message.data, WebSocketError):  # what the server sent breaks the protocol
            self._ended = ConnClosed(message.data.code, str(message.data))
        else:
            reason = str(message.data or "lost without a closing handshake")
            self._ended = ConnClosed(None, reason)
        self._pongs.end(self._ended)
