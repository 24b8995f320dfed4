"""Noise that rises and dies away: a cough, or a voice that needs no words."""

from __future__ import annotations

import math
import random
from array import array

from voicebridge.audio import g711
from voicebridge.audio.format import FRAME_MS, SAMPLE_RATE_HZ

LOUDEST = 9000
EDGE_MS = 5


def noise(duration_ms: int, seed: int = 0, loudest: int = LOUDEST) -> bytes:
    """Make mu-law noise, loud almost at once and to its end, in whole frames.

    The same seed gives the same noise; ``loudest`` is its peak on the 16-bit scale.
    """
    chance = random.Random(f"noise {seed}")
    count = -(-duration_ms // FRAME_MS) * FRAME_MS * SAMPLE_RATE_HZ // 1000
    edge = EDGE_MS * SAMPLE_RATE_HZ // 1000
    swell = (math.sin(math.pi / 2 * min(1, at / edge, (count - at) / edge)) for at in range(count))
    pcm = array("h", (int(loudest * level * chance.uniform(-1, 1)) for level in swell))
    return g711.encode(pcm.tobytes())
