"""The sound of a call, as it was sent and heard, in a file beside its record.

The call hands over what it has in stretches of two seconds; one thread for all calls puts them
together and writes them. So a slow disk holds up no frame, and a bridge that is killed leaves a
file that ends a few seconds before it.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

import structlog

from voicebridge.audio.format import FRAME_BYTES, FRAME_MS, ms_to_bytes
from voicebridge.call import commands as do
from voicebridge.records.mixing import Mixer
from voicebridge.records.record import CallRecord
from voicebridge.records.store import call_folder
from voicebridge.records.wav import StereoFile

log = structlog.get_logger(__name__)

STRETCH = 100
"""So many frames, two seconds, are handed over at once."""

MOST_WAITING = 15
"""A recording of which more stretches than this wait to be written is given up."""

CLOSE_WITHIN_S = 5.0
SWEEP_EVERY_S = 3600.0
_DAY_S = 86_400

_Step = Callable[[Mixer], None]


class Recording:
    """One recording. Its methods never wait, save ``close``."""

    def __init__(self, folder: Path, writer: ThreadPoolExecutor) -> None:
        self.name: str | None = None
        """The file's name in the call's folder; None if there is nothing to keep."""
        self.fault: str | None = None
        """Why the recording ends before the call, if it does."""
        self._folder, self._writer = folder, writer
        self._mixer = Mixer()
        self._file: StereoFile | None = None
        self._frames: list[tuple[int, str]] = []
        self._steps: list[_Step] = []
        self._waiting: deque[Future[None]] = deque()

    def hear(self, payload: str, timestamp_ms: int) -> None:
        """Keep one frame of the caller, base64 as it came."""
        self._frames.append((timestamp_ms, payload))
        if len(self._frames) >= STRETCH:
            self._hand_over()

    def heard(self, at_bytes: int, audio: bytes) -> None:
        """Keep what the caller heard from a moment of the carrier's clock on."""
        self._steps.append(lambda mixer: mixer.agent(at_bytes, audio))

    def mute(self, clock_ms: int, muted: bool) -> None:
        """Keep nothing of the caller from the next frame on, or keep it again."""
        at = ms_to_bytes(clock_ms) + FRAME_BYTES
        self._steps.append(lambda mixer: mixer.mute(at, muted))

    def key(self, clock_ms: int) -> None:
        """Keep no tone of the key that was pressed now."""
        at = ms_to_bytes(clock_ms) + FRAME_BYTES
        self._steps.append(lambda mixer: mixer.key(at))

    async def close(self, record: CallRecord) -> None:
        """Write what is left, close the file, and name it in the call's record."""
        try:
            last = self._writer.submit(self._write, self._frames, self._steps, last=True)
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await asyncio.wrap_future(last)
        except TimeoutError:
            self.fault = self.fault or "it could not be written in time"
        except RuntimeError:  # the writer takes nothing any more
            self.fault = self.fault or "the bridge went down before the call was over"
        record.recording = self.name
        if self.fault is not None:
            at_ms = record.frames_received * FRAME_MS
            record.note(do.NoteProblem(at_ms, f"the recording is not complete: {self.fault}"))

    def _hand_over(self) -> None:
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        if len(self._waiting) >= MOST_WAITING:
            self.fault = self.fault or "the disk is too slow"
        frames, self._frames = self._frames, []
        steps, self._steps = self._steps, []
        if self.fault is None:
            self._waiting.append(self._writer.submit(self._write, frames, steps))

    # --- in the writer's thread ---------------------------------------------------------------

    def _write(
        self, frames: list[tuple[int, str]], steps: list[_Step], *, last: bool = False
    ) -> None:
        try:
            if self.fault is None:
                self._append(frames, steps, last=last)
        except OSError as error:
            self.fault = error.strerror or str(error)
        except ValueError as error:
            self.fault = f"a frame that is not base64: {error}"
        if self._file is not None and (last or self.fault):
            with suppress(OSError):
                self._file.close()
            self._file = None

    def _append(self, frames: list[tuple[int, str]], steps: list[_Step], *, last: bool) -> None:
        mixer = self._mixer
        for timestamp_ms, payload in frames:
            mixer.caller(ms_to_bytes(timestamp_ms), base64.b64decode(payload))
        for step in steps:
            step(mixer)
        if samples := mixer.take(all_of_it=last):
            if self._file is None:
                self._file = self._open()
            self._file.append(samples)

    def _open(self) -> StereoFile:
        """Open a file under the first name that is free: a call may have several streams."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for number in itertools.count(1):
            name = "recording.wav" if number == 1 else f"recording-{number}.wav"
            with suppress(FileExistsError):
                file = StereoFile(self._folder / name)
                self.name = name
                return file
        raise AssertionError("counting has no end")


class Recordings:
    """The recordings of all calls, kept for ``days`` where records are kept at all."""

    def __init__(self, directory: Path | None, days: int | None = None) -> None:
        self._directory, self._days, self._told = directory, days, False
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="recording")

    def begin(self, call_id: str) -> Recording | None:
        """Begin the recording of a call; None where nothing is kept."""
        if self._directory is None:
            if not self._told:
                log.warning("nothing_is_recorded", why="records.directory is not set")
            self._told = True
            return None
        return Recording(call_folder(self._directory, call_id), self._writer)

    def close(self) -> None:
        """Take no further recordings; those that are closed are still written."""
        self._writer.shutdown(wait=False)

    @asynccontextmanager
    async def sweeping(self) -> AsyncIterator[None]:
        """Delete what is too old, now and then, for the length of the context."""
        sweeper = asyncio.create_task(self._keep_sweeping())
        try:
            yield
        finally:
            sweeper.cancel()
            with suppress(asyncio.CancelledError):
                await sweeper

    async def _keep_sweeping(self) -> None:
        if self._directory is None or self._days is None:
            return
        while True:
            await asyncio.to_thread(partial(sweep, self._directory, self._days, time.time()))
            await asyncio.sleep(SWEEP_EVERY_S)


def sweep(directory: Path, days: int, now: float) -> int:
    """Delete the recordings that were last written more than so many days ago; return how many."""
    gone = 0
    for file in directory.glob("*/recording*.wav"):
        try:
            if file.stat().st_mtime < now - days * _DAY_S:
                file.unlink()
                gone += 1
        except OSError as error:
            log.warning("recording_not_deleted", error=str(error))
    if gone:
        log.info("recordings_deleted", count=gone, older_than_days=days)
    return gone
