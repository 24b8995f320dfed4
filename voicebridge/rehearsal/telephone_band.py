"""Turn an engine's samples into telephone speech: 8 kHz, level, trimmed. Needs numpy."""

from __future__ import annotations

from functools import lru_cache
from math import gcd

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

RATE_HZ = 8_000
CUTOFF_HZ = 3_500  # leaves the filter 500 Hz to fall before the fold at 4 kHz
ZERO_CROSSINGS = 18
PEAK = 0.5  # -6 dBFS: loud on a telephone, with headroom left
QUIET = 0.01  # below this share of the peak a sample counts as silence when trimming
EDGE_MS = 20  # kept at both ends; the last frame may add as much again
FADE_MS = 4


@lru_cache(maxsize=4)
def _filters(from_hz: int) -> tuple[npt.NDArray[np.float32], int, int]:
    """Windowed-sinc taps, one row for each output phase; then the up and down factors."""
    shared = gcd(from_hz, RATE_HZ)
    up, down = RATE_HZ // shared, from_hz // shared
    half = int(ZERO_CROSSINGS * from_hz / (2 * CUTOFF_HZ))
    taps = np.arange(-half, half + 1, dtype=np.float64)
    fraction = (np.arange(up) * down % up / up)[:, None]
    distance = taps[None, :] - fraction
    window = 0.5 + 0.5 * np.cos(np.pi * np.clip(distance / (half + 1), -1, 1))
    rows = np.sinc(distance * 2 * CUTOFF_HZ / from_hz) * window
    rows /= rows.sum(axis=1, keepdims=True)
    return rows.astype(np.float32), up, down


def resample(samples: Samples, from_hz: int) -> Samples:
    """Resample to 8 kHz; what lies above the telephone band is filtered out first."""
    if from_hz == RATE_HZ:
        return samples
    rows, up, down = _filters(from_hz)
    count = len(samples) * up // down
    padded = np.pad(samples, rows.shape[1])
    windows = np.lib.stride_tricks.sliding_window_view(padded, rows.shape[1])
    first = rows.shape[1] - rows.shape[1] // 2
    out = np.zeros(count, dtype=np.float32)
    for phase in range(up):
        positions = len(out[phase::up])
        start = first + phase * down // up
        out[phase::up] = windows[start::down][:positions] @ rows[phase]
    return out


def _edges(samples: Samples) -> tuple[int, int]:
    loud = np.flatnonzero(np.abs(samples) > QUIET * np.abs(samples).max(initial=0.0))
    if not len(loud):
        return 0, 0
    edge = EDGE_MS * RATE_HZ // 1000
    return max(0, int(loud[0]) - edge), min(len(samples), int(loud[-1]) + 1 + edge)


def finish(samples: Samples) -> tuple[Samples, int]:
    """Trim the silence at both ends, set the level and fade; gives the ms cut off the start."""
    first, last = _edges(samples)
    kept = samples[first:last].copy()
    if len(kept):
        kept *= np.float32(PEAK / np.abs(kept).max())
        fade = min(FADE_MS * RATE_HZ // 1000, len(kept) // 2)
        ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
        kept[:fade] *= ramp
        kept[len(kept) - fade :] *= ramp[::-1]
    return kept.astype(np.float32), first * 1000 // RATE_HZ


def from_pcm(pcm: bytes) -> Samples:
    """Read 16-bit little-endian samples as numbers between -1 and 1."""
    return np.frombuffer(pcm, dtype="<i2").astype(np.float32) / np.float32(32768)


def to_pcm(samples: Samples) -> bytes:
    """Write numbers between -1 and 1 as 16-bit little-endian samples."""
    return np.clip(np.round(samples * 32767), -32768, 32767).astype("<i2").tobytes()
