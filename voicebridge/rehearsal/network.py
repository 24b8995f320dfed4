"""Delay messages as a network does: some milliseconds, some jitter, never out of order."""

from __future__ import annotations

import random
from collections import deque
from typing import Generic, TypeVar

M = TypeVar("M")

LINE_LIMIT = 100_000


class DelayLine(Generic[M]):
    """One direction of the line: what is put in comes out ``delay`` (+ 0 … ``jitter``) later.

    The delay in force is fixed when a message enters; a message never overtakes an earlier one.
    Whoever puts in what a peer sends keeps to ``LINE_LIMIT``: more under way is a broken peer.
    """

    def __init__(self, delay_ms: int, jitter_ms: int, chance: random.Random) -> None:
        self._delay_s, self._jitter_s, self._chance = delay_ms / 1000, jitter_ms / 1000, chance
        self._under_way: deque[tuple[float, float, M]] = deque()
        self._last_due = 0.0

    def __len__(self) -> int:
        return len(self._under_way)

    def put(self, message: M, now: float) -> None:
        """Send a message on its way at ``now``."""
        jitter_s = self._chance.random() * self._jitter_s if self._jitter_s else 0.0
        self._last_due = max(self._last_due, now + self._delay_s + jitter_s)
        self._under_way.append((self._last_due, now, message))

    @property
    def next_due(self) -> float:
        """Tell when the next message comes out; infinity when none is under way."""
        return self._under_way[0][0] if self._under_way else float("inf")

    def take(self, now: float) -> tuple[float, M] | None:
        """Take out the next message that is due, with the moment it was put in."""
        if not self._under_way or self._under_way[0][0] > now:
            return None
        _, entered_at, message = self._under_way.popleft()
        return entered_at, message
