from __future__ import annotations

import math
import struct
import wave
from pathlib import Path

import pytest

from voicebridge.audio import g711
from voicebridge.errors import ConfigError
from voicebridge.rehearsal import wav


def sine(hz: float, rate_hz: int, seconds: float = 0.5, peak: float = 0.5) -> list[float]:
    return [
        peak * math.sin(2 * math.pi * hz * at / rate_hz) for at in range(int(rate_hz * seconds))
    ]


def packed(sample: float, width: int) -> bytes:
    if width == 1:
        return bytes([round(sample * 127) + 128])
    full = 2 ** (8 * width - 1) - 1
    return round(sample * full).to_bytes(width, "little", signed=True)


def write(path: Path, samples: list[float], rate_hz: int, width: int, channels: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate_hz)
        file.writeframes(b"".join(packed(sample, width) * channels for sample in samples))
    return path


def loudness(ulaw: bytes) -> float:
    return g711.rms(ulaw[400:-400]) / 32767


@pytest.mark.parametrize("rate_hz", [8000, 11025, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2, 4])
def test_any_pcm_is_read_at_its_length_and_loudness(
    tmp_path: Path, rate_hz: int, width: int, channels: int
) -> None:
    path = write(tmp_path / "in.wav", sine(440, rate_hz, 0.25), rate_hz, width, channels)
    ulaw = wav.read_caller(path)
    assert len(ulaw) == pytest.approx(2000, abs=2)
    assert loudness(ulaw) == pytest.approx(0.5 / math.sqrt(2), rel=0.08)


def test_what_8_khz_cannot_hold_is_filtered_and_not_folded_back(tmp_path: Path) -> None:
    high = wav.read_caller(write(tmp_path / "high.wav", sine(15000, 48000), 48000, 2, 1))
    speech = wav.read_caller(write(tmp_path / "low.wav", sine(1000, 48000), 48000, 2, 1))
    assert loudness(high) < 0.02
    assert loudness(speech) > 0.28


def test_a_stereo_file_has_the_caller_left_and_what_was_heard_right(tmp_path: Path) -> None:
    left, right = bytes(range(256)), bytes(reversed(range(200)))
    wav.write_stereo(tmp_path / "call.wav", left, right)
    with wave.open(str(tmp_path / "call.wav")) as file:
        assert file.getparams()[:4] == (2, 2, 8000, 256)
        samples = struct.unpack("<512h", file.readframes(256))
    assert struct.pack("<256h", *samples[::2]) == g711.decode(left)
    assert struct.pack("<256h", *samples[1::2]) == g711.decode(right + b"\xff" * 56)


def test_two_channels_are_mixed_so_that_neither_is_lost(tmp_path: Path) -> None:
    wav.write_stereo(tmp_path / "call.wav", b"\x10\x90" * 4000, b"\xff" * 8000)
    assert g711.rms(wav.read_caller(tmp_path / "call.wav")) > 1000


def a_float_wav() -> bytes:
    fmt = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, 8000, 32000, 4, 32)
    data = struct.pack("<4sI4f", b"data", 16, 0.0, 0.1, 0.2, 0.3)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(fmt) + len(data), b"WAVE") + fmt + data


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"ID3\x03 not a wav file at all, but long enough", a_float_wav()]
)
def test_what_is_not_a_pcm_wav_is_refused_with_the_remedy(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "caller.wav"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="not a PCM WAV file") as caught:
        wav.read_caller(path)
    assert caught.value.file == path
    assert "ffmpeg" in str(caught.value)


def test_a_file_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nobody\.wav: cannot be read: No such file"):
        wav.read_caller(tmp_path / "nobody.wav")


def test_an_empty_recording_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "empty.wav", [], 8000, 2, 1)
    with pytest.raises(ConfigError, match="holds no audio"):
        wav.read_caller(path)


def test_a_recording_of_more_than_ten_minutes_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "long.wav", [0.0] * 6010, 10, 1, 1)
    with pytest.raises(ConfigError, match="longer than 600 s"):
        wav.read_caller(path)
