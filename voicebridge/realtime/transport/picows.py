"""A transport on the ``picows`` package: the one that costs least."""

from __future__ import annotations

import asyncio
import logging
import ssl as tls
from collections import deque
from collections.abc import Callable, Mapping
from ssl import SSLContext
from typing import Final

from picows import (
    WSCloseCode,
    WSError,
    WSHandshakeError,
    WSInvalidStatusError,
    WSInvalidURL,
    WSMsgType,
    WSTransport,
    ws_connect,
)

from voicebridge.realtime.errors import ConnClosed, ConnectError
from voicebridge.realtime.transport.base import MessageType
from voicebridge.realtime.transport.picows_frames import (
    CLOSE_TIMEOUT_S,
    LARGEST_MESSAGE_BYTES,
    FrameListener,
)
from voicebridge.realtime.transport.refused import refused_handshake

HANDSHAKE_TIMEOUT_S: Final = 120.0
"""When a dial that nobody waits for any more is given up; who dials has a deadline of his own."""

FIRST_BUFFER_BYTES: Final = 4096
"""What a connection begins with to read into; it grows with the messages."""

MOST_UNREAD: Final = 512
MOST_UNREAD_BYTES: Final = 2**20
"""Messages, or bytes, that wait to be read before the socket is left alone until there are none."""

NO_CODE: Final = 1005
KEEPALIVE_FAILED: Final = 1011

# Below DEBUG the library logs the handshake's headers, and with them the key.
_LOGGER: Final = logging.getLogger("voicebridge.realtime.picows")
_LOGGER.setLevel(logging.WARNING)

Message = tuple[MessageType, str | bytes]
Take = Callable[[list[Message]], None]


class PicowsDialer:
    """Opens websockets by picows, without compression."""

    def __init__(self, *, ssl: SSLContext | None = None, ping_after_s: float | None = 20.0) -> None:
        """Say how to check the server, and after what silence to ask if it is still there."""
        self._ssl, self._ping_after_s = ssl, ping_after_s

    async def dial(self, url: str, headers: Mapping[str, str]) -> PicowsConn:
        """Open a websocket; redirects are refused, since the key would go with them."""
        context = self._ssl
        if context is None and url.startswith("wss:"):
            context = await _default_context()
        conn, opened = PicowsConn(), False
        try:
            await ws_connect(
                lambda: conn,
                url,
                ssl_context=context,
                extra_headers=dict(headers),
                websocket_handshake_timeout=HANDSHAKE_TIMEOUT_S,
                max_redirects=0,
                max_frame_size=LARGEST_MESSAGE_BYTES,
                read_buffer_init_size=FIRST_BUFFER_BYTES,
                logger_name=_LOGGER,
                enable_auto_pong=False,
                enable_auto_ping=self._ping_after_s is not None,
                auto_ping_idle_timeout=self._ping_after_s or 0,
                auto_ping_reply_timeout=self._ping_after_s or 0,
            )
            opened = conn.opened
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
        finally:
            if not opened:
                conn.abandon()
        if not opened:
            raise ConnectError("not a websocket server: it closed in the middle of the handshake")
        return conn


_contexts: Final[list[SSLContext]] = []


async def _default_context() -> SSLContext:
    """Make the usual context once: reading all the world's certificates takes tens of ms."""
    if not _contexts:
        _contexts.append(await asyncio.to_thread(tls.create_default_context))
    return _contexts[0]


class PicowsConn(FrameListener):
    """A websocket of picows: messages wait in a bounded line, then the socket is not read."""

    def __init__(self) -> None:
        super().__init__()
        self._unread: deque[Message] = deque()
        self._unread_bytes = 0
        self._changed = asyncio.Event()
        self._take: Take | None = None
        self._ended: ConnClosed | None = None
        self._aftermath: asyncio.Future[tuple[BaseException | None]] | None = None
        self._held = self._paused = self._ours = False

    @property
    def response_headers(self) -> Mapping[str, str]:
        """The headers of the handshake's reply."""
        return dict(self._headers)

    async def read_message(self) -> Message:
        """Wait for the next message."""
        while not self._unread:
            if self._ended is not None:
                raise _again(self._ended)
            self._steer()
            self._changed.clear()
            await self._changed.wait()
        message = self._unread.popleft()
        self._unread_bytes -= len(message[1])
        return message

    async def listen(self, take: Take) -> None:
        """Hand over messages as they are read; see ``QuickConn``."""
        self._take = take
        try:
            self.all_arrived()
            while self._ended is None:
                self._changed.clear()
                await self._changed.wait()
            self.all_arrived()
        finally:
            self._take = None
        raise _again(self._ended)

    def hold(self, held: bool) -> None:
        """Leave what comes in the socket, or read it again; see ``QuickConn``."""
        self._held = held
        self._steer()

    def post(self, text: bytes) -> bool:
        """Send a text message at once, if there is room."""
        if self._send is None:
            return False
        self._send(WSMsgType.TEXT, text)
        return True

    async def write_message(self, kind: MessageType, data: str | bytes) -> None:
        """Send a message, when there is room for it."""
        await self._room.wait()
        payload = data.encode() if isinstance(data, str) else data
        wire = WSMsgType.TEXT if kind is MessageType.TEXT else WSMsgType.BINARY
        self._open().send(wire, payload)

    async def ping(self) -> None:
        """Send a ping and wait for its pong, which needs no reader."""
        with self._pongs.awaited() as (payload, pong):
            self._open().send_ping(payload)
            await pong

    async def close(self) -> None:
        """Close with code 1000, waiting for the other side no longer than the close timeout."""
        transport = self.transport
        if transport is None or self._ended is not None:
            return
        if not self.deaf:
            self._send, self._ours, self.deaf = None, True, True
            transport.send_close(WSCloseCode.OK)
        self.hold(False)  # the other side's close stands behind all that was not read
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                while self._ended is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            pass
        finally:
            if self._ended is None:
                transport.disconnect(graceful=False)

    # --- what comes in ------------------------------------------------------------------------

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Take note of the end."""
        self._ended = _why_ended(transport, by_us=self._ours)
        if not self.deaf:
            # Where the library ended it by itself, its reason is an error that somebody must see.
            waited = asyncio.ensure_future(transport.wait_disconnected())
            self._aftermath = asyncio.gather(waited, return_exceptions=True)
        self._send, self.deaf = None, True
        self.transport = None  # which holds us: so we are gone as soon as nobody wants us
        self._changed.set()
        self._room.set()
        self._pongs.end(_again(self._ended))

    def send_user_specific_ping(self, transport: WSTransport) -> None:
        """Ask whether the server is still there, unless we could not hear its answer."""
        if self._paused:
            loop = asyncio.get_running_loop()
            loop.call_soon(transport.notify_user_specific_pong_received)
        else:
            transport.send_ping()

    def arrived(self, kind: MessageType, data: str | bytes) -> None:
        """Put a message in line."""
        if self.deaf:
            return
        self._unread.append((kind, data))
        if self._take is None:
            self._unread_bytes += len(data)
            self._changed.set()
            self._steer()

    def all_arrived(self) -> None:
        """Hand over what has come, to whoever listens."""
        if self._take is None or not self._unread:
            return
        unread = list(self._unread)
        self._unread.clear()
        self._unread_bytes = 0
        self._steer()
        self._take(unread)

    def _steer(self) -> None:
        """Read the socket, or leave it alone: once stopped, until nothing is unread."""
        full = len(self._unread) >= MOST_UNREAD or self._unread_bytes >= MOST_UNREAD_BYTES
        pause = self._held or full or (self._paused and bool(self._unread))
        if pause is self._paused or self._ended is not None or self.transport is None:
            return
        underlying = self.transport.underlying_transport
        if underlying.is_closing():
            return
        self._paused = pause
        if pause:
            underlying.pause_reading()
        else:
            underlying.resume_reading()

    def _open(self) -> WSTransport:
        if self._ended is not None:
            raise _again(self._ended)
        if self.transport is None:
            raise ConnClosed(None, "not connected")
        return self.transport


def _again(ended: ConnClosed) -> ConnClosed:
    """Say it anew: an error that was raised keeps all that it went through, and so its own conn."""
    return ConnClosed(ended.code, ended.reason, by_us=ended.by_us)


def _why_ended(transport: WSTransport, *, by_us: bool) -> ConnClosed:
    handshake = transport.close_handshake
    told = handshake and (handshake.recv or handshake.sent)
    if not told:
        return ConnClosed(None, "lost without a closing handshake")
    code = int(told.code.value)
    if told.code is WSCloseCode.NO_INFO:
        code = NO_CODE
    elif told is handshake.sent and told.code is WSCloseCode.GOING_AWAY:
        code = KEEPALIVE_FAILED  # the library says "going away", which to us is a normal end
    return ConnClosed(code, told.reason or "", by_us=by_us)
