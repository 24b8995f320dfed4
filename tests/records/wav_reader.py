"""Reads a WAV file by its own account of itself, as a player does."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple


class Wav(NamedTuple):
    """The two tracks of a stereo mu-law file."""

    left: bytes
    right: bytes


def read(path: Path) -> Wav:
    """Read the tracks; every size in the file must be borne out by what is there."""
    data = path.read_bytes()
    riff, size, wave = struct.unpack_from("<4sI4s", data)
    assert (riff, wave) == (b"RIFF", b"WAVE")
    assert size + 8 <= len(data)
    chunks, at = {}, 12
    while at < size + 8:
        name, length = struct.unpack_from("<4sI", data, at)
        chunks[name] = data[at + 8 : at + 8 + length]
        assert len(chunks[name]) == length
        at += 8 + length
    assert at == size + 8
    kind, channels, rate, bytes_a_second, align, bits = struct.unpack_from(
        "<HHIIHH", chunks[b"fmt "]
    )
    assert (kind, channels, rate, bytes_a_second, align, bits) == (7, 2, 8000, 16_000, 2, 8)
    samples = chunks[b"data"]
    assert struct.unpack("<I", chunks[b"fact"]) == (len(samples) // 2,)
    return Wav(samples[0::2], samples[1::2])
