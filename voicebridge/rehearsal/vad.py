"""Hear where speech begins and ends: bytes in, events out; no clock.

A frame of 20 ms is loud when its level stands out from the noise floor *and* is above an absolute
bar; both rise with the session's ``threshold``. Speech begins when loud frames outweigh quiet
ones by three (60 ms at the soonest) and ends after ``silence_duration_ms`` of quiet ones; while
it lasts half the level is enough to count as loud. The floor is the lowest level of the last two
seconds: speech has gaps within that time and noise has none, so a humming line stops counting as
speech. Positions are milliseconds of all audio ever fed (OpenAI Realtime, section 4).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from voicebridge.audio import g711
from voicebridge.audio.format import FRAME_BYTES, FRAME_MS

LOUD_FRAMES_TO_START = 3
FLOOR_FRAMES = 100
QUIETEST_FLOOR = 8
HYSTERESIS = 0.5


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """Speech was noticed; ``audio_start_ms`` is where it began, less the prefix padding."""

    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """Speech is over; ``audio_end_ms`` includes the silence that proved it."""

    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class VadSettings:
    """What the session asks of its turn detection; ``threshold`` is 0 to 1."""

    threshold: float = 0.5
    prefix_padding_ms: int = 300
    silence_duration_ms: int = 500

    @property
    def bar(self) -> float:
        """The level no speech is below: -55 dBFS at 0, -40 at 0.5, -25 at 1."""
        return 32768 * 10 ** ((30 * self.threshold - 55) / 20)

    @property
    def above_floor(self) -> float:
        """How many times the noise floor speech is: 6 dB at 0, 12 at 0.5, 18 at 1."""
        return 10 ** ((6 + 12 * self.threshold) / 20)


class Vad:
    """Listen to one session's mu-law audio. ``settings`` may be replaced while it listens."""

    __slots__ = ("_ended_ms", "_floor", "_loud_until_ms", "_ms", "_onset_ms", "_rest", "_score",
                 "settings", "speaking")  # fmt: skip

    def __init__(self, settings: VadSettings) -> None:
        self.settings = settings
        self.speaking = False
        self._rest = b""
        self._ms = self._onset_ms = self._loud_until_ms = self._ended_ms = 0
        self._score = 0
        self._floor = _Floor()

    def feed(self, ulaw: bytes) -> list[SpeechStarted | SpeechStopped]:
        """Take in mu-law of any length; gives what was noticed in it, in order."""
        audio = self._rest + ulaw if self._rest else ulaw
        events = list[SpeechStarted | SpeechStopped]()
        end = len(audio) - len(audio) % FRAME_BYTES
        for start in range(0, end, FRAME_BYTES):
            event = self._frame(g711.rms(audio[start : start + FRAME_BYTES]))
            if event is not None:
                events.append(event)
        self._rest = audio[end:]
        return events

    def reset(self) -> None:
        """Forget the speech under way, as when the input buffer is cleared or committed by hand."""
        self.speaking, self._score, self._ended_ms = False, 0, self._ms

    def _frame(self, level: int) -> SpeechStarted | SpeechStopped | None:
        begun_ms, self._ms = self._ms, self._ms + FRAME_MS
        floor = self._floor.after(level)
        loud = max(self.settings.bar, floor * self.settings.above_floor)
        if self.speaking:
            return self._while_speaking(level > loud * HYSTERESIS)
        if level <= loud:
            self._score = max(0, self._score - 1)
            return None
        if self._score == 0:
            self._onset_ms = begun_ms
        self._score += 1
        if self._score < LOUD_FRAMES_TO_START:
            return None
        self.speaking, self._score, self._loud_until_ms = True, 0, self._ms
        start_ms = self._onset_ms - self.settings.prefix_padding_ms
        return SpeechStarted(max(start_ms, self._ended_ms))

    def _while_speaking(self, loud: bool) -> SpeechStopped | None:
        if loud:
            self._loud_until_ms = self._ms
            return None
        if self._ms - self._loud_until_ms < self.settings.silence_duration_ms:
            return None
        self.speaking = False
        self._ended_ms = self._loud_until_ms + self.settings.silence_duration_ms
        return SpeechStopped(self._ended_ms)


class _Floor:
    """The lowest level of the last FLOOR_FRAMES frames; silent until as many have been heard."""

    __slots__ = ("_count", "_lows")

    def __init__(self) -> None:
        self._lows = deque[tuple[int, int]]()  # (frame number, level), levels rising
        self._count = 0

    def after(self, level: int) -> int:
        while self._lows and self._lows[-1][1] >= level:
            self._lows.pop()
        self._lows.append((self._count, level))
        self._count += 1
        while self._lows[0][0] <= self._count - 1 - FLOOR_FRAMES:
            self._lows.popleft()
        heard_enough = self._count >= FLOOR_FRAMES
        return max(QUIETEST_FLOOR, self._lows[0][1]) if heard_enough else QUIETEST_FLOOR
