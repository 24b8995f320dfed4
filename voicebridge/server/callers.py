"""How often one number may call within a minute."""

from __future__ import annotations

import time

from voicebridge.personas.numbers import is_anonymous
from voicebridge.server.crew.board import Board


class Rate:
    """At most ``most`` happenings a minute of each key, over all workers; None lets all through.

    ``about`` keeps apart what is counted on the same board.
    """

    def __init__(self, most: int | None, board: Board | None = None, about: str = "") -> None:
        self._most, self._board, self._about = most, board or Board.alone(), about

    def allows(self, key: str) -> bool:
        """Take note of a happening; False, and not counted, if it is one too many."""
        if self._most is None:
            return True
        name, now = f"{self._about}:{key}", time.monotonic()
        with self._board.lock:
            if self._board.happened.count(name, now) >= self._most:
                return False
            self._board.happened.add(name, now)
        return True


class Callers:
    """The callers of this node; those who hide their number are not told apart, nor counted."""

    def __init__(self, most_a_minute: int | None, board: Board | None = None) -> None:
        self._rate = Rate(most_a_minute, board, "caller")

    def may_call(self, number: str) -> bool:
        """Take note of a call; False if it is one too many."""
        return is_anonymous(number) or self._rate.allows(number)
