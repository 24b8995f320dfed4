"""The words that were heard: text cut where the audio was cut.

A transcript runs ahead of its audio and carries no times. So each piece of text is noted with how
much audio had come before it: its words can be heard no sooner. Between two such points, and up to
the end of the audio, text and audio are taken to move on together. A word counts as heard when at
least half of it lies within what was heard.
"""

from __future__ import annotations

import re

from voicebridge.audio.format import whole_ms

_WORDS = re.compile(r"\S+\s*")


class Words:
    """The words of one item, as they came with its audio; ``at_ms`` is when they began to."""

    __slots__ = ("_points", "_received", "_text", "at_ms")

    def __init__(self, at_ms: int) -> None:
        self.at_ms = at_ms
        self._text = ""
        self._received = 0
        self._points: list[tuple[int, int]] = []

    def add_text(self, text: str) -> None:
        """Take in a piece of the transcript."""
        self._points.append((whole_ms(self._received), len(self._text)))
        self._text += text

    def add_audio(self, size_bytes: int) -> None:
        """Take note of how much audio came."""
        self._received += size_bytes

    def split(self, heard_ms: int, received_ms: int) -> tuple[str, str]:
        """Split the text into the words heard and the words not heard."""
        if heard_ms <= 0 or received_ms <= 0:
            return "", self._text.strip()
        if heard_ms >= received_ms:
            return self._text.strip(), ""
        limit = self._spoken_by(heard_ms, received_ms)
        end = 0
        for word in _WORDS.finditer(self._text):
            if word.start() + len(word.group().rstrip()) / 2 > limit:
                break
            end = word.end()
        return self._text[:end].strip(), self._text[end:].strip()

    def _spoken_by(self, heard_ms: int, received_ms: int) -> float:
        """Tell how many characters had been spoken after so much audio, between two points."""
        points = [*self._points, (received_ms, len(self._text))]
        before, after = points[0], points[-1]
        for point in points:
            if point[0] <= heard_ms:
                before = point
            else:
                after = point
                break
        (low_ms, low), (high_ms, high) = before, after
        if high_ms <= low_ms:
            return float(low)
        return low + (high - low) * (heard_ms - low_ms) / (high_ms - low_ms)
