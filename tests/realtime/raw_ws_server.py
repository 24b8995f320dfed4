"""A websocket server whose every byte a test decides, and may delay."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

WITHIN_S = 5.0
TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 0x1, 0x2, 0x8, 0x9, 0xA, 0x0
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame(opcode: int, payload: bytes, *, fin: bool = True) -> bytes:
    """Write a frame as a server does: not masked."""
    first, size = (0x80 if fin else 0) | opcode, len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 65536:
        return bytes((first, 126)) + size.to_bytes(2, "big") + payload
    return bytes((first, 127)) + size.to_bytes(8, "big") + payload


def close_frame(code: int | None, reason: str = "") -> bytes:
    """Write a close, with or without a code."""
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason.encode())


@dataclass
class Peer:
    """The server's end of one connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    request: bytes

    async def send(self, data: bytes) -> None:
        """Send bytes at once."""
        self.writer.write(data)
        async with asyncio.timeout(WITHIN_S):
            await self.writer.drain()

    async def frame(self) -> tuple[int, bytes]:
        """Read the client's next frame, unmasked."""
        async with asyncio.timeout(WITHIN_S):
            first, second = await self.reader.readexactly(2)
            size = second & 0x7F
            if size >= 126:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8), "big")
            assert second & 0x80, "a client must mask"
            key = await self.reader.readexactly(4)
            body = await self.reader.readexactly(size)
        return first & 0x0F, bytes(byte ^ key[at % 4] for at, byte in enumerate(body))

    async def ended(self) -> bytes:
        """Wait for the client's end and return what it still sent."""
        async with asyncio.timeout(WITHIN_S):
            return await self.reader.read(-1)


@dataclass
class RawServer:
    """Accepts websockets; ``answer`` holds the handshake back until it is set."""

    tls: ssl.SSLContext | None = None
    answer: asyncio.Event = field(default_factory=asyncio.Event)
    reply: bytes = b""
    """What is answered instead of the upgrade."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a handshake has come in."""

    async def __aenter__(self) -> Self:
        self._peers: asyncio.Queue[Peer] = asyncio.Queue()
        self._writers: list[asyncio.StreamWriter] = []
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", 0, ssl=self.tls, limit=2**16
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

    @property
    def url(self) -> str:
        port = self._server.sockets[0].getsockname()[1]
        return f"{'wss' if self.tls else 'ws'}://127.0.0.1:{port}/v1/realtime"

    async def peer(self) -> Peer:
        """Wait for a connection whose handshake has been answered."""
        async with asyncio.timeout(WITHIN_S):
            return await self._peers.get()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.append(writer)
        request = await reader.readuntil(b"\r\n\r\n")
        self.asked.set()
        await self.answer.wait()
        (key,) = (
            line.split(b":")[1].strip()
            for line in request.split(b"\r\n")
            if line.lower().startswith(b"sec-websocket-key:")
        )
        proof = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        upgrade = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n"
        )
        writer.write(self.reply or upgrade)
        await self._peers.put(Peer(reader, writer, request))
