"""A server that replays a recorded conversation and insists on the client's part of it.

A recording has one message a line: ``S`` and JSON is sent by the server, ``C`` and JSON must come
from the client with at least these fields. ``B`` sends a binary frame, ``P`` a ping whose pong is
awaited, ``X`` cuts the line. It was written from the protocol page alone.
"""

from __future__ import annotations

import asyncio
import http
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

RECORDINGS = Path(__file__).parents[1] / "recorded" / "realtime"
DEADLINE_S = 5.0


def recording(name: str) -> list[str]:
    """Read a recording's lines."""
    lines = (RECORDINGS / f"{name}.txt").read_text("utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@dataclass
class Refusal:
    """How a handshake is refused."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


class RecordedWireServer:
    """Plays its lines on every connection; ``done`` tells that one was played to its end."""

    def __init__(
        self,
        lines: Sequence[str] = (),
        *,
        refusal: Refusal | None = None,
        close: tuple[int, str] | None = None,
    ) -> None:
        self._lines, self._refusal, self._close = lines, refusal, close
        self._server: Server | None = None
        self.requests: list[Request] = []
        self.received: list[Any] = []
        self.done = asyncio.Event()
        self.complaint = ""

    @property
    def url(self) -> str:
        assert self._server is not None
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}/v1/realtime"

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._play, "127.0.0.1", 0, process_request=self._greet, process_response=_numbered
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    async def played(self) -> None:
        """Wait for the end of the recording, and fail if the client did not keep to it."""
        async with asyncio.timeout(DEADLINE_S):
            await self.done.wait()
        assert self.complaint == ""

    def _greet(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        if self._refusal is None:
            return None
        body = json.dumps(self._refusal.body).encode() if self._refusal.body is not None else b""
        status = http.HTTPStatus(self._refusal.status)
        headers = Headers({"Content-Length": str(len(body)), **self._refusal.headers})
        return Response(status.value, status.phrase, headers, body)

    async def _play(self, connection: ServerConnection) -> None:
        for line in self._lines:
            who, _, text = line.partition(" ")
            if who == "S":
                await connection.send(text)
            elif who == "B":
                await connection.send(text.encode())
            elif who == "P":
                async with asyncio.timeout(DEADLINE_S):
                    await (await connection.ping())
            elif who == "X":
                connection.transport.abort()
            else:
                await self._expect(connection, json.loads(text))
        self.done.set()
        if self._close is not None:
            await connection.close(*self._close)
        await connection.wait_closed()

    async def _expect(self, connection: ServerConnection, wanted: Any) -> None:
        async with asyncio.timeout(DEADLINE_S):
            got = json.loads(await connection.recv())
        self.received.append(got)
        if not _contains(got, wanted):
            self.complaint += f"expected {wanted}, got {got}\n"


def _numbered(connection: ServerConnection, request: Request, response: Response) -> None:
    response.headers.setdefault("x-request-id", "req_101")


def _contains(got: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(got, dict) and all(
            key in got and _contains(got[key], value) for key, value in wanted.items()
        )
    return bool(got == wanted)
