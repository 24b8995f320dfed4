"""Is that the caller, or the agent's own voice out of a loudspeaker?

Theory. An acoustic echo has the loudness curve of what was played, some time later and quieter.
So the loudness of the caller's last frames, frame by frame, is laid over that of the played audio
at every delay up to half a second; where the two rise and fall together, it is an echo. A caller
who speaks over his own echo breaks the likeness within a few frames, and is listened to again.
"""

from __future__ import annotations

import base64
import math
from collections import deque

from voicebridge.audio import g711
from voicebridge.audio.format import BYTES_PER_MS, FRAME_BYTES, FRAME_MS

HEARD_FRAMES = 20
"""How much of the caller is compared: 400 ms."""

LONGEST_DELAY_FRAMES = 25
"""The longest way from the carrier through the room and back: 500 ms."""

COMPARED_BYTES = (HEARD_FRAMES + LONGEST_DELAY_FRAMES) * FRAME_MS * BYTES_PER_MS
"""How much of the played audio is needed."""

LIKENESS = 0.85
_QUIET_RMS = 100


class Ear:
    """The caller's last frames, kept as they came: base64."""

    def __init__(self) -> None:
        self._payloads: deque[str] = deque(maxlen=HEARD_FRAMES)

    def hear(self, payload: str) -> None:
        """Keep one frame."""
        self._payloads.append(payload)

    def loudness(self) -> list[float]:
        """Return the loudness of each frame kept, oldest first."""
        return _loudness(b"".join(base64.b64decode(payload) for payload in self._payloads))


def is_echo(heard: list[float], played: bytes) -> bool:
    """Tell whether the caller's loudness follows that of ``played``, whose end is now."""
    shown = _loudness(played)
    if len(heard) < HEARD_FRAMES or max(heard) < math.log(_QUIET_RMS):
        return False
    delays = range(min(LONGEST_DELAY_FRAMES, len(shown) - len(heard)) + 1)
    return any(
        _correlation(heard, shown[len(shown) - delay - len(heard) : len(shown) - delay]) >= LIKENESS
        for delay in delays
    )


def _loudness(audio: bytes) -> list[float]:
    return [
        math.log(max(g711.rms(audio[at : at + FRAME_BYTES]), _QUIET_RMS / 10))
        for at in range(0, len(audio) - FRAME_BYTES + 1, FRAME_BYTES)
    ]


def _correlation(one: list[float], other: list[float]) -> float:
    mean_one, mean_other = sum(one) / len(one), sum(other) / len(other)
    a = [value - mean_one for value in one]
    b = [value - mean_other for value in other]
    spread = math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / spread if spread > 1e-9 else 0.0
