"""A call whose every frame tells when it was sent, in both directions, over a real bridge."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic_ns
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from voicebridge.rehearsal.load_stamp import Arrivals, stamped
from voicebridge.rehearsal.raw_stream import RawStream

FRAME_S = 0.02


class Beat:
    """Wakes up every 20 ms, and knows how late it was."""

    def __init__(self) -> None:
        self._next = asyncio.get_running_loop().time()
        self.late_ms: list[float] = []

    async def wait(self) -> None:
        """Wait for the next beat; one that is long over is not waited for."""
        loop = asyncio.get_running_loop()
        self._next += FRAME_S
        rung = asyncio.Event()
        loop.call_at(self._next, rung.set)
        await rung.wait()
        self.late_ms.append(max(0.0, loop.time() - self._next) * 1000)


class StampedModel:
    """A realtime server that speaks stamps, a frame every 20 ms, from the first wish on."""

    def __init__(self) -> None:
        self.heard = Arrivals(measure_from_ns=0)
        self.sessions = self.said = 0
        self.speaking = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[str]:
        """Listen; yields the URL."""
        server: Server
        async with serve(self._session, "127.0.0.1", 0, compression=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            yield f"ws://127.0.0.1:{port}/v1/realtime"

    async def _session(self, socket: ServerConnection) -> None:
        self.sessions += 1
        await self._say(socket, "session.created", session={"type": "realtime", "id": "s"})
        speaker: asyncio.Task[None] | None = None
        try:
            async for text in socket:
                event = json.loads(text)
                match event["type"]:
                    case "input_audio_buffer.append":
                        self.heard.take(base64.b64decode(event["audio"]), monotonic_ns())
                    case "session.update":
                        await self._say(socket, "session.updated", session=event["session"])
                    case "response.create" if speaker is None:
                        speaker = asyncio.create_task(self._speak(socket))
        finally:
            if speaker is not None:
                speaker.cancel()

    async def _speak(self, socket: ServerConnection) -> None:
        ids = {"response_id": "r", "item_id": "i", "output_index": 0, "content_index": 0}
        response = {"object": "realtime.response", "id": "r", "status": "in_progress", "output": []}
        item = {"id": "i", "type": "message", "role": "assistant", "content": []}
        await self._say(socket, "response.created", response=response)
        await self._say(
            socket, "response.output_item.added", response_id="r", output_index=0, item=item
        )
        beat = Beat()
        try:
            while True:
                frame = stamped(1, 1, self.said, monotonic_ns())
                self.said += 1
                delta = base64.b64encode(frame).decode()
                await self._say(socket, "response.output_audio.delta", **ids, delta=delta)
                self.speaking.set()
                await beat.wait()
        except ConnectionClosed:
            return

    async def _say(self, socket: ServerConnection, kind: str, **fields: Any) -> None:
        await socket.send(json.dumps({"type": kind, "event_id": "e", **fields}))


class StampedPhone:
    """A telephone that speaks stamps, a frame every 20 ms, and returns marks at once."""

    def __init__(self, raw: RawStream) -> None:
        self.raw = raw
        self.heard = Arrivals(measure_from_ns=0)
        self.beat = Beat()
        self.sent = 0
        self._sent_one = asyncio.Event()

    @asynccontextmanager
    async def calling(self, token: str) -> AsyncIterator[None]:
        """Begin, and talk and listen for the length of the context."""
        await self.raw.begin(token=token)
        async with asyncio.TaskGroup() as tasks:
            both = [tasks.create_task(self._talk()), tasks.create_task(self._listen())]
            yield
            for one in both:
                one.cancel()

    async def beats(self, count: int) -> None:
        """Wait until that many more frames are sent."""
        until = self.sent + count
        while self.sent < until:
            self._sent_one.clear()
            await self._sent_one.wait()

    async def _talk(self) -> None:
        while True:
            frame = stamped(1, 0, self.sent, monotonic_ns())
            payload = base64.b64encode(frame).decode()
            await self.raw.send(self.raw.writer.media(payload, self.sent * 20))
            self.sent += 1
            self._sent_one.set()
            await self.beat.wait()

    async def _listen(self) -> None:
        while (message := await self.raw.read(10)) is not None:
            match message:
                case {"event": "media", "media": {"payload": payload}}:
                    self.heard.take(base64.b64decode(payload), monotonic_ns())
                case {"event": "mark", "mark": {"name": name}}:
                    await self.raw.send(self.raw.writer.mark(name))
        raise AssertionError("the bridge has closed the call")


class Lateness:
    """What a phase of the call was like, from its making to ``figures``."""

    def __init__(self, phone: StampedPhone, model: StampedModel) -> None:
        self._lists = {
            "to model": model.heard.latency_ms,
            "to phone": phone.heard.latency_ms,
            "phone's own": phone.beat.late_ms,
        }
        self._from = {name: len(found) for name, found in self._lists.items()}

    def figures(self) -> dict[str, dict[str, float]]:
        """Return median, 99th part and worst of each, in ms."""
        return {
            name: _figures(sorted(found[self._from[name] :])) for name, found in self._lists.items()
        }


def _figures(ms: list[float]) -> dict[str, float]:
    parts = {"median": len(ms) // 2, "p99": len(ms) * 99 // 100, "most": len(ms) - 1}
    return {name: round(ms[at], 1) for name, at in parts.items()}
