"""Decode by ear, from nothing but the sound at the telephone, the tones that are in it.

Keys are two frequencies at once (ITU-T Q.23), at least 40 ms long (Q.24). Both are measured at
exactly their frequencies, so a key counts only if hardly anything else sounds beside it. Any other
steady pure tone is named by its frequency. Needs numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from voicebridge.audio import g711

RATE_HZ = 8_000
HOP, WINDOW = 160, 320
LEAST_MEAN_SQUARE = 150.0**2
LEAST_KEY_SHARE, LEAST_TONE_SHARE = 0.75, 0.95
MOST_TWIST = 8.0
LEAST_KEY_WINDOWS, LEAST_TONE_WINDOWS = 2, 7
STEADY_HZ = 15.0

_ROWS_HZ = (697, 770, 852, 941)
_COLUMNS_HZ = (1209, 1336, 1477, 1633)
_PAD = ("123A", "456B", "789C", "*0#D")

Samples = npt.NDArray[np.float64]


class KeyHeard(NamedTuple):
    """A telephone key whose tone was heard."""

    key: str
    start_ms: int
    end_ms: int


class ToneHeard(NamedTuple):
    """A steady tone that is no key."""

    hz: int
    start_ms: int
    end_ms: int


def heard_keys(ulaw: bytes | bytearray) -> list[KeyHeard]:
    """List the keys that sound in mu-law audio, in their order."""
    windows = _windows(ulaw)
    energy = np.square(windows).sum(axis=1)
    rows, columns = (_power(windows, hz) for hz in (_ROWS_HZ, _COLUMNS_HZ))
    row, column = rows.argmax(axis=1), columns.argmax(axis=1)
    low, high = rows.max(axis=1), columns.max(axis=1)
    pure = low + high >= LEAST_KEY_SHARE * energy
    even = (low < MOST_TWIST * high) & (high < MOST_TWIST * low)
    there = pure & even & (energy > LEAST_MEAN_SQUARE * WINDOW)
    keys = [_PAD[r][c] if yes else "" for r, c, yes in zip(row, column, there, strict=True)]
    return [KeyHeard(key, *span) for key, span in _runs(keys, LEAST_KEY_WINDOWS)]


def heard_tones(ulaw: bytes | bytearray) -> list[ToneHeard]:
    """List the steady pure tones in mu-law audio; speech and keys are none."""
    windows = _windows(ulaw)
    energy = np.square(windows).sum(axis=1)
    spectrum = np.square(np.abs(np.fft.rfft(windows * np.hanning(WINDOW), axis=1)))
    peaks = spectrum[:, 2:-2].argmax(axis=1) + 2
    beside = peaks[:, None] + np.arange(-2, 3)
    near = np.take_along_axis(spectrum, beside, axis=1)
    pure = near.sum(axis=1) >= LEAST_TONE_SHARE * np.maximum(spectrum.sum(axis=1), 1.0)
    there = pure & (energy > LEAST_MEAN_SQUARE * WINDOW)
    hz = (near * beside).sum(axis=1) / np.maximum(near.sum(axis=1), 1.0) * RATE_HZ / WINDOW
    return _steady([float(f) if yes else 0.0 for f, yes in zip(hz, there, strict=True)])


def _windows(ulaw: bytes | bytearray) -> Samples:
    """Cut audio into windows of 40 ms, one every 20 ms."""
    samples = np.frombuffer(g711.decode(bytes(ulaw)), dtype="<i2").astype(np.float64)
    count = (len(samples) - WINDOW) // HOP + 1
    if count <= 0:
        return np.zeros((0, WINDOW))
    return np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP][:count]


def _power(windows: Samples, frequencies_hz: Sequence[int]) -> Samples:
    """Measure how much of each window's energy is at exactly these frequencies."""
    angle = 2j * np.pi * np.outer(np.arange(WINDOW), frequencies_hz) / RATE_HZ
    power: Samples = np.square(np.abs(windows @ np.exp(-angle))) * 2 / WINDOW
    return power


def _runs(keys: Sequence[str], least: int) -> list[tuple[str, tuple[int, int]]]:
    """Join windows of the same key; a shorter run than ``least`` is chance."""
    runs, start = [], 0
    for at in range(1, len(keys) + 1):
        if at < len(keys) and keys[at] == keys[start]:
            continue
        if keys[start] and at - start >= least:
            runs.append((keys[start], _span_ms(start, at)))
        start = at
    return runs


def _steady(frequencies_hz: Sequence[float]) -> list[ToneHeard]:
    tones, start = [], 0
    for at in range(1, len(frequencies_hz) + 1):
        more = at < len(frequencies_hz) and abs(frequencies_hz[at] - frequencies_hz[start])
        if at < len(frequencies_hz) and more <= STEADY_HZ:
            continue
        run = frequencies_hz[start:at]
        if frequencies_hz[start] and len(run) >= LEAST_TONE_WINDOWS:
            tones.append(ToneHeard(round(sum(run) / len(run)), *_span_ms(start, at)))
        start = at
    return tones


def _span_ms(first: int, stop: int) -> tuple[int, int]:
    """Tell where windows ``first`` to before ``stop`` lie; they overlap by half."""
    return first * 20, (stop + 1) * 20
