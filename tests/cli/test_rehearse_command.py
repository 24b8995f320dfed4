"""The rehearse command as it is typed, with a recording of the caller's own."""

import io
import struct
import wave
from pathlib import Path

import pytest

from voicebridge.cli.rehearse import run_rehearsal
from voicebridge.cli.stage import Rehearsal

CONFIG = Path(__file__).parent.parent.parent / "config"


def test_the_command_tells_the_call_and_ends_by_saying_what_is_next(
    tmp_path: Path, wav_of_speech: Path
) -> None:
    out = io.StringIO()
    status = run_rehearsal(
        Rehearsal(
            config_dir=CONFIG,
            scenario="opening-hours",
            out=tmp_path / "out",
            caller_wav=wav_of_speech,
        ),
        out,
    )
    told = out.getvalue()
    assert status == 0, told
    assert "Harbour Dental" in told
    assert "hung up by the caller" in told
    assert told.rstrip().splitlines()[-2].startswith("Next: ")
    assert (tmp_path / "out" / "call.wav").stat().st_size > 10_000


@pytest.fixture
def wav_of_speech(tmp_path: Path) -> Path:
    """A recording in a format of its own: 16 kHz, with a question in it."""
    from voicebridge.audio import g711
    from voicebridge.rehearsal.voice import Voice

    pcm = g711.decode(b"\xff" * 28000 + Voice(variant="m3").speak("Are you open?").audio)
    samples = struct.unpack(f"<{len(pcm) // 2}h", pcm)
    path = tmp_path / "caller.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(struct.pack(f"<{2 * len(samples)}h", *(s for s in samples for _ in "12")))
    return path
