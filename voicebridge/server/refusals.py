"""What was refused: counted all of it, and told in the log no oftener than is read."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import structlog

log = structlog.get_logger(__name__)

EVERY_S = 10.0
"""A kind of refusal is told at once, and then no sooner than this again: strangers write no log."""


class Refusals:
    """Counts refusals by their kind; ``on_note`` hears of each."""

    def __init__(self) -> None:
        self._counted: Counter[str] = Counter()
        self._told: dict[str, tuple[float, int]] = {}
        self.on_note: Callable[[], None] = _nothing

    @property
    def counted(self) -> Counter[str]:
        """How many there were of each kind."""
        return self._counted

    def note(self, kind: str, **details: object) -> None:
        """Count one; the line that tells of it says how many there were since the last line."""
        self._counted[kind] += 1
        self.on_note()
        at, told = self._told.get(kind, (-EVERY_S, 0))
        now = time.monotonic()
        if now - at >= EVERY_S:
            count = self._counted[kind]
            self._told[kind] = now, count
            log.warning(kind, **details, count=count - told)


def _nothing() -> None:
    return None
