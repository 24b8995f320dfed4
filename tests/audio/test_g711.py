"""G.711 mu-law against known values and against itself."""

import math
import struct

from hypothesis import given
from hypothesis import strategies as st

from voicebridge.audio import g711
from voicebridge.audio.format import SILENCE_BYTE


def test_silence_is_the_code_of_zero() -> None:
    assert g711.encode(b"\x00\x00") == bytes([SILENCE_BYTE])
    assert g711.decode(bytes([SILENCE_BYTE])) == b"\x00\x00"


def test_the_loudest_codes_are_those_of_the_standard() -> None:
    # G.711: code 0x00 is the most negative, 0x80 the most positive value.
    assert struct.unpack("<2h", g711.decode(b"\x00\x80")) == (-32124, 32124)


@given(st.binary())
def test_every_code_survives_the_way_there_and_back(ulaw: bytes) -> None:
    # 0x7F is the second code of zero and comes back as the first.
    assert g711.encode(g711.decode(ulaw)) == ulaw.replace(b"\x7f", b"\xff")


def test_the_rms_of_a_tone_is_its_amplitude_over_the_root_of_two() -> None:
    samples = [round(8000 * math.sin(2 * math.pi * 440 * n / 8000)) for n in range(8000)]
    ulaw = g711.encode(struct.pack("<8000h", *samples))
    assert math.isclose(g711.rms(ulaw), 8000 / math.sqrt(2), rel_tol=0.02)
    assert g711.rms(b"") == 0
