"""The watch over a carrier's frames: gaps are filled with silence, a dead stream is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voicebridge.bridge.corridor import IDLE_TICK_S, Corridor

LOST_AFTER_S = 10.0
"""A carrier sends a frame every 20 ms; without any for this long the call is gone."""


class CarrierWatch:
    """Looks twice a second whether frames still come; a timer, since a task would cost more."""

    __slots__ = ("_corridor", "_due", "_frames", "_last_frame_at", "_loop", "_lost", "_timer")

    def __init__(self, corridor: Corridor, lost: Callable[[str], None]) -> None:
        """Watch what comes through a corridor; ``lost`` hears once why a stream is given up."""
        self._corridor, self._lost = corridor, lost
        self._loop = asyncio.get_running_loop()
        self._frames = 0
        self._last_frame_at = self._loop.time()
        # All calls look at the same moments, so that the loop wakes once for all of them.
        self._due = self._last_frame_at // IDLE_TICK_S * IDLE_TICK_S
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin, or go on, to watch."""
        self._due += IDLE_TICK_S
        self._timer = self._loop.call_at(self._due, self._look)

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        now = self._loop.time()
        self._corridor.tick(now - self._due)
        if self._frames != self._corridor.frames:
            self._frames, self._last_frame_at = self._corridor.frames, now
        if now - self._last_frame_at < LOST_AFTER_S:
            self.start()
        else:
            self._lost(f"no audio for {LOST_AFTER_S:g} s")
