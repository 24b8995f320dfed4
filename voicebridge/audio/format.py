"""The one audio format on the line: G.711 mu-law, 8000 samples a second, one byte each."""

from __future__ import annotations

SAMPLE_RATE_HZ = 8000
BYTES_PER_MS = 8
FRAME_MS = 20
FRAME_BYTES = FRAME_MS * BYTES_PER_MS
SILENCE_BYTE = 0xFF
"""The mu-law code of zero amplitude."""


def whole_ms(size_bytes: int) -> int:
    """Tell how many whole milliseconds ``size_bytes`` of mu-law last (rounded down)."""
    return size_bytes // BYTES_PER_MS


def ms_to_bytes(duration_ms: int) -> int:
    """Tell how many bytes of mu-law last ``duration_ms``."""
    return duration_ms * BYTES_PER_MS


def silence(size_bytes: int) -> bytes:
    """Make ``size_bytes`` of mu-law silence."""
    return bytes((SILENCE_BYTE,)) * size_bytes
