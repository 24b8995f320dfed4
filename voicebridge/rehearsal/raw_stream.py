"""Speak to a media websocket without any manners: for tests of bad input."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from types import TracebackType
from typing import Any, Self

import aiohttp
from yarl import URL

from voicebridge.rehearsal import twilio_wire as wire
from voicebridge.rehearsal.behaviour import QUIET
from voicebridge.rehearsal.signing import signature_header

TIMEOUT_S = 5.0


class RawStream:
    """A websocket to the bridge's media endpoint that sends whatever it is told to.

    ``writer`` writes well-formed messages of this stream, to be sent as they are or spoilt first.
    The handshake is signed when there is an ``auth_token``. Raises what aiohttp raises.
    """

    def __init__(self, url: str, *, auth_token: str | None = None, account_sid: str = "") -> None:
        self.url = url
        self.writer = wire.StreamWriter(
            stream_sid="MZ" + secrets.token_hex(16),
            call_sid="CA" + secrets.token_hex(16),
            account_sid=account_sid or "AC" + "0" * 32,
        )
        self._headers = signature_header(auth_token, url)
        self._http: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Open the websocket."""
        self._http = aiohttp.ClientSession()
        try:
            async with asyncio.timeout(TIMEOUT_S):
                self._socket = await self._http.ws_connect(
                    URL(self.url, encoded=True), headers=self._headers, compress=0, max_msg_size=0
                )
        except (aiohttp.ClientError, ConnectionError, TimeoutError):
            await self._http.close()
            raise

    async def begin(self, **parameters: str) -> None:
        """Send ``connected`` and ``start`` as the carrier does."""
        await self.send(wire.CONNECTED)
        await self.send(self.writer.start(parameters))

    async def send_silence(self, frames: int = 1) -> None:
        """Send well-formed media, 20 ms of silence each."""
        for _ in range(frames):
            await self.send(self.writer.media(QUIET.payload, self.writer.chunk * 20))

    async def send(self, content: str | bytes) -> None:
        """Send a text frame, or a binary one for bytes."""
        async with asyncio.timeout(TIMEOUT_S):
            if isinstance(content, bytes):
                await self._open_socket.send_bytes(content)
            else:
                await self._open_socket.send_str(content)

    async def read(self, timeout_s: float = TIMEOUT_S) -> dict[str, Any] | None:
        """Read the next message; None when the other end has closed, whose code is ``close_code``.

        Raises TimeoutError when nothing comes.
        """
        async with asyncio.timeout(timeout_s):
            message = await self._open_socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            return None
        content: dict[str, Any] = json.loads(message.data)
        return content

    @property
    def close_code(self) -> int | None:
        """Tell the code with which the socket was closed, None while it is open."""
        return None if self._socket is None else self._socket.close_code

    async def close(self, code: int = 1000) -> None:
        """Close the websocket with a closing handshake; once more does nothing."""
        if self._socket is not None:
            await self._socket.close(code=code)
        if self._http is not None:
            await self._http.close()

    def drop(self) -> None:
        """Cut the connection without a closing handshake, as a dying network does."""
        self._open_socket.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    @property
    def _open_socket(self) -> aiohttp.ClientWebSocketResponse:
        if self._socket is None:
            raise RuntimeError("connect first")
        return self._socket
