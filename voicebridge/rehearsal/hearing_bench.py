"""The outside world of the hearing bench: an agent who talks long, callers who break in.

Nothing here waits for the bridge or knows of it. Every caller begins with a frame of its own,
made of the two zeros of mu-law: silent, and unlike that of any other call, so that the model's
session can be found that belongs to a phone. All chance is seeded.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from voicebridge.rehearsal.behaviour import COUGHING, HANG_UP, QUIET, Act, acts_of
from voicebridge.rehearsal.ear import Ear
from voicebridge.rehearsal.noise import noise
from voicebridge.rehearsal.script import Script
from voicebridge.rehearsal.session_log import SessionLog
from voicebridge.rehearsal.steps import AgentStep
from voicebridge.rehearsal.voice import Speech, Voice, Word

WORD_MS = 200
TOOL_SHARE = 0.3
RESPONSES = 150
SPEAK_UNTIL_MS = 3000
"""How long before the end of the call the caller says the last thing."""

PATIENCE_MS = 900
"""How long an agent may be silent before the caller speaks anyway."""


class NoiseVoice(Voice):
    """A voice that needs no engine: each word is 200 ms of noise that no other text has."""

    def __init__(self) -> None:
        self._speak = cache(_speak)

    def speak(self, text: str) -> Speech:
        """Give the noise of a text."""
        return self._speak(text)


def _speak(text: str) -> Speech:
    words = tuple(
        Word(word, at * WORD_MS, (at + 1) * WORD_MS) for at, word in enumerate(text.split())
    )
    return Speech(text, random.Random(text).randbytes(len(words) * WORD_MS * 8), words)


def long_talk(seed: int) -> Script:
    """Make an agent with long replies: up to three items each, some with a tool call behind them.

    The response to the tool's output is laid behind the first, while that is still being heard.
    """
    chance = random.Random(f"talk {seed}")
    return Script(agent=tuple(_reply(chance, number) for number in range(RESPONSES)))


def _reply(chance: random.Random, number: int) -> AgentStep:
    items = chance.choice((1, 1, 2, 3))
    first, *more = (_sentence(chance, f"{number}-{item}") for item in range(items))
    tool = "opening_hours" if chance.random() < TOOL_SHARE else None
    arguments = {"day": "monday"} if tool else {}
    return AgentStep(say=first, also_say=tuple(more), call=tool, arguments=arguments)


def _sentence(chance: random.Random, name: str) -> str:
    return " ".join(f"{name}-{word}" for word in range(chance.randint(8, 22)))


@dataclass(frozen=True, slots=True)
class _Moment:
    """When to speak: so long into the agent's reply, or after the last speech began."""

    into_agent_ms: int | None
    after_speech_ms: int | None
    lasts_ms: int


class Interrupter:
    """A caller who breaks into every reply, at a seeded moment, until the call is over.

    Some speech comes within the first 200 ms of a reply, some when the model has long sent all of
    it, and some twice within a second, whatever is heard by then.
    """

    def __init__(self, number: int, seed: int, lasts_ms: int) -> None:
        self._chance = random.Random(f"interrupter {seed} {number}")
        self._number, self._lasts_ms = number, lasts_ms
        self._mouth = _Mouth(number)
        self._moments = [_Moment(None, 400 + self._chance.randrange(800), 400)]

    def act(self, ear: Ear, now_ms: int) -> Act:
        """Go on speaking, or begin if the moment has come."""
        if now_ms >= self._lasts_ms:
            return HANG_UP
        going_on = self._mouth.go_on(now_ms)
        if going_on is not None:
            return going_on
        if now_ms > self._lasts_ms - SPEAK_UNTIL_MS or not self._due(ear, now_ms):
            return QUIET
        moment = self._moments.pop(0)
        self._moments = self._moments or self._plan()
        return self._mouth.say(noise(moment.lasts_ms, self._chance.randrange(50)), "speaks", now_ms)

    def _due(self, ear: Ear, now_ms: int) -> bool:
        moment, mouth = self._moments[0], self._mouth
        if moment.after_speech_ms is not None:
            return now_ms >= mouth.began_ms + moment.after_speech_ms
        start_ms = ear.utterance_start_ms
        if start_ms is not None and start_ms >= mouth.began_ms:
            return now_ms >= start_ms + (moment.into_agent_ms or 0)
        return _waited_in_vain(ear, mouth, now_ms)

    def _plan(self) -> list[_Moment]:
        chance, lasts_ms = self._chance, self._chance.randrange(160, 500, 20)
        match chance.choices(("early", "within", "late", "twice"), (25, 30, 25, 20))[0]:
            case "early":
                return [_Moment(chance.randrange(0, 200), None, lasts_ms)]
            case "within":
                return [_Moment(chance.randrange(200, 2500), None, lasts_ms)]
            case "late":
                return [_Moment(chance.randrange(2500, 6000), None, lasts_ms)]
            case _:
                again = _Moment(None, chance.randrange(450, 950), 200)
                return [_Moment(chance.randrange(100, 1500), None, 160), again]


class Cougher:
    """A caller who speaks only when the agent is silent, and coughs while it speaks."""

    def __init__(self, number: int, seed: int, lasts_ms: int) -> None:
        self._chance = random.Random(f"cougher {seed} {number}")
        self._lasts_ms = lasts_ms
        self._mouth = _Mouth(number)
        self._quiet_until_ms = 400 + self._chance.randrange(800)

    def act(self, ear: Ear, now_ms: int) -> Act:
        """Cough into the reply when it is time, or ask for the next one."""
        if now_ms >= self._lasts_ms:
            return HANG_UP
        going_on = self._mouth.go_on(now_ms)
        if going_on is not None:
            return going_on
        if not self._quiet_until_ms <= now_ms <= self._lasts_ms - SPEAK_UNTIL_MS:
            return QUIET
        chance = self._chance
        if ear.utterance_start_ms is not None:
            self._quiet_until_ms = now_ms + chance.randrange(1500, 3000)
            cough = noise(chance.randrange(120, 260, 20), chance.randrange(50))
            return self._mouth.say(cough, COUGHING, now_ms)
        if not _waited_in_vain(ear, self._mouth, now_ms):
            return QUIET
        self._quiet_until_ms = now_ms + chance.randrange(2500, 4000)
        return self._mouth.say(noise(900, chance.randrange(50)), "speaks", now_ms)


def _waited_in_vain(ear: Ear, mouth: _Mouth, now_ms: int) -> bool:
    quiet_since_ms = max(mouth.ended_ms, ear.last_audible_ms or 0)
    return not ear.more_to_come and now_ms >= quiet_since_ms + PATIENCE_MS


class _Mouth:
    """Says one thing at a time, and first of all the caller's own frame."""

    def __init__(self, number: int) -> None:
        own = own_frame(number)
        self._acts: Sequence[Act] = acts_of(own)
        self._next = 0
        self.began_ms = self.ended_ms = 0

    def say(self, audio: bytes, text: str, now_ms: int) -> Act:
        """Begin; the first 20 ms of it are returned."""
        self._acts, self._next, self.began_ms = acts_of(audio, text), 1, now_ms
        self.ended_ms = now_ms + 20 * len(self._acts)
        return self._acts[0]

    def go_on(self, now_ms: int) -> Act | None:
        """Return the next 20 ms of what is being said; None if it is over."""
        if self._next >= len(self._acts):
            return None
        self._next += 1
        return self._acts[self._next - 1]


def own_frame(number: int) -> bytes:
    """Make the frame by which a call is known: silence, written in the two zeros of mu-law.

    A one at both ends keeps it from being found anywhere but in its place.
    """
    bits = f"1{number:0158b}1"
    return bytes(0x7F if bit == "1" else 0xFF for bit in bits)


def session_of(number: int, sessions: Sequence[SessionLog]) -> SessionLog | None:
    """Find the model's session of a caller by the frame that only he has sent."""
    own = own_frame(number)
    return next((session for session in sessions if own in session.appended[:80_000]), None)
