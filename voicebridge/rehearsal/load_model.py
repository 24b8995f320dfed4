"""One model session of many: replies of stamped frames, faster than real time, and barged into.

The session follows a plan of its own and listens to nothing: the caller speaks when the plan says
so. It speaks the GA dialect (OpenAI Realtime, sections 3 to 5).
"""

from __future__ import annotations

import base64
import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from time import monotonic_ns
from typing import Any

from voicebridge.rehearsal.load_phone import LoadPhone
from voicebridge.rehearsal.load_stamp import Arrivals, stamped
from voicebridge.rehearsal.load_wire import WireEnd

PACE = 6
"""How many times faster than real time a reply comes."""

DELTA_FRAMES = (6, 25)
REPLY_FRAMES = (150, 350)
WORD_FRAMES = 15
BARGE_IN_SHARE = 0.5
"""How many replies are spoken over when they have been sent; fewer while they are being sent."""

EARLY_SHARE = 0.15
EARLY_DELTAS = (1, 6)
_SECOND_NS = 1_000_000_000
_FRAME_NS = _SECOND_NS // 50
_APPEND = b'{"type":"input_audio_buffer.append","audio":"'


@dataclass(slots=True)
class Exchange:
    """What all sessions of a run share: the phones by number, and the sessions themselves."""

    phones: dict[int, LoadPhone] = field(default_factory=dict)
    sessions: list[LoadModel] = field(default_factory=list)
    measure_from_ns: int = 1 << 62

    def open_sessions(self) -> int:
        """Count the connections that are open."""
        return sum(not session.over for session in self.sessions)


class LoadModel(WireEnd):
    """The server's end of one session; ``tick`` is to be called every few milliseconds."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(None)
        self.heard = Arrivals(measure_from_ns=exchange.measure_from_ns)
        self.phone: LoadPhone | None = None
        self.first_frame_ns: int | None = None
        self.over = False
        self.said: dict[int, int] = {}
        """How many frames of each reply were sent; of those that were not cut."""
        self.cut_runs: set[int] = set()
        self.barge_ins = 0
        self._exchange = exchange
        self._chance = Random(len(exchange.sessions))
        self._run = self._events = 0
        self._left = self._plays_until_ns = self._since_word = self._deltas_to_cut = 0
        self._step: Callable[[int], None] = self._wait
        self._at_ns = 1 << 62
        exchange.sessions.append(self)

    # --- what comes in ------------------------------------------------------------------------

    def opened(self) -> None:
        """Announce the session."""
        self._say("session.created", session={"type": "realtime", "id": "sess_load"})

    def closed(self) -> None:
        """Take note of the end."""
        self.over, self._step = True, self._wait

    def take(self, text: bytes) -> None:
        """Take an event of the client's."""
        if text.startswith(_APPEND) and text.endswith(b'"}'):
            self._hear(a2b_base64(text[len(_APPEND) : -2]))
        else:
            self._obey(json.loads(text))

    def _obey(self, event: dict[str, Any]) -> None:
        match event["type"]:
            case "input_audio_buffer.append":
                self._hear(base64.b64decode(event["audio"]))
            case "session.update":
                self._say("session.updated", session=event["session"])
            case "response.create" if self._step == self._wait:
                self._begin(monotonic_ns())
            case "conversation.item.truncate":
                self._say(
                    "conversation.item.truncated",
                    item_id=event["item_id"],
                    content_index=event["content_index"],
                    audio_end_ms=event["audio_end_ms"],
                )
            case "conversation.item.delete":
                self._say("conversation.item.deleted", item_id=event["item_id"])

    def _hear(self, audio: bytes) -> None:
        now_ns = monotonic_ns()
        last = self.heard.take(audio, now_ns)
        if self.phone is None and last is not None:
            self.first_frame_ns, self.phone = now_ns, self._exchange.phones.get(last.call)
            if self._step == self._wait:
                self._then(self._caller_starts, now_ns + _SECOND_NS)

    # --- the plan -----------------------------------------------------------------------------

    def tick(self) -> None:
        """Do what the plan says for this moment."""
        now_ns = monotonic_ns()
        if now_ns >= self._at_ns:
            self._step(now_ns)

    def _then(self, step: Callable[[int], None], at_ns: int) -> None:
        self._step, self._at_ns = step, at_ns

    def _wait(self, _now_ns: int) -> None:
        self._at_ns = 1 << 62

    def _caller_starts(self, now_ns: int) -> None:
        phone = self.phone
        if phone is not None and phone.sounding(now_ns):
            self.barge_ins += 1
            self.cut_runs.add(self._run)
            phone.clear_asked_ns = now_ns
        self._say("input_audio_buffer.speech_started", audio_start_ms=0, item_id=self._caller_item)
        if self._left:
            self._finish("cancelled")
        self._then(self._caller_stops, now_ns + self._within_ns(0.8, 1.6))

    def _caller_stops(self, now_ns: int) -> None:
        self._say("input_audio_buffer.speech_stopped", audio_end_ms=0, item_id=self._caller_item)
        self._say("input_audio_buffer.committed", item_id=self._caller_item, previous_item_id=None)
        self._then(self._begin, now_ns + self._within_ns(0.2, 0.4))

    def _begin(self, now_ns: int) -> None:
        self._run += 1
        self._left = self._chance.randint(*REPLY_FRAMES)
        self._plays_until_ns, self._since_word = now_ns, 0
        self.said[self._run] = 0
        early = self._chance.random() < EARLY_SHARE
        self._deltas_to_cut = self._chance.randint(*EARLY_DELTAS) if early else -1
        where = {"response_id": self._response, "output_index": 0}
        item = {"id": self._item, "type": "message", "role": "assistant", "content": []}
        self._say("response.created", response=self._object("in_progress"))
        self._say("response.output_item.added", **where, item=item)
        self._say("conversation.item.added", previous_item_id=None, item=item)
        self._then(self._stream, now_ns)

    def _stream(self, now_ns: int) -> None:
        size = min(self._left, self._chance.randint(*DELTA_FRAMES))
        first = self.said[self._run]
        call = self.phone.number if self.phone else 0
        audio = b"".join(
            stamped(call, self._run, number, now_ns) for number in range(first, first + size)
        )
        self._events += 1
        self.send(
            b'{"type":"response.output_audio.delta","event_id":"event_%d","response_id":"%b",'
            b'"item_id":"%b","output_index":0,"content_index":0,"delta":"%b"}'
            % (
                self._events,
                self._response.encode(),
                self._item.encode(),
                b2a_base64(audio, newline=False),
            )
        )
        self.said[self._run], self._left = first + size, self._left - size
        self._plays_until_ns += size * _FRAME_NS
        self._words(size)
        self._deltas_to_cut -= 1
        if self._left and not self._deltas_to_cut:
            return self._then(self._caller_starts, now_ns + size * _FRAME_NS // PACE)
        if self._left:
            return self._then(self._stream, now_ns + size * _FRAME_NS // PACE)
        self._finish("completed")
        return self._plan_next(now_ns)

    def _plan_next(self, now_ns: int) -> None:
        rest_ns = max(0, self._plays_until_ns - now_ns)
        if self._chance.random() < BARGE_IN_SHARE:
            return self._then(self._caller_starts, now_ns + int(rest_ns * self._chance.random()))
        return self._then(self._caller_starts, now_ns + rest_ns + self._within_ns(0.7, 1.5))

    def _words(self, frames: int) -> None:
        self._since_word += frames
        while self._since_word >= WORD_FRAMES:
            self._since_word -= WORD_FRAMES
            self._say("response.output_audio_transcript.delta", **self._part, delta=" word")

    def _finish(self, status: str) -> None:
        self._left = 0
        self._say("response.output_audio.done", **self._part)
        self._say("response.output_audio_transcript.done", **self._part, transcript="words")
        self._say("response.done", response=self._object(status))

    def _within_ns(self, low_s: float, high_s: float) -> int:
        return int(self._chance.uniform(low_s, high_s) * _SECOND_NS)

    # --- the wire -----------------------------------------------------------------------------

    @property
    def _response(self) -> str:
        return f"resp_{self._run:024d}"

    @property
    def _item(self) -> str:
        return f"item_{self._run:024d}"

    @property
    def _caller_item(self) -> str:
        return f"item_c{self._run:023d}"

    @property
    def _part(self) -> dict[str, object]:
        ids = {"response_id": self._response, "item_id": self._item}
        return {**ids, "output_index": 0, "content_index": 0}

    def _object(self, status: str) -> dict[str, object]:
        return {"object": "realtime.response", "id": self._response, "status": status, "output": []}

    def _say(self, kind: str, **fields: object) -> None:
        self._events += 1
        event = {"type": kind, "event_id": f"event_{self._events}", **fields}
        self.send(json.dumps(event, separators=(",", ":")).encode())
