"""The line: every byte that is to be played, in order, by its position.

Bytes that were sent are kept as long as they may be needed again: to go on where a pause stopped,
or to compare them with what comes back from a loudspeaker.
"""

from __future__ import annotations

from voicebridge.audio.format import FRAME_BYTES
from voicebridge.audio.framer import Framer


class Line:
    """Bytes by position; ``end`` is where whole frames end, ``accepted`` where all bytes do."""

    __slots__ = (
        "_base",
        "_framer",
        "_kept",
        "_kept_from",
        "accepted",
    )

    def __init__(self) -> None:
        self.accepted = 0
        self._framer = Framer()
        self._kept = bytearray()
        self._kept_from = 0
        self._base = 0

    @property
    def end(self) -> int:
        """The position behind the last whole frame."""
        return self._kept_from + len(self._kept)

    def lay(self, audio: bytes) -> range:
        """Put bytes at the end and return their positions."""
        start = self.accepted
        self.accepted += len(audio)
        self._kept += self._framer.push(audio)
        return range(start, self.accepted)

    def fill_frame(self) -> None:
        """Fill up the last frame with silence: what was said ends here."""
        if held := len(self._framer):
            self._kept += self._framer.flush()
            self.accepted += FRAME_BYTES - held

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes between two positions, as far as they are kept."""
        low = max(0, start - self._kept_from)
        return bytes(self._kept[low : max(low, stop - self._kept_from)])

    def forget(self, before: int) -> None:
        """Let go of what lies before a position."""
        if before > self._kept_from:
            size = min(before - self._kept_from, len(self._kept))
            del self._kept[:size]
            self._kept_from += size

    def frame_at(self, position: int) -> int:
        """Return where the frame begins in which a position lies."""
        return position - (position - self._base) % FRAME_BYTES

    def break_off(self) -> int:
        """Drop what has not been played and start anew; returns the position of the new start."""
        self._framer.drop()
        self._kept.clear()
        self._kept_from = self._base = self.accepted
        return self.accepted
