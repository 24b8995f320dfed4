"""What the tests of the simulated realtime server share: a raw client and quick audio."""

from __future__ import annotations

import asyncio
import base64
import json
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from voicebridge.audio import g711
from voicebridge.audio.format import silence
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.script import Script
from voicebridge.rehearsal.steps import AgentStep
from voicebridge.rehearsal.voice import Speech, Word

DEADLINE_S = 5.0
INSTANT = float("inf")
STALLED = 0.001
"""A pace at which only the first delta comes while a test lasts."""
BETA = {"OpenAI-Beta": "realtime=v1"}
WORD_MS = 200

Event = dict[str, Any]


def tone(duration_ms: int, amplitude: int = 8_000, hz: int = 440) -> bytes:
    """Make mu-law of a steady tone: loud enough to be taken for speech."""
    samples = (
        int(amplitude * math.sin(2 * math.pi * hz * n / 8_000)) for n in range(duration_ms * 8)
    )
    pcm = b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)
    return g711.encode(pcm)


class ToneVoice:
    """A voice without an engine: every word is 200 ms of tone."""

    def speak(self, text: str) -> Speech:
        texts = text.split()
        words = tuple(
            Word(word, index * WORD_MS, (index + 1) * WORD_MS) for index, word in enumerate(texts)
        )
        return Speech(text, tone(WORD_MS) * len(texts), words)


def says(*texts: str, caller: tuple[str, ...] = ()) -> Script:
    """Make a script in which the agent says these texts, one a response."""
    return Script(agent=tuple(AgentStep(say=text) for text in texts), caller_lines=caller)


def pcmu_session(**audio_input: Any) -> Event:
    """Make a GA session with mu-law both ways."""
    pcmu = {"type": "audio/pcmu"}
    audio = {"input": {"format": pcmu, **audio_input}, "output": {"format": pcmu}}
    return {"type": "realtime", "audio": audio}


class Client:
    """A client that keeps every event it reads."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.seen: list[Event] = []

    async def send(self, event_type: str, **fields: Any) -> None:
        await self.send_text(json.dumps({"type": event_type, **fields}))

    async def send_text(self, text: str | bytes) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.socket.send(text)

    async def append(self, audio: bytes, piece: int = 160) -> None:
        for start in range(0, len(audio), piece):
            payload = base64.b64encode(audio[start : start + piece]).decode()
            await self.send("input_audio_buffer.append", audio=payload)

    async def talk(self, duration_ms: int = 600) -> None:
        """Say something and fall silent long enough for the turn to end."""
        await self.append(silence(8 * 200) + tone(duration_ms) + silence(8 * 700))

    async def read(self) -> Event:
        async with asyncio.timeout(DEADLINE_S):
            event: Event = json.loads(await self.socket.recv())
        self.seen.append(event)
        return event

    async def until(self, event_type: str) -> Event:
        while (event := await self.read())["type"] != event_type:
            pass
        return event

    async def configure(self, **audio_input: Any) -> Event:
        await self.send("session.update", session=pcmu_session(**audio_input))
        return await self.until("session.updated")

    async def error_after(self, event_type: str, **fields: Any) -> Event:
        """Send an event with an id of its own and give the error that names it."""
        await self.send(event_type, event_id="mine", **fields)
        error: Event = (await self.until("error"))["error"]
        assert error["event_id"] == "mine"
        return error

    def types(self) -> list[str]:
        return [event["type"] for event in self.seen]

    def of(self, event_type: str) -> list[Event]:
        return [event for event in self.seen if event["type"] == event_type]

    def audio_of(self, item_id: str) -> bytes:
        deltas = [
            event
            for event in self.seen
            if event["type"] in ("response.output_audio.delta", "response.audio.delta")
        ]
        return b"".join(base64.b64decode(e["delta"]) for e in deltas if e["item_id"] == item_id)


@asynccontextmanager
async def dialled(
    server: RealtimeServer,
    headers: dict[str, str] | None = None,
    query: str = "?model=gpt-realtime",
) -> AsyncIterator[Client]:
    """Connect a raw client."""
    async with connect(
        server.url + query,
        additional_headers=headers or {},
        max_size=None,
        max_queue=None,  # a test may leave without having read everything
        compression=None,
    ) as socket:
        yield Client(socket)


@asynccontextmanager
async def conversing(
    script: Script, *, pace: float = INSTANT, headers: dict[str, str] | None = None, **options: Any
) -> AsyncIterator[tuple[Client, RealtimeServer]]:
    """Run a server with this script and connect one client, which has read ``session.created``."""
    voice: Any = options.pop("voice", ToneVoice())
    async with (
        RealtimeServer(script, voice, pace=pace, **options) as server,
        dialled(server, headers) as client,
    ):
        await client.until("session.created")
        yield client, server
