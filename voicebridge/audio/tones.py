"""Tones as telephones have them: keys (DTMF) and a soft tone for a caller on hold.

Facts: ITU-T Q.23 (the frequencies of the keys), Q.24 (their least duration and pause, 40 ms).
"""

from __future__ import annotations

import math
import struct
from functools import cache

from voicebridge.audio import g711
from voicebridge.audio.format import FRAME_BYTES, SAMPLE_RATE_HZ, ms_to_bytes, silence

KEY_MS = 120
PAUSE_MS = 80
WAIT_MS = 500
"""What a ``w`` in a sequence of keys stands for."""

KEYS = "0123456789*#ABCD"

_ROWS_HZ = (697, 770, 852, 941)
_COLUMNS_HZ = (1209, 1336, 1477, 1633)
_PAD = ("123A", "456B", "789C", "*0#D")
_PEAK = 8000
_RAMP_SAMPLES = 40


@cache
def key_tone(key: str) -> bytes:
    """Make the tone of one key, 120 ms of mu-law; ``key`` is one of ``KEYS``."""
    row = next(index for index, keys in enumerate(_PAD) if key in keys)
    frequencies = (_ROWS_HZ[row], _COLUMNS_HZ[_PAD[row].index(key)])
    return _tone(frequencies, KEY_MS, _PEAK)


def key_tones(sequence: str) -> bytes:
    """Make the tones of a sequence of keys, each with its pause; ``w`` waits half a second.

    Whole frames of mu-law; a sign that is no key is a ValueError.
    """
    audio = b""
    for sign in sequence:
        if sign in "wW":
            audio += silence(ms_to_bytes(WAIT_MS))
        elif sign in KEYS:
            audio += key_tone(sign) + silence(ms_to_bytes(PAUSE_MS))
        else:
            raise ValueError(f"{sign!r} is no telephone key")
    return audio + silence(-len(audio) % FRAME_BYTES)


@cache
def hold_tone() -> bytes:
    """Make five seconds of what a caller on hold hears: two soft notes and silence."""
    notes = _tone((440,), 240, 2500) + silence(ms_to_bytes(60)) + _tone((554,), 240, 2500)
    return notes + silence(ms_to_bytes(5000) - len(notes))


def _tone(frequencies_hz: tuple[int, ...], duration_ms: int, peak: int) -> bytes:
    count = duration_ms * SAMPLE_RATE_HZ // 1000
    samples = []
    for n in range(count):
        # A short ramp at both ends: a tone that starts at once clicks.
        level = min(1.0, n / _RAMP_SAMPLES, (count - 1 - n) / _RAMP_SAMPLES)
        wave = sum(math.sin(2 * math.pi * hz * n / SAMPLE_RATE_HZ) for hz in frequencies_hz)
        samples.append(round(peak * level * wave / len(frequencies_hz)))
    return g711.encode(struct.pack(f"<{count}h", *samples))
