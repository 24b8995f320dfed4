"""What one model session of many does and when: replies, words, tool calls, barge-ins.

The plan listens to nothing: the caller speaks when the plan says so. A reply comes faster than
real time; some are spoken over.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from voicebridge.rehearsal.load_events import EventWriter, caller_item, reply_of
from voicebridge.rehearsal.load_phone import LoadPhone
from voicebridge.rehearsal.load_stamp import stamped

PACE = 6
"""How many times faster than real time a reply comes."""

DELTA_FRAMES = (6, 25)
REPLY_FRAMES = (150, 350)
WORD_FRAMES = 15
BARGE_IN_SHARE = 0.5
"""How many replies are spoken over when they have been sent; fewer while they are being sent."""

EARLY_SHARE = 0.15
EARLY_DELTAS = (1, 6)
TOOL = "opening_hours"
TOOL_ARGUMENTS = '{"day":"monday"}'
ANSWER_WITHIN_S = 3.0
"""How long a tool's answer may take before the plan goes on without it."""

_SECOND_NS = 1_000_000_000
_FRAME_NS = _SECOND_NS // 50
_NEVER_NS = 1 << 62


@dataclass(slots=True)
class Spoken:
    """What a session has said."""

    frames: dict[int, int] = field(default_factory=dict)
    """How many frames of each reply were sent."""
    cut_runs: set[int] = field(default_factory=set)
    """The replies that were spoken over: a part of them may miss."""
    barge_ins: int = 0
    tools_called: int = 0
    tools_answered: int = 0


class Plan:
    """The plan of one session; ``tick`` carries out what is due."""

    def __init__(self, events: EventWriter, seed: int, tool_share: float) -> None:
        """Call a tool before that share of the replies, where the session offers it."""
        self.spoken = Spoken()
        self.phone: LoadPhone | None = None
        self.has_tool = False
        self._events, self._chance, self._tool_share = events, Random(seed), tool_share
        self._run = 0
        self._reply = reply_of(0)
        self._left = self._plays_until_ns = self._since_word = self._deltas_to_cut = 0
        self._step: Callable[[int], None] = _idle
        self._at_ns = _NEVER_NS

    def tick(self, now_ns: int) -> None:
        """Do what the plan says for this moment."""
        if now_ns >= self._at_ns:
            self._step(now_ns)

    def start(self, phone: LoadPhone, now_ns: int) -> None:
        """Begin: the caller has been heard."""
        self.phone = phone
        if self._step == _idle:
            self._then(self._caller_starts, now_ns + _SECOND_NS)

    def respond(self, now_ns: int) -> None:
        """Reply because the client asks for it, unless something else is going on."""
        if self._step == _idle:
            self._begin(now_ns)
        elif self._step == self._speak:  # the tool's answer has come
            self._speak(now_ns)

    def stop(self) -> None:
        """Do nothing more."""
        self._then(_idle, _NEVER_NS)

    def _then(self, step: Callable[[int], None], at_ns: int) -> None:
        self._step, self._at_ns = step, at_ns

    def _caller_starts(self, now_ns: int) -> None:
        phone = self.phone
        sounding = phone is not None and phone.sounding(now_ns)
        if sounding or now_ns < self._plays_until_ns:
            # What has not been played by now may be cut, wherever it is on its way.
            self.spoken.cut_runs.add(self._run)
        if phone is not None and sounding:
            self.spoken.barge_ins += 1
            phone.clear_asked_ns = now_ns
        item = caller_item(self._run)
        self._events.say("input_audio_buffer.speech_started", audio_start_ms=0, item_id=item)
        if self._left:
            self._left = 0
            self._events.finish(self._reply, "cancelled")
        self._then(self._caller_stops, now_ns + self._within_ns(0.8, 1.6))

    def _caller_stops(self, now_ns: int) -> None:
        item = caller_item(self._run)
        self._events.say("input_audio_buffer.speech_stopped", audio_end_ms=0, item_id=item)
        self._events.say("input_audio_buffer.committed", item_id=item, previous_item_id=None)
        self._then(self._begin, now_ns + self._within_ns(0.2, 0.4))

    def _begin(self, now_ns: int) -> None:
        if self._tool_share and self.has_tool and self._chance.random() < self._tool_share:
            self._next_run()
            self.spoken.tools_called += 1
            self._events.call_tool(self._reply, TOOL, TOOL_ARGUMENTS)
            self._then(self._speak, now_ns + int(ANSWER_WITHIN_S * _SECOND_NS))
        else:
            self._speak(now_ns)

    def _speak(self, now_ns: int) -> None:
        self._next_run()
        self._left = self._chance.randint(*REPLY_FRAMES)
        self._plays_until_ns, self._since_word = now_ns, 0
        early = self._chance.random() < EARLY_SHARE
        self._deltas_to_cut = self._chance.randint(*EARLY_DELTAS) if early else -1
        self._events.begin(self._reply, {"type": "message", "role": "assistant", "content": []})
        self._then(self._stream, now_ns)

    def _next_run(self) -> None:
        self._run += 1
        self._reply = reply_of(self._run)
        self.spoken.frames[self._run] = 0

    def _stream(self, now_ns: int) -> None:
        size = min(self._left, self._chance.randint(*DELTA_FRAMES))
        first = self.spoken.frames[self._run]
        call = self.phone.number if self.phone else 0
        audio = [stamped(call, self._run, number, now_ns) for number in range(first, first + size)]
        self._events.audio(self._reply, b"".join(audio))
        self.spoken.frames[self._run], self._left = first + size, self._left - size
        self._plays_until_ns += size * _FRAME_NS
        self._words(size)
        self._deltas_to_cut -= 1
        if not self._left:
            self._events.finish(self._reply, "completed")
            return self._plan_next(now_ns)
        following = self._stream if self._deltas_to_cut else self._caller_starts
        return self._then(following, now_ns + size * _FRAME_NS // PACE)

    def _plan_next(self, now_ns: int) -> None:
        rest_ns = max(0, self._plays_until_ns - now_ns)
        if self._chance.random() < BARGE_IN_SHARE:
            return self._then(self._caller_starts, now_ns + int(rest_ns * self._chance.random()))
        return self._then(self._caller_starts, now_ns + rest_ns + self._within_ns(0.7, 1.5))

    def _words(self, frames: int) -> None:
        self._since_word += frames
        while self._since_word >= WORD_FRAMES:
            self._since_word -= WORD_FRAMES
            self._events.word(self._reply)

    def _within_ns(self, low_s: float, high_s: float) -> int:
        return int(self._chance.uniform(low_s, high_s) * _SECOND_NS)


def _idle(_now_ns: int) -> None:
    """Wait until something asks for more."""


def offers_tool(session: dict[str, object]) -> bool:
    """Tell whether a ``session.update`` offers the tool that plans call."""
    return f'"name": "{TOOL}"' in json.dumps(session.get("tools") or [])
