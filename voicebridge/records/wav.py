"""A WAV file that can be played at every moment, however the one who writes it comes to an end."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path

from voicebridge.audio.format import SAMPLE_RATE_HZ

CHANNELS = 2
_MULAW = 7
_SIZES = struct.Struct("<4sI4s 4sIHHIIHHH 4sII 4sI")
HEADER_BYTES = _SIZES.size


def header(data_bytes: int) -> bytes:
    """Write the header of a stereo mu-law file at 8 kHz that holds so much."""
    return _SIZES.pack(
        b"RIFF", HEADER_BYTES - 8 + data_bytes, b"WAVE",
        b"fmt ", 18, _MULAW, CHANNELS, SAMPLE_RATE_HZ, SAMPLE_RATE_HZ * CHANNELS, CHANNELS, 8, 0,
        b"fact", 4, data_bytes // CHANNELS,
        b"data", data_bytes,
    )  # fmt: skip


class StereoFile:
    """Appends samples, and says only then in the header that they are there.

    So a file whose writer was killed, or whose disk is full, ends with the last samples that were
    written as a whole. It blocks: use it in a thread. Raises what the file system raises.
    """

    def __init__(self, path: Path) -> None:
        self._data_bytes = 0
        self._file = path.open("xb", buffering=0)
        try:
            self._write(header(0))
        except OSError:
            self._file.close()
            path.unlink()
            raise

    def append(self, samples: bytes) -> None:
        """Append samples, left and right in turn."""
        end = HEADER_BYTES + self._data_bytes
        try:
            self._file.seek(end)
            self._write(samples)
        except OSError:
            with suppress(OSError):
                self._file.truncate(end)
            raise
        self._data_bytes += len(samples)
        self._file.seek(0)
        self._write(header(self._data_bytes))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
