"""One telephone of many: stamped frames out, stamped frames in, marks back as they are played."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import deque
from collections.abc import Mapping
from time import monotonic_ns
from typing import Any

from voicebridge.rehearsal.load_stamp import Arrivals, stamped_text
from voicebridge.rehearsal.load_wire import WireEnd
from voicebridge.rehearsal.twilio_wire import CONNECTED, StreamWriter

FRAME_NS = 20_000_000
_NS_PER_BYTE = FRAME_NS // 160
_MEDIA = b'{"event":"media","streamSid":"'
_PAYLOAD = b'"media":{"payload":"'


def call_sid_of(number: int) -> str:
    """Name a call as the carrier does."""
    return f"CA{number:032x}"


class LoadPhone(WireEnd):
    """A caller whose voice is stamps; ``tick`` is to be called every 20 ms."""

    def __init__(self, number: int, path: str, parameters: Mapping[str, str] | None = None) -> None:
        """Make a phone that will ask for a path; the parameters are those of the TwiML."""
        super().__init__(path)
        self.number = number
        self.call_sid = call_sid_of(number)
        self.gone = asyncio.Event()
        self.heard = Arrivals()
        self.sent = 0
        self.dialled_ns = monotonic_ns()
        self.talking = False
        self.clear_asked_ns: int | None = None
        self.clear_delays_ms: list[float] = []
        self.cleared_run = -1
        """The last reply of which the carrier was told to forget the rest."""
        self.stale = 0
        self._newest_run = -1
        self._queue_end_ns = 0
        self._marks: deque[tuple[int, str]] = deque()
        self._writer = StreamWriter(
            f"MZ{number:032x}", self.call_sid, "AC00000000000000000000000000000000"
        )
        self._parameters = parameters or {}

    def sounding(self, now_ns: int) -> bool:
        """Tell whether something is being played."""
        return self._queue_end_ns > now_ns

    def opened(self) -> None:
        """Say who is calling, and start to talk."""
        self.send(CONNECTED.encode())
        self.send(self._writer.start(self._parameters).encode())
        self.talking = True

    def closed(self) -> None:
        """Take note of the end."""
        self.talking = False
        self.gone.set()

    def tick(self) -> None:
        """Send a frame, and the marks that have been reached."""
        if not self.talking:
            return
        now_ns = monotonic_ns()
        while self._marks and self._marks[0][0] <= now_ns:
            self.send(self._writer.mark(self._marks.popleft()[1]).encode())
        payload = stamped_text(self.number, 0, self.sent, now_ns).decode()
        self.send(self._writer.media(payload, self.sent * 20).encode())
        self.sent += 1

    def fall_silent(self) -> None:
        """Send nothing more, so that what is under way can arrive."""
        self.talking = False

    def leave(self) -> None:
        """Hang up; a line that is not open yet breaks off."""
        if not self.talking and not self.sent:
            self.abort()
            return
        self.talking = False
        self.send(self._writer.stop().encode())
        self.hang_up()

    def take(self, text: bytes) -> None:
        """Take a message of the bridge's."""
        now_ns = monotonic_ns()
        if text.startswith(_MEDIA) and text.endswith(b'"}}'):
            payload = text[text.index(_PAYLOAD) + len(_PAYLOAD) : -3]
            self._hear(base64.b64decode(payload), now_ns)
        else:
            self._obey(json.loads(text), now_ns)

    def _obey(self, message: dict[str, Any], now_ns: int) -> None:
        match message["event"]:
            case "media":
                self._hear(base64.b64decode(message["media"]["payload"]), now_ns)
            case "mark":
                self._marks.append((max(self._queue_end_ns, now_ns), message["mark"]["name"]))
            case "clear":
                self._clear(now_ns)

    def _hear(self, audio: bytes, now_ns: int) -> None:
        self._queue_end_ns = max(self._queue_end_ns, now_ns) + len(audio) * _NS_PER_BYTE
        last = self.heard.take(audio, now_ns)
        if last is not None:
            self.stale += last.run <= self.cleared_run
            if last.run > self._newest_run:
                self.clear_asked_ns = None
            self._newest_run = max(self._newest_run, last.run)

    def _clear(self, now_ns: int) -> None:
        self._queue_end_ns = now_ns
        self.cleared_run = self._newest_run
        self._marks = deque((now_ns, name) for _, name in self._marks)
        if self.clear_asked_ns is not None:
            self.clear_delays_ms.append((now_ns - self.clear_asked_ns) / 1e6)
            self.clear_asked_ns = None
