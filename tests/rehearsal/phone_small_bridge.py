"""A bridge of a few lines, for testing the simulated carrier against something that is not ours."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web
from multidict import MultiDictProxy

STREAM = (
    "<Connect><Stream url='{ws}/media'><Parameter name='token' value='t-1'/></Stream></Connect>"
)


@dataclass
class MediaLeg:
    """The bridge's end of one media stream: what came in, and ways to answer."""

    socket: web.WebSocketResponse
    request: web.Request
    connected: dict[str, Any] = field(default_factory=dict)
    start: dict[str, Any] = field(default_factory=dict)
    seen: list[dict[str, Any]] = field(default_factory=list)

    @property
    def stream_sid(self) -> str:
        return str(self.start["streamSid"])

    async def read(self) -> dict[str, Any] | None:
        message = await self.socket.receive(timeout=5)
        if message.type is not WSMsgType.TEXT:
            return None
        content: dict[str, Any] = json.loads(message.data)
        self.seen.append(content)
        return content

    async def read_until(self, event: str) -> dict[str, Any]:
        while (message := await self.read()) is not None:
            if message["event"] == event:
                return message
        raise AssertionError(f"closed before {event}")

    async def read_media(self, frames: int) -> None:
        for _ in range(frames):
            await self.read_until("media")

    async def read_to_the_end(self) -> None:
        while await self.read() is not None:
            pass

    async def media(self, audio: bytes) -> None:
        payload = base64.b64encode(audio).decode()
        await self.send(
            {"event": "media", "streamSid": self.stream_sid, "media": {"payload": payload}}
        )

    async def mark(self, name: str) -> None:
        await self.send({"event": "mark", "streamSid": self.stream_sid, "mark": {"name": name}})

    async def clear(self) -> None:
        await self.send({"event": "clear", "streamSid": self.stream_sid})

    async def send(self, message: object) -> None:
        await self.socket.send_str(message if isinstance(message, str) else json.dumps(message))

    def of(self, event: str) -> list[dict[str, Any]]:
        return [message for message in self.seen if message["event"] == event]


Script = Callable[[MediaLeg], Awaitable[None]]


async def hang_up_at_once(leg: MediaLeg) -> None:
    await leg.read_media(1)


@dataclass
class SmallBridge:
    """Answers ``/voice`` with ``twiml`` and carries out ``script`` on ``/media``.

    ``{http}`` and ``{ws}`` in the TwiML become the server's own addresses. ``more`` holds further
    documents by path; a document may also be a ready response.
    """

    twiml: str = STREAM
    script: Script = hang_up_at_once
    more: dict[str, str] = field(default_factory=dict)
    status: int = 200
    content_type: str = "text/xml"
    close_code: int = 1000
    address: str = ""
    posts: list[tuple[web.Request, MultiDictProxy[Any]]] = field(default_factory=list)
    legs: list[MediaLeg] = field(default_factory=list)
    failures: list[BaseException] = field(default_factory=list)

    @property
    def voice_url(self) -> str:
        return f"http://{self.address}/voice"

    @property
    def media_url(self) -> str:
        return f"ws://{self.address}/media"

    async def _voice(self, request: web.Request) -> web.Response:
        self.posts.append((request, await request.post()))
        twiml = self.more.get(request.path, self.twiml)
        twiml = twiml.replace("{ws}", f"ws://{self.address}")
        twiml = twiml.replace("{http}", f"http://{self.address}")
        body = twiml if twiml.startswith(("<?", "!")) else f"<Response>{twiml}</Response>"
        return web.Response(text=body, status=self.status, content_type=self.content_type)

    async def _media(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(timeout=1)
        await socket.prepare(request)
        leg = MediaLeg(socket, request)
        self.legs.append(leg)
        try:
            leg.connected = await leg.read_until("connected")
            leg.start = await leg.read_until("start")
            await self.script(leg)
        except (AssertionError, TimeoutError) as failure:
            self.failures.append(failure)
        await socket.close(code=self.close_code)
        return socket


@asynccontextmanager
async def serving(bridge: SmallBridge) -> AsyncIterator[SmallBridge]:
    """Serve on loopback; a script's failed assertion fails the test."""
    app = web.Application()
    app.router.add_get("/media", bridge._media)
    app.router.add_route("*", "/{path:.*}", bridge._voice)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    bridge.address = f"127.0.0.1:{port}"
    try:
        yield bridge
    finally:
        await runner.cleanup()
    assert not bridge.failures, bridge.failures
