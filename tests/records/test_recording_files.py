"""The file of a recording: whole at every moment, whatever happens to the disk or to the bridge."""

from __future__ import annotations

import asyncio
import base64
import errno
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from wav_reader import read

from voicebridge.records import recording as module
from voicebridge.records.record import CallRecord
from voicebridge.records.recording import MOST_WAITING, STRETCH, Recording, Recordings, sweep
from voicebridge.records.wav import HEADER_BYTES, StereoFile, header

FRAMES = 1000
"""Twenty seconds."""


@pytest.fixture
def recordings(tmp_path: Path) -> Iterator[Recordings]:
    made = Recordings(tmp_path)
    yield made
    made.close()


def record() -> CallRecord:
    return CallRecord("CA1", "desk", "+1", "+2", datetime.now(UTC))


def begun(recordings: Recordings, call_id: str = "CA1") -> Recording:
    recording = recordings.begin(call_id)
    assert recording is not None
    return recording


def speak(recording: Recording, frames: int = FRAMES, first: int = 0) -> bytes:
    """Let the caller send frames that are all different; returns their audio."""
    said = b"".join(n.to_bytes(2, "big") * 80 for n in range(first, first + frames))
    for n in range(frames):
        payload = base64.b64encode(said[160 * n : 160 * n + 160]).decode()
        recording.hear(payload, 20 * (first + n))
    return said


def kept(directory: Path) -> list[str]:
    return sorted(str(file.relative_to(directory)) for file in directory.glob("*/*"))


def written(recordings: Recordings) -> None:
    """Wait until the writer has done what it was given."""
    recordings._writer.submit(int).result(5)


async def test_a_recording_holds_both_sides_and_is_named_in_the_record(
    recordings: Recordings, tmp_path: Path
) -> None:
    recording = begun(recordings)
    said = speak(recording, 300)
    recording.heard(8000, b"h" * 400)
    said += speak(recording, 250, first=300)
    closed = record()
    await recording.close(closed)
    wav = read(tmp_path / "CA1" / "recording.wav")
    assert wav.left == said
    assert wav.right == b"\xff" * 8000 + b"h" * 400 + b"\xff" * (len(said) - 8400)
    assert (closed.to_dict()["recording"], closed.problems) == ("recording.wav", [])


async def test_a_further_stream_of_the_call_has_a_file_of_its_own(
    recordings: Recordings, tmp_path: Path
) -> None:
    names = []
    for _ in range(3):
        recording, closed = begun(recordings), record()
        speak(recording, 10)
        await recording.close(closed)
        names.append(closed.recording)
    assert names == ["recording.wav", "recording-2.wav", "recording-3.wav"]
    assert kept(tmp_path) == sorted(f"CA1/{name}" for name in names)


async def test_a_call_without_a_sound_leaves_no_file(
    recordings: Recordings, tmp_path: Path
) -> None:
    closed = record()
    await begun(recordings).close(closed)
    assert closed.recording is None
    assert kept(tmp_path) == []


def test_where_no_records_are_kept_there_is_no_recording() -> None:
    assert Recordings(None).begin("CA1") is None


async def test_a_bridge_that_is_killed_leaves_a_file_up_to_a_few_seconds_before(
    recordings: Recordings, tmp_path: Path
) -> None:
    recording = begun(recordings)
    said = speak(recording)
    written(recordings)
    wav = read(tmp_path / "CA1" / "recording.wav")
    assert wav.left == said[: len(wav.left)]
    assert len(wav.left) == len(said) - 5 * 8000
    await recording.close(record())


def test_what_was_half_written_is_no_part_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    file = StereoFile(path)
    file.append(b"lrlr")
    file.close()
    with path.open("ab") as half:
        half.write(b"half of the ne")
    assert read(path) == (b"ll", b"rr")


async def test_a_full_disk_ends_the_recording_and_nothing_else(
    recordings: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room, whole = 40_000, StereoFile._write

    def write(self: StereoFile, data: bytes) -> None:
        if self._data_bytes + len(data) > room and len(data) > HEADER_BYTES:
            whole(self, data[: room - self._data_bytes])
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(self, data)

    monkeypatch.setattr(StereoFile, "_write", write)
    recording, closed = begun(recordings), record()
    said = speak(recording)
    written(recordings)
    speak(recording, first=FRAMES)
    closed.frames_received = 2 * FRAMES
    await recording.close(closed)
    path = tmp_path / "CA1" / "recording.wav"
    wav = read(path)
    assert 0 < len(wav.left) <= room // 2
    assert wav.left == said[: len(wav.left)]
    assert path.stat().st_size == HEADER_BYTES + 2 * len(wav.left)
    assert closed.recording == "recording.wav"
    (problem,) = closed.problems
    assert problem.what == "the recording is not complete: No space left on device"


async def test_a_disk_that_takes_nothing_leaves_no_file(
    recordings: Recordings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(self: StereoFile, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(StereoFile, "_write", write)
    recording, closed = begun(recordings), record()
    speak(recording, 10)
    await recording.close(closed)
    assert closed.recording is None
    assert len(closed.problems) == 1
    assert kept(tmp_path) == []


async def test_a_disk_that_is_too_slow_takes_no_memory_without_end(
    recordings: Recordings, tmp_path: Path
) -> None:
    slow = threading.Event()
    recordings._writer.submit(slow.wait, 10)
    recording, closed = begun(recordings), record()
    speak(recording, (MOST_WAITING + 20) * STRETCH)
    assert len(recording._waiting) == MOST_WAITING
    assert len(recording._frames) < STRETCH
    slow.set()
    await recording.close(closed)
    (problem,) = closed.problems
    assert problem.what == "the recording is not complete: the disk is too slow"


async def test_a_call_does_not_wait_for_ever_for_its_recording(
    recordings: Recordings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CLOSE_WITHIN_S", 0.01)
    stuck = threading.Event()
    recordings._writer.submit(stuck.wait, 10)
    recording, closed = begun(recordings), record()
    speak(recording, 10)
    await recording.close(closed)
    stuck.set()
    assert [problem.what for problem in closed.problems] == [
        "the recording is not complete: it could not be written in time"
    ]


def test_the_header_says_what_a_player_needs(tmp_path: Path) -> None:
    assert len(header(0)) == HEADER_BYTES == 58
    path = tmp_path / "a.wav"
    file = StereoFile(path)
    assert read(path) == (b"", b"")
    file.append(b"lr" * 8000)
    assert read(path) == (b"l" * 8000, b"r" * 8000)
    file.close()


# --- how long they are kept -----------------------------------------------------------------------


def an_archive(directory: Path) -> None:
    """Three calls with their files, a day, ten and a hundred days old."""
    for call_id, days in (("new", 1), ("old", 10), ("older", 100)):
        (directory / call_id).mkdir()
        for name in ("recording.wav", "recording-2.wav", "record.json"):
            file = directory / call_id / name
            file.write_bytes(b"x")
            os.utime(file, (0, 1e9 - days * 86_400))


def test_recordings_that_are_too_old_are_deleted_and_nothing_else(tmp_path: Path) -> None:
    an_archive(tmp_path)
    assert sweep(tmp_path, 30, now=1e9) == 2
    assert sweep(tmp_path, 30, now=1e9) == 0
    assert [name for name in kept(tmp_path) if name.startswith("older")] == ["older/record.json"]
    assert len(kept(tmp_path)) == 7


async def test_a_bridge_deletes_them_while_it_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_archive(tmp_path)
    swept, sleep = asyncio.Event(), asyncio.sleep

    async def tell(seconds: float) -> None:
        swept.set()
        await sleep(seconds)

    monkeypatch.setattr("voicebridge.records.recording.asyncio.sleep", tell)
    async with Recordings(tmp_path, days=1).sweeping(), asyncio.timeout(5):
        await swept.wait()
    assert [name for name in kept(tmp_path) if "recording" in name] == []
    async with Recordings(tmp_path).sweeping():
        pass


async def test_a_recording_that_cannot_be_deleted_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_archive(tmp_path)
    unlink = Path.unlink

    def refuse(self: Path, missing_ok: bool = False) -> None:
        if "older" in str(self):
            raise PermissionError(errno.EACCES, "Permission denied")
        unlink(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    assert sweep(tmp_path, 5, now=1e9) == 2
