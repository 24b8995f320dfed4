"""Write a call as a WAV file, and read whatever WAV file a caller's voice is kept in."""

from __future__ import annotations

import math
import warnings
import wave
from pathlib import Path
from typing import NamedTuple

from voicebridge.audio import g711
from voicebridge.audio.format import SAMPLE_RATE_HZ, silence
from voicebridge.errors import ConfigError

with warnings.catch_warnings():
    # 3.11 and 3.12 announce the removal on import; audioop-lts stands in for it from 3.13 on.
    warnings.simplefilter("ignore", DeprecationWarning)
    import audioop

LONGEST_S = 600
_REMEDY = "convert it: ffmpeg -i INPUT -ar 8000 -ac 1 -c:a pcm_s16le caller.wav"
_FILTER_POLES = 4
_FILTER_SCALE = 1 << 12


class Pcm(NamedTuple):
    """Uncompressed audio as a WAV file holds it; ``width`` is bytes per sample."""

    samples: bytes
    rate_hz: int
    width: int
    channels: int


def write_stereo(path: Path, left: bytes, right: bytes) -> None:
    """Write two mu-law channels as 16-bit PCM at 8 kHz; the shorter is filled up with silence."""
    length = max(len(left), len(right))
    one = g711.decode(bytes(left) + silence(length - len(left)))
    two = g711.decode(bytes(right) + silence(length - len(right)))
    both = audioop.add(audioop.tostereo(one, 2, 1, 0), audioop.tostereo(two, 2, 0, 1), 2)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(both)


def read_caller(path: Path) -> bytes:
    """Read a PCM WAV file of any rate, width and channels as mu-law 8 kHz mono.

    Raises ConfigError for what is not such a file, is empty, or is longer than ten minutes.
    """
    pcm = _read(path)
    mono = _to_mono_16_bit(pcm)
    if pcm.rate_hz > SAMPLE_RATE_HZ:
        mono = _low_pass(mono, pcm.rate_hz)
    if pcm.rate_hz != SAMPLE_RATE_HZ:
        mono, _ = audioop.ratecv(mono, 2, 1, pcm.rate_hz, SAMPLE_RATE_HZ, None)
    return g711.encode(mono)


def _read(path: Path) -> Pcm:
    try:
        with wave.open(str(path), "rb") as file:
            rate_hz, frames = file.getframerate(), file.getnframes()
            if rate_hz <= 0 or frames == 0:
                raise ConfigError("the WAV file holds no audio", file=path)
            if frames > LONGEST_S * rate_hz:
                raise ConfigError(f"the WAV file is longer than {LONGEST_S} s", file=path)
            width, channels = file.getsampwidth(), file.getnchannels()
            return Pcm(file.readframes(frames), rate_hz, width, channels)
    except (wave.Error, EOFError) as error:
        reason = str(error) or "it ends too early"
        raise ConfigError(f"not a PCM WAV file ({reason}); {_REMEDY}", file=path) from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror or error}", file=path) from error


def _to_mono_16_bit(pcm: Pcm) -> bytes:
    samples, width = pcm.samples, pcm.width
    samples = samples[: len(samples) - len(samples) % (width * pcm.channels)]
    if width == 1:
        samples = audioop.bias(samples, 1, -128)  # 8-bit WAV is unsigned, audioop counts signed
    if width != 2:
        samples = audioop.lin2lin(samples, width, 2)
    if pcm.channels == 1:
        return samples
    if pcm.channels == 2:
        return audioop.tomono(samples, 2, 0.5, 0.5)
    first = memoryview(samples).cast("h")[:: pcm.channels]
    return first.tobytes()


def _low_pass(mono: bytes, rate_hz: int) -> bytes:
    """Take away what 8 kHz cannot hold: four one-pole filters at 3.4 kHz, by integer weights."""
    keep = math.exp(-2 * math.pi * 3400 / rate_hz)
    new, old = round((1 - keep) * _FILTER_SCALE), round(keep * _FILTER_SCALE)
    for _ in range(_FILTER_POLES):
        mono, _ = audioop.ratecv(mono, 2, 1, rate_hz, rate_hz, None, new, old)
    return mono
