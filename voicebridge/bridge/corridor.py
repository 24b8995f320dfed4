"""The straight corridor from the caller to the model: no event, no decision, no decoding.

A valve opens when the model's session runs; what the caller said before is kept and goes first.
The model's clock is the audio it was given, so a gap in the carrier's clock is filled with
silence: a lost frame by the timestamp of the next, a carrier that sends nothing by our own clock,
so that voice-activity detection can still hear a turn end.
"""

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Callable
from typing import Protocol

from voicebridge.audio.format import BYTES_PER_MS, FRAME_MS, ms_to_bytes, silence
from voicebridge.bridge.outbox import OutboxFull
from voicebridge.call.echo import Ear

MOST_HELD = 500
"""Frames kept while the model connects: ten seconds."""

LONGEST_GAP_MS = 5000
"""A longer jump of the carrier's clock is not a gap in speech; so much of it is filled."""

IDLE_TICK_S = 0.5
"""How often the corridor looks whether the carrier still sends."""

IDLE_TICKS = 2
"""After so many ticks without a frame, silence is put in its place."""

LATE_TICK_S = 0.1
"""A tick that comes later than this says that we were late, not the carrier."""

_FRAME_PAYLOAD_CHARS = 216


class Model(Protocol):
    """Where the corridor leads."""

    def append(self, payload: str) -> None: ...


class Corridor:
    """Carries the caller's frames, base64 as they came, to the model.

    ``full`` hears of a model that reads no more; ``ear`` hears the frames that come.
    """

    __slots__ = (
        "_ear",
        "_frames_at_tick",
        "_full",
        "_held",
        "_idle_ticks",
        "_model",
        "_next_ms",
        "filled_ms",
        "frames",
        "muted",
    )

    def __init__(
        self, ear: Ear | None = None, full: Callable[[OutboxFull], None] | None = None
    ) -> None:
        self.frames = 0
        """How many frames have come."""
        self.filled_ms = 0
        """How much silence stands in place of frames that did not come."""
        self.muted = False
        """Whether the model hears silence in place of the caller, in step with the clock."""
        self._ear, self._full = ear, full
        self._model: Model | None = None
        self._held: deque[str] | None = deque(maxlen=MOST_HELD)
        self._next_ms = -1
        self._frames_at_tick = self._idle_ticks = 0

    def hear(self, payload: str, timestamp_ms: int) -> None:
        """Take one frame, stamped by the carrier's clock."""
        usual = len(payload) == _FRAME_PAYLOAD_CHARS
        duration_ms = FRAME_MS if usual else _duration_ms(payload)
        self.frames += 1
        if self._ear is not None:
            self._ear.hear(payload)
        if timestamp_ms != self._next_ms and self._off_beat(payload, timestamp_ms):
            return
        self._next_ms += duration_ms
        if self._model is None or self.muted:
            self._pass_on(_silence(duration_ms) if self.muted else payload)
            return
        try:
            self._model.append(payload)
        except OutboxFull as error:
            self._overflow(error)

    def open(self, model: Model) -> None:
        """Open the valve: what was kept goes first."""
        self._model = model
        held, self._held = self._held or (), None
        for payload in held:
            self._pass_on(payload)

    def close(self) -> None:
        """Close the valve for good: from now on the model hears nothing."""
        self._model = self._held = None

    def tick(self, late_s: float) -> None:
        """Fill in silence while the carrier sends nothing.

        ``late_s`` is how late the tick comes: if it is, frames may just not have been read.
        """
        if self.frames != self._frames_at_tick or not self.frames or late_s >= LATE_TICK_S:
            self._idle_ticks, self._frames_at_tick = 0, self.frames
            return
        self._idle_ticks += 1
        if self._idle_ticks >= IDLE_TICKS:
            ticks = IDLE_TICKS if self._idle_ticks == IDLE_TICKS else 1
            self._fill(round(ticks * IDLE_TICK_S * 1000))

    def _off_beat(self, payload: str, timestamp_ms: int) -> bool:
        """Set the clock right by a frame that does not follow the last; True if it is dropped.

        Frames that were late, not lost, find the model's clock ahead by what was filled in: silent
        ones are left out until it is right again.
        """
        ahead_ms = self._next_ms - timestamp_ms
        if self._next_ms < 0 or ahead_ms > LONGEST_GAP_MS:
            self._next_ms = timestamp_ms
        elif ahead_ms <= -FRAME_MS:
            self._fill(-ahead_ms)
            self._next_ms = timestamp_ms
        elif ahead_ms >= FRAME_MS and payload == _SILENT_PAYLOAD:
            self.filled_ms -= FRAME_MS
            return True
        elif abs(ahead_ms) < FRAME_MS:
            self._next_ms = timestamp_ms
        return False

    def _fill(self, gap_ms: int) -> None:
        gap_ms = min(gap_ms, LONGEST_GAP_MS)
        self.filled_ms += gap_ms
        self._next_ms += gap_ms
        self._pass_on(_silence(gap_ms))

    def _pass_on(self, payload: str) -> None:
        if self._model is not None:
            try:
                self._model.append(payload)
            except OutboxFull as error:
                self._overflow(error)
        elif self._held is not None:
            self._held.append(payload)

    def _overflow(self, error: OutboxFull) -> None:
        if self._full is None:
            raise error
        self._full(error)


def _silence(duration_ms: int) -> str:
    return base64.b64encode(silence(ms_to_bytes(duration_ms))).decode("ascii")


_SILENT_PAYLOAD = _silence(FRAME_MS)


def _duration_ms(payload: str) -> int:
    size_bytes = len(payload) * 3 // 4 - payload.count("=", -2)
    return size_bytes // BYTES_PER_MS
