"""Tones, judged by their spectrum."""

import math
import struct

import pytest

from voicebridge.audio import g711, tones
from voicebridge.audio.format import FRAME_BYTES

ALL_HZ = (697, 770, 852, 941, 1209, 1336, 1477, 1633)
PAIRS = {"1": (697, 1209), "5": (770, 1336), "9": (852, 1477), "0": (941, 1336), "D": (941, 1633)}


def power(ulaw: bytes, hz: int) -> float:
    """The power at one frequency, by Goertzel's sum."""
    samples = struct.unpack(f"<{len(ulaw)}h", g711.decode(ulaw))
    real = sum(s * math.cos(2 * math.pi * hz * n / 8000) for n, s in enumerate(samples))
    imaginary = sum(s * math.sin(2 * math.pi * hz * n / 8000) for n, s in enumerate(samples))
    return (real * real + imaginary * imaginary) / len(samples) ** 2


@pytest.mark.parametrize("key", PAIRS)
def test_a_key_sounds_with_its_two_frequencies(key: str) -> None:
    strength = {hz: power(tones.key_tone(key), hz) for hz in ALL_HZ}
    loudest = sorted(strength, key=lambda hz: -strength[hz])
    assert set(loudest[:2]) == set(PAIRS[key])
    assert strength[loudest[1]] > 50 * strength[loudest[2]]


def test_every_key_has_a_tone_of_its_own() -> None:
    assert len({tones.key_tone(key) for key in tones.KEYS}) == 16


def test_a_sequence_is_whole_frames_with_pauses_and_waits() -> None:
    audio = tones.key_tones("1w2")
    assert len(audio) % FRAME_BYTES == 0
    assert len(audio) == (120 + 80 + 500 + 120 + 80) * 8
    assert tones.key_tones("") == b""


def test_what_is_no_key_is_refused() -> None:
    with pytest.raises(ValueError, match="'x' is no telephone key"):
        tones.key_tones("12x")


def test_the_hold_tone_is_soft_and_mostly_silence() -> None:
    audio = tones.hold_tone()
    assert len(audio) == 40_000
    assert 0 < g711.rms(audio) < 1000
    assert audio.count(0xFF) > 30_000
