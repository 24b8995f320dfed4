"""A local voice: text in, telephone speech with the time of every word out.

Nobody is needed at the other end for it: no key, no network. A :class:`Voice` gives the same audio
for the same text while it remembers it; made anew, the audio differs by a sample or two, since the
engine's natural flutter runs on from one utterance to the next.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass

from voicebridge.audio import g711
from voicebridge.audio.format import BYTES_PER_MS, FRAME_BYTES, SILENCE_BYTE
from voicebridge.errors import ConfigError
from voicebridge.rehearsal import espeak

CACHED_SPEECHES = 256

_CLOCK = re.compile(r"\b([01]?\d|2[0-3]):([0-5]\d)\b")


@dataclass(frozen=True, slots=True)
class Word:
    """A word as it is written, punctuation included, and when it sounds in the speech."""

    text: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Speech:
    """A spoken text: mu-law 8 kHz mono in whole 20 ms frames, and its words in order."""

    text: str
    audio: bytes
    words: tuple[Word, ...]

    @property
    def duration_ms(self) -> int:
        """Tell how long the audio plays."""
        return len(self.audio) // BYTES_PER_MS


class Voice:
    """Speak in one manner; safe to use from several threads.

    ``pace_wpm`` is words a minute (80-450), ``pitch`` is 0-99, and ``variant`` one of the engine's
    speakers, such as "f3" or "m3". Raises ConfigError when the engine is missing or has no such
    voice.
    """

    def __init__(
        self, *, language: str = "en-us", pace_wpm: int = 165, pitch: int = 50, variant: str = ""
    ) -> None:
        self._engine = _engine()
        if variant and not self._engine.has_variant(variant):
            raise ConfigError(f"the local voice has no variant named {variant!r}")
        name = f"{language}+{variant}" if variant else language
        self._manner = espeak.Manner(name, pace_wpm, pitch)
        self._engine.synthesize("", self._manner)  # an unknown language fails here, not in a call
        self._cache = OrderedDict[str, Speech]()
        self._lock = threading.Lock()

    def speak(self, text: str) -> Speech:
        """Speak ``text``. Takes milliseconds of processor: call it in a thread from async code."""
        with self._lock:
            known = self._cache.get(text)
            if known is not None:
                self._cache.move_to_end(text)
                return known
        speech = self._synthesize(text)
        with self._lock:
            self._cache[text] = speech
            if len(self._cache) > CACHED_SPEECHES:
                self._cache.popitem(last=False)
        return speech

    def _synthesize(self, text: str) -> Speech:
        from voicebridge.rehearsal import telephone_band as band

        tokens = text.split()
        spoken = [_as_spoken(token) for token in tokens]
        made = self._engine.synthesize(" ".join(spoken), self._manner)
        samples, cut_ms = band.finish(band.resample(band.from_pcm(made.pcm), made.rate_hz))
        audio = g711.encode(band.to_pcm(samples))
        audio += bytes([SILENCE_BYTE]) * (-len(audio) % FRAME_BYTES)
        starts = _token_starts(spoken, made.word_starts)
        words = _timed(tokens, starts, cut_ms, len(audio) // BYTES_PER_MS)
        return Speech(text, audio, tuple(words))


def _engine() -> espeak.Engine:
    try:
        import numpy  # noqa: F401 - part of the same extra; telephone_band needs it
    except ImportError as error:
        raise ConfigError(espeak.INSTALL_HINT) from error
    return espeak.shared_engine()


def _as_spoken(token: str) -> str:
    """Write a clock time as it is said: the engine would read "9:00" as three numbers."""
    return _CLOCK.sub(lambda match: _spoken_time(int(match[1]), int(match[2])), token)


def _spoken_time(hour: int, minute: int) -> str:
    on_the_dial = (hour - 1) % 12 + 1
    if minute:
        said = f"{on_the_dial} oh {minute}" if minute < 10 else f"{on_the_dial} {minute}"
        return said if hour <= 12 else f"{said} p m"
    return f"{on_the_dial} o'clock" if hour <= 12 else f"{on_the_dial} p m"


def _token_starts(spoken: list[str], word_starts: tuple[tuple[int, int], ...]) -> list[int | None]:
    """Find when each token begins: the first word the engine reports inside it, if any."""
    starts, offset = list[int | None](), 0
    for token in spoken:
        end = offset + len(token)
        starts.append(next((ms for at, ms in word_starts if offset <= at < end), None))
        offset = end + 1
    return starts


def _timed(tokens: list[str], starts: list[int | None], cut_ms: int, end_ms: int) -> list[Word]:
    """Give each token its span, up to where the next begins; one that is not said gets no time."""
    words, until_ms = list[Word](), end_ms
    for token, start in zip(reversed(tokens), reversed(starts), strict=True):
        begun_ms = until_ms if start is None else min(max(start - cut_ms, 0), until_ms)
        words.append(Word(token, begun_ms, until_ms))
        until_ms = begun_ms
    return words[::-1]
