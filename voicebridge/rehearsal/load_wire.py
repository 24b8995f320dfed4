"""A websocket end that costs next to nothing, for those who play a hundred ends at once.

It speaks RFC 6455 as far as two programs need that both mean well: text messages of any length,
pings, a close. As a client it masks with a key of zeros, which every server must take.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import socket
from collections.abc import Callable
from hashlib import sha1
from typing import cast

_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
_CLOSE_NORMALLY = b"\x03\xe8"
_LARGEST_HEAD = 16 * 1024
_FINAL_TEXT, _16_BITS, _MASKED_16_BITS = 0x81, 126, 0x80 | 126


class WireEnd(asyncio.Protocol):
    """One end of a websocket; subclasses say what to do in ``opened``, ``take`` and ``closed``."""

    def __init__(self, request_path: str | None) -> None:
        """Make a client that asks for a path, or a server's end if that is None."""
        self._path = request_path
        self._key = b"" if request_path is None else b"\0\0\0\0"
        self._transport: asyncio.Transport | None = None
        self._open = False
        self._rest = b""
        self._parts: list[bytes] = []
        self._write: Callable[[bytes], None] = _nowhere

    # --- for subclasses -----------------------------------------------------------------------

    def opened(self) -> None:
        """Act on the end of the handshake."""

    def take(self, text: bytes) -> None:
        """Act on a message."""

    def closed(self) -> None:
        """Act on the end of the connection."""

    def send(self, text: bytes) -> None:
        """Send a text message; into nothing when the connection is over."""
        self._write(_frame_of(_TEXT, text, self._key))

    def hang_up(self) -> None:
        """Close in good manners: say so, and leave the rest to the other end."""
        self._write(_frame_of(_CLOSE, _CLOSE_NORMALLY, self._key))

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    # --- asyncio's side -----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake."""
        # uvloop's transports are not of asyncio's classes.
        transport = cast(asyncio.Transport, transport)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport, self._write = transport, transport.write
        if self._path is not None:
            key = base64.b64encode(secrets.token_bytes(16)).decode()
            transport.write(
                f"GET {self._path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
                "Sec-WebSocket-Version: 13\r\n\r\n".encode()
            )

    def connection_lost(self, error: Exception | None) -> None:
        """Take note of the end."""
        self._open, self._write = False, _nowhere
        self.closed()

    def data_received(self, data: bytes) -> None:
        """Cut what came into messages."""
        if not self._rest and (text := self._one_message(data)) is not None:
            return self.take(text)
        return self._take_all(data)

    # --- inside -------------------------------------------------------------------------------

    def _one_message(self, data: bytes) -> bytes | None:
        """Return the text if the data are one whole message of usual length: they mostly are."""
        if not self._open or self._parts or len(data) < 8 or data[0] != _FINAL_TEXT:
            return None
        length = data[2] << 8 | data[3]
        if data[1] == _MASKED_16_BITS and len(data) == length + 8:
            return _unmasked(data[8:], data[4:8])
        if data[1] == _16_BITS and len(data) == length + 4:
            return data[4:]
        return None

    def _take_all(self, data: bytes) -> None:
        if self._rest:
            data, self._rest = self._rest + data, b""
        if not self._open:
            begun = self._shake_hands(data)
            if begun is None:
                return
            data = begun
        start, size = 0, len(data)
        while (end := self._frame(data, start, size)) > 0:
            start = end
        if start < size:
            self._rest = data[start:]

    def _shake_hands(self, data: bytes) -> bytes | None:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            self._rest = data
            if len(data) > _LARGEST_HEAD:
                self.abort()
            return None
        if self._path is None:
            self._write(_accepted(head))
        elif not head.startswith(b"HTTP/1.1 101"):
            self.abort()
            return None
        self._open = True
        self.opened()
        return rest

    def _frame(self, data: bytes, start: int, size: int) -> int:
        """Take the frame at ``start`` and return where it ends; 0 if it is not all there."""
        if size - start < 2:
            return 0
        first, length, at = data[start], data[start + 1], start + 2
        masked, length = length & 0x80, length & 0x7F
        if length >= 126:
            wide = 2 if length == 126 else 8
            if size - at < wide:
                return 0
            length, at = int.from_bytes(data[at : at + wide], "big"), at + wide
        end = at + length + (4 if masked else 0)
        if size < end:
            return 0
        body = _unmasked(data[at + 4 : end], data[at : at + 4]) if masked else data[at:end]
        self._opcode(first & 0x0F, body, final=first & 0x80 != 0)
        return end

    def _opcode(self, opcode: int, body: bytes, *, final: bool) -> None:
        if opcode == _PING:
            self._write(_frame_of(_PONG, body, self._key))
        elif opcode == _CLOSE:
            self._write(_frame_of(_CLOSE, body[:2], self._key))
            if self._transport is not None:
                self._transport.close()
        elif opcode == _PONG:
            return
        elif final and not self._parts:
            self.take(body)
        else:
            self._parts.append(body)
            if final:
                whole, self._parts = b"".join(self._parts), []
                self.take(whole)


def _frame_of(opcode: int, body: bytes, key: bytes) -> bytes:
    """Write a frame; a client's has a key, of zeros, which leave the body as it is."""
    size, masked = len(body), 0x80 if key else 0
    if size < 126:
        head = bytes((0x80 | opcode, masked | size))
    elif size < 65536:
        head = bytes((0x80 | opcode, masked | 126, size >> 8, size & 0xFF))
    else:
        head = bytes((0x80 | opcode, masked | 127)) + size.to_bytes(8, "big")
    return head + key + body


def _nowhere(_data: bytes) -> None:
    """Take what is written after the end."""


def _accepted(request: bytes) -> bytes:
    fields = {
        name.strip().lower(): value.strip()
        for name, _, value in (line.partition(b":") for line in request.split(b"\r\n")[1:])
    }
    proof = base64.b64encode(
        sha1(fields.get(b"sec-websocket-key", b"") + _GUID, usedforsecurity=False).digest()
    )
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n"
    )


def _unmasked(body: bytes, key: bytes) -> bytes:
    size = len(body)
    stream = (key * (size // 4 + 1))[:size]
    mixed = int.from_bytes(body, "little") ^ int.from_bytes(stream, "little")
    return mixed.to_bytes(size, "little")
