"""Hear whether somebody speaks, from nothing but the sound at the telephone.

A frame is audible when enough of its samples are louder than a quiet room. mu-law bytes are
sorted into quiet and loud once; a frame is then judged by counting, in one pass at C speed.
"""

from __future__ import annotations

LOUD_LINEAR = 400
"""Of 32124: about -38 dB under full scale, above line noise and below any spoken vowel."""

LOUD_SAMPLES = 8
"""Of 160 in a frame: a click is not speech."""


def _magnitude(code: int) -> int:
    inverted = ~code & 0x7F
    return ((((inverted & 0x0F) << 3) + 0x84) << (inverted >> 4)) - 0x84


QUIET_BYTES = bytes(code for code in range(256) if _magnitude(code) < LOUD_LINEAR)


def is_audible(frame: bytes | bytearray) -> bool:
    """Tell whether 20 ms or more of mu-law audio hold something that a person would hear."""
    return len(frame.translate(None, QUIET_BYTES)) >= LOUD_SAMPLES


class Ear:
    """Follow who is audible at the phone: when an utterance began and when it was last heard.

    An utterance goes on through pauses shorter than ``gap_ms``, and through any pause behind
    which more of it is waiting in the phone's queue: the speaker is not done then.
    """

    def __init__(self, gap_ms: int = 500) -> None:
        self._gap_ms = gap_ms
        self.utterance_start_ms: int | None = None
        self.last_audible_ms: int | None = None
        self.more_to_come = False

    def hear(self, frame: bytes | bytearray, carrier_ms: int, *, more: bool, cut: bool) -> None:
        """Take in the frame played from ``carrier_ms`` on.

        ``more`` tells that something audible is queued behind it, ``cut`` that a clear came first.
        """
        self.more_to_come = more
        if cut:
            self.utterance_start_ms = None
        if is_audible(frame):
            if self.utterance_start_ms is None:
                self.utterance_start_ms = carrier_ms
            self.last_audible_ms = carrier_ms + 20
        elif not more and self.silent_ms(carrier_ms + 20) >= self._gap_ms:
            self.utterance_start_ms = None

    def silent_ms(self, now_ms: int) -> int:
        """Tell how long nothing has been audible; since the start if nothing ever was."""
        return now_ms - (self.last_audible_ms or 0)
