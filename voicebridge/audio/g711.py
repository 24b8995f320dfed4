"""G.711 mu-law arithmetic, by ``audioop``: the standard library's until 3.12, a package after."""

from __future__ import annotations

import warnings

with warnings.catch_warnings():
    # 3.11 and 3.12 announce the removal on import; pyproject.toml brings audioop-lts for 3.13.
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

_SAMPLE_WIDTH_BYTES = 2


def encode(pcm: bytes) -> bytes:
    """Turn 16-bit little-endian PCM into mu-law, one byte a sample; an odd byte is an error."""
    return audioop.lin2ulaw(pcm, _SAMPLE_WIDTH_BYTES)


def decode(ulaw: bytes) -> bytes:
    """Turn mu-law into 16-bit little-endian PCM, two bytes a sample."""
    return audioop.ulaw2lin(ulaw, _SAMPLE_WIDTH_BYTES)


def rms(ulaw: bytes) -> int:
    """Measure the root mean square of mu-law audio on the 16-bit scale (0 to 32767)."""
    return audioop.rms(decode(ulaw), _SAMPLE_WIDTH_BYTES) if ulaw else 0
