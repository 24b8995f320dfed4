"""What the tests of the server share: a watched model, a watched shelf of records, fast phones.

A phone's time here runs as fast as audio reaches it: for every 20 ms of the agent it sends 20 ms
of silence and moves its clock, and only then returns the mark behind them. So a test never waits
for speech to be played, and the bridge sees nothing that a real telephone would not send.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from model_harness import INSTANT, ToneVoice, says, tone
from websockets.asyncio.server import ServerConnection
from yarl import URL

from voicebridge.audio.format import silence
from voicebridge.records.record import CallRecord
from voicebridge.records.store import RecordStore
from voicebridge.rehearsal import twilio_wire as wire
from voicebridge.rehearsal.faults import Faults
from voicebridge.rehearsal.raw_stream import RawStream
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.session_log import SessionLog
from voicebridge.rehearsal.signing import signature_header
from voicebridge.server.running import RunningBridge

AUTH_TOKEN = "carrier-auth-token"
WITHIN_S = 5.0
PHRASE_WITHIN_S = 3.0
CALLER, CALLED = "+15550100001", "+15550100002"
QUESTION = tone(400) + silence(8 * 800)


class Bell:
    """Rings at every change, so that a test waits for a state and not for a time."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def until(self, there: Callable[[], bool], within_s: float = WITHIN_S) -> None:
        async with asyncio.timeout(within_s):
            while not there():
                self._rung.clear()
                await self._rung.wait()


class WatchedModel(RealtimeServer):
    """A simulated model that tells when a session is over."""

    def __init__(self, *replies: str, faults: Faults | None = None, pace: float = INSTANT) -> None:
        script = says(*(replies or ("Good day to you.", "The second reply.")))
        super().__init__(script, ToneVoice(), pace=pace, faults=faults or Faults())
        self._bell, self._open = Bell(), 0

    async def _serve(self, socket: ServerConnection) -> None:
        self._open += 1
        try:
            await super()._serve(socket)
        finally:
            self._open -= 1
            self._bell.ring()

    @property
    def logs(self) -> list[SessionLog]:
        return [session.log for session in self.sessions]

    @property
    def served(self) -> list[SessionLog]:
        """The sessions that were used by a stream: more was said to them than what they are."""
        return [log for log in self.logs if set(log.received) - {"session.update"}]

    async def all_over(self) -> None:
        """Wait until no session of a stream is open."""
        await self._bell.until(lambda: all(log.closed_at is not None for log in self.served))

    async def none_open(self) -> None:
        """Wait until no session at all is open, nor one that waits for its stream."""
        await self._bell.until(lambda: self._open == 0)


class Shelf(RecordStore):
    """The real store of records, which tells when a record has been written."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._folders: dict[str, Path] = {}
        self._bell, self._loop = Bell(), asyncio.get_running_loop()

    def save(self, record: CallRecord) -> Path | None:
        folder = super().save(record)
        assert folder is not None
        self._folders[record.call_id] = folder
        self._loop.call_soon_threadsafe(self._bell.ring)
        return folder

    def has(self, call_id: str) -> bool:
        return call_id in self._folders

    async def record_of(self, call_id: str) -> dict[str, Any]:
        """Wait for the record of a call and read it from the disk."""
        await self._bell.until(lambda: call_id in self._folders)
        text = (self._folders[call_id] / "record.json").read_text(encoding="utf-8")
        record: dict[str, Any] = json.loads(text)
        return record

    async def folder_of(self, call_id: str, name: str) -> Path:
        """Wait for a file in the folder of a call."""
        there = Path(self._folders[call_id])
        await self._bell.until((there / name).exists)
        return there


class Line:
    """A telephone on a media stream: it hears all that comes and plays it at once."""

    def __init__(self, raw: RawStream, after_url: str) -> None:
        self.raw, self.after_url = raw, after_url
        self.heard, self.sent = bytearray(), bytearray()
        self.closed = False
        self._owed_frames, self._bell = 0, Bell()

    @property
    def call_id(self) -> str:
        return self.raw.writer.call_sid

    async def listen(self) -> None:
        """Read to the end."""
        while (message := await self.raw.read(60)) is not None:
            match message:
                case {"event": "media", "media": {"payload": payload}}:
                    audio = base64.b64decode(payload)
                    self.heard += audio
                    self._owed_frames += len(audio) // 160
                case {"event": "mark", "mark": {"name": name}}:
                    await self._play_and_return(name)
            self._bell.ring()
        self.closed = True
        self._bell.ring()

    async def _play_and_return(self, name: str) -> None:
        owed, self._owed_frames = self._owed_frames, 0
        try:
            await self.say(silence(160 * owed))
            await self.raw.send(self.raw.writer.mark(name))
        except (ConnectionError, aiohttp.ClientError):
            return  # the bridge has closed meanwhile, which the next read tells

    async def say(self, audio: bytes) -> None:
        """Send the caller's audio, as fast as the socket takes it."""
        for at in range(0, len(audio), 160):
            frame = audio[at : at + 160]
            self.sent += frame
            payload = base64.b64encode(frame).decode()
            await self.raw.send(self.raw.writer.media(payload, self.raw.writer.chunk * 20))

    async def until_heard(self, audio: bytes | None = None, within_s: float = WITHIN_S) -> None:
        """Wait for these bytes among all that was heard; for any at all if None."""
        await self._bell.until(
            lambda: bool(self.heard) if audio is None else audio in self.heard, within_s
        )

    async def until_closed(self) -> None:
        """Wait until the bridge has closed."""
        await self._bell.until(lambda: self.closed)

    async def is_answered(self) -> None:
        """Ask something and wait for more of the agent: this call is alive in both directions."""
        before = len(self.heard)
        await self.say(QUESTION)
        await self._bell.until(lambda: len(self.heard) > before or self.closed)
        assert len(self.heard) > before, "the bridge has closed"

    async def hang_up(self) -> None:
        """Say ``stop`` and close, as the carrier does when the caller hangs up."""
        await self.raw.send(self.raw.writer.stop())
        await self.raw.close()


class Office:
    """A running bridge with a model behind it and a carrier in front of it."""

    def __init__(self, bridge: RunningBridge, model: WatchedModel, shelf: Shelf) -> None:
        self.bridge, self.model, self.shelf = bridge, model, shelf
        self.media_url = "ws" + bridge.url.removeprefix("http") + "/twilio/media"

    async def post(self, path: str, **form: str) -> tuple[int, str]:
        """Post a signed form to the bridge."""
        url = self.bridge.url + path if path.startswith("/") else path
        header = signature_header(AUTH_TOKEN, url, form.items())
        return await post(url, list(form.items()), header)

    async def answer(self, call_id: str) -> tuple[str, str]:
        """Ring the webhook; return the stream's token and the URL that comes after it."""
        status, twiml = await self.post(
            "/twilio/voice", CallSid=call_id, From=CALLER, To=CALLED, CallStatus="ringing"
        )
        assert status == 200
        stream = re.search(r'<Stream url="([^"]+)"', twiml)
        token = re.search(r'<Parameter name="token" value="([^"]+)"', twiml)
        after = re.search(r"<Redirect[^>]*>([^<]+)<", twiml)
        assert stream is not None
        assert token is not None
        assert after is not None
        assert unescape(stream[1]) == self.media_url
        return token[1], unescape(after[1])

    @asynccontextmanager
    async def answered(self) -> AsyncIterator[tuple[RawStream, str, str]]:
        """Have a call answered and its websocket opened, but nothing said on it yet."""
        async with RawStream(self.media_url, auth_token=AUTH_TOKEN) as raw:
            token, after_url = await self.answer(raw.writer.call_sid)
            yield raw, token, after_url

    @asynccontextmanager
    async def call(self, *, greeted: bool = True) -> AsyncIterator[Line]:
        """Place a call, and wait for the agent's first word if it is ``greeted``."""
        async with self.answered() as (raw, token, after_url), asyncio.TaskGroup() as tasks:
            line = Line(raw, after_url)
            listener = tasks.create_task(line.listen())
            await raw.begin(token=token)
            if greeted:
                await line.until_heard()
            yield line
            listener.cancel()

    async def ended(self, line: Line) -> dict[str, Any]:
        """Wait for a call's record."""
        return await self.shelf.record_of(line.call_id)

    async def ends_well(self, line: Line) -> None:
        """Make sure that a call still works in both directions, is whole, and ends normally."""
        await line.is_answered()
        await line.hang_up()
        record = await self.ended(line)
        assert (record["ended"], record["problems"]) == ("caller_hung_up", [])
        assert record["frames_received"] == line.raw.writer.chunk

    async def after_stream(self, line: Line) -> str:
        """Ask what comes after the stream, as the carrier does when it is over."""
        status, twiml = await self.post(line.after_url, CallSid=line.call_id)
        assert status == 200
        return twiml


async def post(
    url: str, form: Sequence[tuple[str, str]] | bytes, headers: dict[str, str]
) -> tuple[int, str]:
    """Post a form byte by byte as given, and return status and text of the answer."""
    body = form if isinstance(form, bytes) else urlencode(form).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    async with (
        asyncio.timeout(WITHIN_S),
        aiohttp.ClientSession() as http,
        http.post(URL(url, encoded=True), data=body, headers=headers) as response,
    ):
        return response.status, await response.text()


async def get(url: str, headers: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    """Get a JSON document."""
    async with (
        asyncio.timeout(WITHIN_S),
        aiohttp.ClientSession() as http,
        http.get(URL(url, encoded=True), headers=headers) as response,
    ):
        is_json = response.content_type == "application/json"
        content: dict[str, Any] = await response.json() if is_json else {}
        return response.status, content


__all__ = ["AUTH_TOKEN", "Line", "Office", "Shelf", "WatchedModel", "get", "post", "wire"]
