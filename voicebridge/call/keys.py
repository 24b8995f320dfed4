"""The caller's keys: collected until a pause, then told to the model in one piece."""

from __future__ import annotations

PAUSE_S = 1.5
"""A pause this long ends an entry, as a # does."""

MOST_KEYS = 32
"""An entry this long is told at once."""


class Keys:
    """Collects the digits of one entry."""

    def __init__(self) -> None:
        self.deadline: float | None = None
        self._pressed = ""

    def pressed(self, digit: str, now: float) -> str | None:
        """Take in a key; returns the entry when it is complete."""
        self._pressed += digit
        self.deadline = now + PAUSE_S
        if digit == "#" or len(self._pressed) >= MOST_KEYS:
            return self.take()
        return None

    def take(self) -> str:
        """Return what was pressed and start anew."""
        entry, self._pressed, self.deadline = self._pressed, "", None
        return entry
