"""How often one number may call within a minute."""

from __future__ import annotations

import time
from collections import OrderedDict, deque

from voicebridge.personas.numbers import is_anonymous

MINUTE_S = 60.0
MOST_NUMBERS = 10_000


class Rate:
    """At most ``most`` happenings a minute of each key; None lets all through."""

    def __init__(self, most: int | None) -> None:
        self._most = most
        self._times: OrderedDict[str, deque[float]] = OrderedDict()

    def allows(self, key: str) -> bool:
        """Take note of a happening; False, and not counted, if it is one too many."""
        if self._most is None:
            return True
        now = time.monotonic()
        times = self._times.setdefault(key, deque())
        self._times.move_to_end(key)
        while len(self._times) > MOST_NUMBERS:
            self._times.popitem(last=False)
        while times and times[0] <= now - MINUTE_S:
            times.popleft()
        if len(times) >= self._most:
            return False
        times.append(now)
        return True


class Callers:
    """The callers of this process; those who hide their number are not told apart, nor counted."""

    def __init__(self, most_a_minute: int | None) -> None:
        self._rate = Rate(most_a_minute)

    def may_call(self, number: str) -> bool:
        """Take note of a call; False if it is one too many."""
        return is_anonymous(number) or self._rate.allows(number)
