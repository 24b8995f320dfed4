"""The one timer of a call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """Rings when a deadline has passed that may move at any time.

    ``deadline`` tells it, in the loop's seconds, or None; ``ring`` is called once it has passed.
    """

    __slots__ = ("_deadline", "_loop", "_ring", "_set_for", "_timer")

    def __init__(self, deadline: Callable[[], float | None], ring: Callable[[], None]) -> None:
        self._deadline, self._ring = deadline, ring
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._set_for: float | None = None

    def check(self) -> None:
        """See to it that it rings at the deadline.

        Most events move the deadline further away: the timer stands, and looks again when it is
        due.
        """
        deadline = self._deadline()
        if deadline is None or (self._set_for is not None and self._set_for <= deadline):
            return
        self.stop()
        self._set_for = deadline
        self._timer = self._loop.call_at(deadline, self._due)

    def stop(self) -> None:
        """Ring no more, until the next check."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._set_for = None

    def _due(self) -> None:
        self._timer = self._set_for = None
        deadline = self._deadline()
        if deadline is not None and deadline <= self._loop.time():
            self._ring()
        else:
            self.check()
