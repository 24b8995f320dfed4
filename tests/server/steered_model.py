"""A model server over real sockets whose reading a test stops, and lets go on."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any, Self

from server_office import WITHIN_S, Bell

from voicebridge.rehearsal.load_events import EventWriter, reply_of
from voicebridge.rehearsal.load_wire import WireEnd


class SteeredSession(WireEnd):
    """One session: what it heard, in which pieces; and what it is told to say."""

    def __init__(self, bell: Bell) -> None:
        super().__init__(None)
        self.appends: list[bytes] = []
        self.kinds: list[str] = []
        self.over = False
        self.held_back = False
        """Whether the bridge takes no more of what we say."""
        self._bell = bell
        self._events = EventWriter(self.send)

    @property
    def heard(self) -> bytes:
        """All of the caller's audio."""
        return b"".join(self.appends)

    def stop_reading(self) -> None:
        """Leave in the socket what comes."""
        assert self._transport is not None
        self._transport.pause_reading()

    def read_on(self) -> None:
        """Read again."""
        assert self._transport is not None
        self._transport.resume_reading()

    def speak(self, run: int, audio: bytes, chunk_bytes: int = 4000) -> None:
        """Say a reply as fast as can be."""
        reply = reply_of(run)
        self._events.begin(reply, {"type": "message", "role": "assistant", "content": []})
        for at in range(0, len(audio), chunk_bytes):
            self._events.audio(reply, audio[at : at + chunk_bytes])
        self._events.finish(reply, "completed")

    def opened(self) -> None:
        self._events.say("session.created", session={"type": "realtime", "id": "sess_steered"})

    def closed(self) -> None:
        self.over = True
        self._bell.ring()

    def pause_writing(self) -> None:
        self.held_back = True
        self._bell.ring()

    def resume_writing(self) -> None:
        self.held_back = False
        self._bell.ring()

    def take(self, text: bytes) -> None:
        event: dict[str, Any] = json.loads(text)
        self.kinds.append(event["type"])
        if event["type"] == "input_audio_buffer.append":
            self.appends.append(base64.b64decode(event["audio"]))
        elif event["type"] == "session.update":
            self._events.say("session.updated", session=event["session"])
        self._bell.ring()


class SteeredModel:
    """Its sessions, in the order in which they were opened."""

    def __init__(self) -> None:
        self.sessions: list[SteeredSession] = []
        self.bell = Bell()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1/realtime"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for session in self.sessions:
            if not session.over:
                session.abort()
        await self.until(lambda: all(session.over for session in self.sessions))

    def _session(self) -> SteeredSession:
        self.sessions.append(SteeredSession(self.bell))
        return self.sessions[-1]

    async def until(self, there: Callable[[], bool]) -> None:
        """Wait for a state of the sessions."""
        await self.bell.until(there, WITHIN_S)

    async def ready(self, number: int) -> SteeredSession:
        """Wait for a session in which a call has begun: it was asked for the greeting."""
        await self.until(
            lambda: len(self.sessions) > number and "response.create" in self.sessions[number].kinds
        )
        return self.sessions[number]
