"""A second transport, on aiohttp, for programs that live on it anyway."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from itertools import count
from ssl import SSLContext
from types import SimpleNamespace
from typing import Final

from aiohttp import (
    ClientConnectionResetError,
    ClientError,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    ClientWSTimeout,
    InvalidURL,
    TraceConfig,
    TraceRequestRedirectParams,
    WSMessage,
    WSMsgType,
    WSServerHandshakeError,
)

from voicebridge.realtime.errors import ConnClosed, ConnectError
from voicebridge.realtime.transport.base import MessageType
from voicebridge.realtime.transport.refused import refused_handshake

CLOSE_TIMEOUT_S: Final = 2.0


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
            raise refused_handshake(error.status, dict(error.headers or {}), b"") from error
        except (InvalidURL, ValueError) as error:
            raise ConnectError(f"not a websocket address: {error}") from error
        except (ClientError, OSError) as error:
            raise ConnectError(f"no connection: {error}") from error
        finally:
            if socket is None:
                await session.close()
        return AiohttpConn(session, socket)


def _session() -> ClientSession:
    trace = TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    return ClientSession(
        trace_configs=[trace], timeout=ClientTimeout(total=None, sock_connect=None)
    )


async def _refuse_redirect(
    session: ClientSession, context: SimpleNamespace, params: TraceRequestRedirectParams
) -> None:
    reply = params.response
    raise refused_handshake(reply.status, dict(reply.headers), b"")


class AiohttpConn:
    """A websocket of aiohttp.

    Pings of the server are answered, and pongs are seen, while somebody reads.
    """

    def __init__(self, session: ClientSession, socket: ClientWebSocketResponse) -> None:
        self._session, self._socket = session, socket
        self._numbers = count(1)
        self._pongs: dict[bytes, asyncio.Future[None]] = {}
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
                    self._seen(bytes(message.data))
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
        payload = str(next(self._numbers)).encode()
        pong = self._pongs[payload] = asyncio.get_running_loop().create_future()
        try:
            await self._send(payload, WSMsgType.PING)
            await pong
        finally:
            del self._pongs[payload]

    async def close(self) -> None:
        """Close with code 1000, waiting for the other side no longer than the close timeout."""
        try:
            await self._socket.close()
        finally:
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

    def _seen(self, payload: bytes) -> None:
        pong = self._pongs.get(payload)
        if pong is not None and not pong.done():
            pong.set_result(None)

    def _end(self, message: WSMessage) -> None:
        if message.type is WSMsgType.CLOSE:
            self._ended = ConnClosed(message.data, message.extra or "")
        elif message.type is WSMsgType.CLOSING:
            self._ended = ConnClosed(1000, by_us=True)
        else:
            reason = str(message.data or "lost without a closing handshake")
            self._ended = ConnClosed(None, reason)
        for pong in self._pongs.values():
            if not pong.done():
                pong.set_exception(self._ended)
