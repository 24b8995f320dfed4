"""A transport on the ``picows`` package: the one that costs least."""

from __future__ import annotations

import asyncio
import ssl as tls
from collections import deque
from collections.abc import Callable, Mapping
from itertools import count
from ssl import SSLContext
from typing import Final

from picows import (
    WSCloseCode,
    WSError,
    WSFrame,
    WSHandshakeError,
    WSInvalidStatusError,
    WSInvalidURL,
    WSListener,
    WSMsgType,
    WSTransport,
    ws_connect,
)

from voicebridge.realtime.errors import ConnClosed, ConnectError
from voicebridge.realtime.transport.base import MessageType
from voicebridge.realtime.transport.refused import refused_handshake

CLOSE_TIMEOUT_S: Final = 2.0
LARGEST_MESSAGE_BYTES: Final = 64 * 2**20
FIRST_BUFFER_BYTES: Final = 4096
"""What a connection begins with to read into; it grows with the messages."""

MOST_UNREAD: Final = 512
"""Messages that wait to be read before the socket is left alone until there are none."""

Take = Callable[[list[tuple[MessageType, str | bytes]]], None]
_KINDS: Final = {WSMsgType.TEXT: MessageType.TEXT, WSMsgType.BINARY: MessageType.BINARY}


class PicowsDialer:
    """Opens websockets by picows, without compression."""

    def __init__(self, *, ssl: SSLContext | None = None, ping_after_s: float | None = 20.0) -> None:
        """Say how to check the server, and after what silence to ask if it is still there."""
        self._ssl, self._ping_after_s = ssl, ping_after_s

    async def dial(self, url: str, headers: Mapping[str, str]) -> PicowsConn:
        """Open a websocket; redirects are refused, since the key would go with them."""
        context = self._ssl
        if context is None and url.startswith("wss:"):
            context = _default_context()
        try:
            _, conn = await ws_connect(
                PicowsConn,
                url,
                ssl_context=context,
                extra_headers=dict(headers),
                websocket_handshake_timeout=None,
                max_redirects=0,
                max_frame_size=LARGEST_MESSAGE_BYTES,
                read_buffer_init_size=FIRST_BUFFER_BYTES,
                enable_auto_ping=self._ping_after_s is not None,
                auto_ping_idle_timeout=self._ping_after_s or 0,
                auto_ping_reply_timeout=self._ping_after_s or 0,
            )
        except WSInvalidStatusError as error:
            reply = error.response
            if reply is None:
                raise ConnectError(f"not a websocket server: {error}") from error
            raise refused_handshake(
                int(reply.status), dict(reply.headers), error.raw_body or b""
            ) from error
        except (WSInvalidURL, ValueError) as error:
            raise ConnectError(f"not a websocket address: {error}") from error
        except (WSHandshakeError, WSError) as error:
            raise ConnectError(f"not a websocket server: {error}") from error
        except OSError as error:
            raise ConnectError(f"no connection: {error}") from error
        if not isinstance(conn, PicowsConn):
            raise ConnectError("picows gave back another listener than it was given")
        return conn


_contexts: Final[list[SSLContext]] = []


def _default_context() -> SSLContext:
    """Make the usual context once: reading all the world's certificates takes tens of ms."""
    if not _contexts:
        _contexts.append(tls.create_default_context())
    return _contexts[0]


class PicowsConn(WSListener):
    """A websocket of picows: messages wait in a bounded line, then the socket is not read."""

    def __init__(self) -> None:
        self._transport: WSTransport | None = None
        self._send: Callable[[WSMsgType, bytes], None] | None = None
        """How to send at once; None while there is no room, and after the end."""
        self._unread: deque[tuple[MessageType, str | bytes]] = deque()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._ended: ConnClosed | None = None
        self._parts: list[bytes] = []
        self._kind = MessageType.TEXT
        self._numbers = count(1)
        self._pongs: dict[bytes, asyncio.Future[None]] = {}
        self._take: Take | None = None
        self._held = self._ours = False

    # --- picows' side -------------------------------------------------------------------------

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Keep the transport."""
        self._transport, self._send = transport, transport.send

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take a frame."""
        kind = frame.msg_type
        if kind is WSMsgType.TEXT and frame.fin:
            self._arrived(MessageType.TEXT, frame.get_payload_as_utf8_text())
        elif kind is WSMsgType.PONG:
            pong = self._pongs.get(frame.get_payload_as_bytes())
            if pong is not None and not pong.done():
                pong.set_result(None)
        elif kind is WSMsgType.CLOSE:
            code = frame.get_close_code()
            transport.send_close(WSCloseCode.OK if code is WSCloseCode.NO_INFO else code)
            transport.disconnect()
        elif kind in (WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION):
            self._kind = _KINDS.get(kind, self._kind)
            self._parts.append(frame.get_payload_as_bytes())
            if frame.fin:
                whole, self._parts = b"".join(self._parts), []
                text = self._kind is MessageType.TEXT
                self._arrived(self._kind, whole.decode() if text else whole)
        if self._take is not None and self._unread and frame.last_in_buffer:
            self._hand_over()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Take note of the end."""
        handshake = transport.close_handshake
        told = handshake and (handshake.recv or handshake.sent)
        if told:
            self._ended = ConnClosed(int(told.code.value), told.reason or "", by_us=self._ours)
        else:
            self._ended = ConnClosed(None, "lost without a closing handshake")
        self._send = None
        self._changed.set()
        self._room.set()
        for pong in self._pongs.values():
            if not pong.done():
                pong.set_exception(self._ended)

    def pause_writing(self) -> None:
        """Take note that the server does not keep up."""
        self._send = None
        self._room.clear()

    def resume_writing(self) -> None:
        """Take note that it has caught up."""
        if self._transport is not None and self._ended is None:
            self._send = self._transport.send
        self._room.set()

    # --- ours ---------------------------------------------------------------------------------

    @property
    def response_headers(self) -> Mapping[str, str]:
        """The headers of the handshake's reply."""
        return {} if self._transport is None else dict(self._transport.response.headers)

    async def read_message(self) -> tuple[MessageType, str | bytes]:
        """Wait for the next message."""
        while not self._unread:
            if self._ended is not None:
                raise self._ended
            if self._held and self._transport is not None:
                self._held = False
                self._transport.underlying_transport.resume_reading()
            self._changed.clear()
            await self._changed.wait()
        return self._unread.popleft()

    async def listen(self, take: Take) -> None:
        """Hand over messages as they are read; see ``QuickConn``."""
        self._take = take
        try:
            self._hand_over()
            while self._ended is None:
                self._changed.clear()
                await self._changed.wait()
            self._hand_over()
        finally:
            self._take = None
        raise self._ended

    def post(self, text: bytes) -> bool:
        """Send a text message at once, if there is room."""
        if self._send is None:
            return False
        self._send(WSMsgType.TEXT, text)
        return True

    async def write_message(self, kind: MessageType, data: str | bytes) -> None:
        """Send a message, when there is room for it."""
        await self._room.wait()
        if self._ended is not None or self._transport is None:
            raise self._ended or ConnClosed(None, "not connected")
        payload = data.encode() if isinstance(data, str) else data
        wire = WSMsgType.TEXT if kind is MessageType.TEXT else WSMsgType.BINARY
        self._transport.send(wire, payload)

    async def ping(self) -> None:
        """Send a ping and wait for its pong, which needs no reader."""
        if self._ended is not None or self._transport is None:
            raise self._ended or ConnClosed(None, "not connected")
        payload = b"vb%d" % next(self._numbers)
        pong = self._pongs[payload] = asyncio.get_running_loop().create_future()
        try:
            self._transport.send_ping(payload)
            await pong
        finally:
            del self._pongs[payload]

    async def close(self) -> None:
        """Close with code 1000, waiting for the other side no longer than the close timeout."""
        transport = self._transport
        if transport is None or self._ended is not None:
            return
        self._send, self._ours = None, True
        transport.send_close(WSCloseCode.OK)
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await transport.wait_disconnected()
        except TimeoutError:
            transport.disconnect(graceful=False)

    def _hand_over(self) -> None:
        unread = list(self._unread)
        self._unread.clear()
        if self._held and self._transport is not None and self._ended is None:
            self._held = False
            self._transport.underlying_transport.resume_reading()
        if unread and self._take is not None:
            self._take(unread)

    def _arrived(self, kind: MessageType, data: str | bytes) -> None:
        self._unread.append((kind, data))
        if self._take is not None:
            return
        self._changed.set()
        if len(self._unread) >= MOST_UNREAD and not self._held and self._transport is not None:
            self._held = True
            self._transport.underlying_transport.pause_reading()
