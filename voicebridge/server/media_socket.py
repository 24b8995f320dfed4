"""The media websocket after its handshake: on the server's connection, without the server's stack.

aiohttp accepts, routes and checks; then this takes over the connection. Messages are handed on as
they are read, and written as they are made, with no task and no queue in between.
"""

from __future__ import annotations

import asyncio
import base64
from collections import deque
from collections.abc import Callable
from hashlib import sha1

from aiohttp import WSCloseCode, hdrs, web
from aiohttp.abc import AbstractStreamWriter

from voicebridge.errors import CarrierError, CarrierProtocolError
from voicebridge.server.frames import (
    BINARY,
    CLOSE,
    NOT_TEXT,
    PING,
    PONG,
    TEXT,
    FrameReader,
    frame,
)

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
CLOSE_WITHIN_S = 2.0
MOST_UNREAD = 256
"""Messages that may wait before somebody listens; more, and the connection is not read."""

Take = Callable[[str], None]


class Upgraded(web.StreamResponse):
    """An answer of 101, after which the connection belongs to ``socket``."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(status=101)
        self.socket = MediaSocket(most_bytes)
        self._taken = False

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Answer the handshake and take the connection over; only once."""
        if self._taken:
            return None
        self._taken = True
        self.force_close()
        transport = request.transport
        if transport is None:
            raise CarrierError("the connection was lost before its handshake was answered")
        key = request.headers.get(hdrs.SEC_WEBSOCKET_KEY, "").encode()
        proof = base64.b64encode(sha1(key + _GUID, usedforsecurity=False).digest()).decode()
        transport.write(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {proof}\r\n\r\n".encode()
        )
        self.socket.take_over(transport)
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing: the connection is no longer the server's."""


class MediaSocket(asyncio.Protocol):
    """A ``PushSocket`` on a connection that the server has handed over."""

    __slots__ = (
        "_changed",
        "_closing",
        "_crowd",
        "_ended",
        "_fault",
        "_only_text",
        "_reader",
        "_room",
        "_server",
        "_take",
        "_transport",
        "_unread",
    )

    def __init__(self, most_bytes: int) -> None:
        self._reader = FrameReader(most_bytes)
        self._only_text = self._reader.only_text
        self._server: asyncio.BaseProtocol | None = None
        self._transport: asyncio.Transport | None = None
        self._unread: deque[str] = deque()
        self._take: Take | None = None
        self._crowd: Callable[[bool], None] | None = None
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._fault: CarrierProtocolError | None = None
        self._ended = self._closing = False

    def take_over(self, transport: asyncio.Transport) -> None:
        """Be the protocol of a connection; its former one still learns of its end."""
        self._server, self._transport = transport.get_protocol(), transport
        transport.set_protocol(self)

    # --- what comes in ------------------------------------------------------------------------

    async def receive(self) -> str | None:
        """Wait for the next message; see ``TextSocket``."""
        while not self._unread:
            if self._fault is not None:
                raise self._fault
            if self._ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        text = self._unread.popleft()
        if not self._unread and self._transport is not None and not self._ended:
            self._transport.resume_reading()
        return text

    async def listen(self, take: Take, crowd: Callable[[bool], None]) -> None:
        """Hand over every message as it comes, until the end; see ``PushSocket``."""
        crowd(True)
        while self._unread:
            take(self._unread.popleft())
        crowd(False)
        self._take, self._crowd = take, crowd
        try:
            if self._transport is not None and not self._ended:
                self._transport.resume_reading()
            while not self._ended and self._fault is None:
                self._changed.clear()
                await self._changed.wait()
        finally:
            self._take = self._crowd = None
        if self._fault is not None:
            raise self._fault

    def data_received(self, data: bytes) -> None:
        """Take what the carrier sent."""
        if self._ended or self._fault is not None:
            return
        try:
            if (only := self._only_text(data)) is not None:
                (self._take or self._keep)(only.decode())
                return
            self._take_all(self._reader.feed(data))
        except UnicodeDecodeError:
            self._fail("a text message that is not UTF-8", NOT_TEXT)
        if (fault := self._reader.fault) is not None and self._fault is None:
            self._fail(str(fault), fault.code)

    def connection_lost(self, error: Exception | None) -> None:
        """Take note of the end."""
        self._ended = True
        self._changed.set()
        self._room.set()
        if self._server is not None:
            self._server.connection_lost(error)

    # --- what goes out ------------------------------------------------------------------------

    def post(self, texts: list[str]) -> bool:
        """Write messages at once, together; see ``PushSocket``."""
        if self._transport is None or self._ended or self._closing or not self._room.is_set():
            return False
        if len(texts) == 1:
            self._transport.write(frame(TEXT, texts[0].encode()))
        else:
            self._transport.write(b"".join([frame(TEXT, text.encode()) for text in texts]))
        return True

    async def send(self, text: str) -> None:
        """Send a message, when there is room for it; see ``TextSocket``."""
        await self._room.wait()
        if not self.post([text]):
            raise CarrierError("the media socket is gone")

    def pause_writing(self) -> None:
        """Take note that the carrier does not keep up."""
        self._room.clear()

    def resume_writing(self) -> None:
        """Take note that it has caught up."""
        self._room.set()

    async def close(self, code: int = WSCloseCode.OK, within_s: float = CLOSE_WITHIN_S) -> None:
        """Say that it is over, and wait a little for the carrier to say so too."""
        transport = self._transport
        if transport is None or self._ended:
            return
        self._say_closed(code)
        if self._fault is not None:
            transport.close()
        try:
            async with asyncio.timeout(within_s):
                while not self._ended:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            transport.abort()

    # --- inside -------------------------------------------------------------------------------

    def _take_all(self, messages: list[tuple[int, bytes]]) -> None:
        crowd = self._crowd if len(messages) > 1 else None
        if crowd is not None:
            crowd(True)
        try:
            for opcode, body in messages:
                if opcode == TEXT:
                    (self._take or self._keep)(body.decode())
                else:
                    self._control(opcode, body)
        finally:
            if crowd is not None:
                crowd(False)

    def _keep(self, text: str) -> None:
        self._unread.append(text)
        self._changed.set()
        if len(self._unread) >= MOST_UNREAD and self._transport is not None:
            self._transport.pause_reading()

    def _control(self, opcode: int, body: bytes) -> None:
        transport = self._transport
        if opcode == BINARY:
            self._fail("a binary message; media streams are text")
        elif opcode == PING and transport is not None and not self._closing:
            transport.write(frame(PONG, body))
        elif opcode == CLOSE and transport is not None:
            self._say_closed(WSCloseCode.OK)
            transport.close()

    def _say_closed(self, code: int) -> None:
        if self._transport is not None and not self._closing:
            self._closing = True
            self._transport.write(frame(CLOSE, code.to_bytes(2, "big")))

    def _fail(self, why: str, code: int | None = None) -> None:
        self._fault = CarrierProtocolError(why)
        self._changed.set()
        if code is not None:
            self._say_closed(code)
