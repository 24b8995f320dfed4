"""Two tracks on one clock: what the caller said, and what he heard.

Positions are bytes of the carrier's clock: 8 a millisecond. What nobody said is silence.
"""

from __future__ import annotations

from voicebridge.audio.format import SILENCE_BYTE, ms_to_bytes, silence

HELD_BYTES = ms_to_bytes(5000)
"""How much is held back: what was heard is known a little later than what was said."""

LONGEST_GAP_BYTES = ms_to_bytes(10_000)
"""A longer jump of the clock is none of the caller's: a call with such a gap is over."""

BEFORE_KEY_BYTES, AFTER_KEY_BYTES = ms_to_bytes(1000), ms_to_bytes(500)
"""Where around a key its tone may be: the carrier tells of it while or after it sounds."""

_NEVER = 1 << 62


class Mixer:
    """Mixes one call. The caller is silent in it wherever his keys could be heard."""

    def __init__(self) -> None:
        self._taken = 0
        self._shift = 0
        self._caller, self._agent = bytearray(), bytearray()
        self._hushed: list[list[int]] = []

    def caller(self, at_bytes: int, audio: bytes) -> None:
        """Lay what the caller said."""
        at = at_bytes - self._shift
        end = self._taken + len(self._caller)
        if abs(at - end) > LONGEST_GAP_BYTES:
            self._shift += at - end
            at = end
        self._lay(self._caller, at, audio)

    def agent(self, at_bytes: int, audio: bytes) -> None:
        """Lay what the caller heard."""
        at = at_bytes - self._shift
        if at - self._taken - len(self._caller) <= LONGEST_GAP_BYTES:
            self._lay(self._agent, at, audio)

    def mute(self, at_bytes: int, muted: bool) -> None:
        """Hush the caller from here on, or up to the last tone of his keys after here."""
        at = at_bytes - self._shift
        if muted:
            self._hushed.append([at, _NEVER])
        elif self._hushed and self._hushed[-1][1] == _NEVER:
            self._hushed[-1][1] = at + AFTER_KEY_BYTES

    def key(self, at_bytes: int) -> None:
        """Hush the tone of a key."""
        at = at_bytes - self._shift
        self._hushed.insert(0, [at - BEFORE_KEY_BYTES, at + AFTER_KEY_BYTES])

    def take(self, *, all_of_it: bool = False) -> bytes:
        """Take out what nothing can be added to any more: left the caller, right the agent."""
        length = max(len(self._caller), len(self._agent))
        size = length if all_of_it else max(0, len(self._caller) - HELD_BYTES)
        if not size:
            return b""
        left, right = _first(self._caller, size), _first(self._agent, size)
        for start, stop in self._hushed:
            low, high = max(0, start - self._taken), min(size, stop - self._taken)
            if low < high:
                left[low:high] = silence(high - low)
        self._taken += size
        self._hushed = [span for span in self._hushed if span[1] > self._taken]
        both = bytearray(2 * size)
        both[0::2], both[1::2] = left, right
        return bytes(both)

    def _lay(self, track: bytearray, at: int, audio: bytes) -> None:
        offset = at - self._taken
        if offset < 0:  # too late to be kept
            audio, offset = audio[-offset:], 0
        if offset > len(track):
            track += silence(offset - len(track))
        track[offset : offset + len(audio)] = audio


def _first(track: bytearray, size: int) -> bytearray:
    """Take the first bytes of a track, filled up with silence."""
    taken = track[:size]
    del track[:size]
    return taken.ljust(size, bytes((SILENCE_BYTE,)))
