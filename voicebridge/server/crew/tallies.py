"""What was spent, what has happened, which call is where: in memory that processes may share.

None of these takes a lock: whoever decides by what it reads holds the board's. A process that is
killed in the middle of a change leaves it undone.
"""

from __future__ import annotations

from hashlib import blake2b

MINUTE_S = 60.0
_WORD_BYTES = 8


class Sums:
    """Amounts by the minute, for a little more than a day."""

    MINUTES = 24 * 60 + 1
    BYTES = 2 * MINUTES * _WORD_BYTES

    def __init__(self, memory: memoryview) -> None:
        half = self.MINUTES * _WORD_BYTES
        self._minutes, self._sums = memory[:half].cast("q"), memory[half:].cast("d")

    def add(self, amount: float, now: float) -> None:
        """Add an amount."""
        minute = int(now // MINUTE_S)
        place = minute % self.MINUTES
        if self._minutes[place] != minute:
            self._sums[place] = 0.0
            self._minutes[place] = minute
        self._sums[place] += amount

    def since(self, then: float) -> float:
        """Return the sum of the minutes after the one of ``then``."""
        oldest = then // MINUTE_S
        pairs = zip(self._minutes, self._sums, strict=True)
        return sum(amount for minute, amount in pairs if minute > oldest)


class Happenings:
    """What has happened within the last minute, each by a key; the last ``MOST`` of it."""

    MOST = 10_000
    BYTES = 2 * (1 + MOST) * _WORD_BYTES

    def __init__(self, memory: memoryview) -> None:
        ends, half = 2 * _WORD_BYTES, self.MOST * _WORD_BYTES
        self._ends = memory[:ends].cast("q")  # how many are over, how many there ever were
        self._times = memory[ends : ends + half].cast("d")
        self._keys = memory[ends + half :].cast("q")

    def count(self, name: str, now: float) -> int:
        """Tell how often it has happened within the last minute; forgets what is older."""
        first, after = self._ends
        while first < after and self._times[first % self.MOST] <= now - MINUTE_S:
            first += 1
        self._ends[0] = first
        begin, end, key = first % self.MOST, after % self.MOST, _key(name)
        if first == after:
            return 0
        if begin < end:
            return self._keys[begin:end].tolist().count(key)
        return (self._keys[begin:].tolist() + self._keys[:end].tolist()).count(key)

    def add(self, name: str, now: float) -> None:
        """Take note that it has happened."""
        first, after = self._ends
        if after - first == self.MOST:
            self._ends[0] = first + 1
        self._times[after % self.MOST], self._keys[after % self.MOST] = now, _key(name)
        self._ends[1] = after + 1


class Whereabouts:
    """Which worker a call is at: of the ``MOST`` calls that were answered last."""

    MOST = 4096
    BYTES = (1 + 2 * MOST) * _WORD_BYTES

    def __init__(self, memory: memoryview) -> None:
        words, most = memory.cast("q"), self.MOST
        self._count, self._keys, self._workers = words[:1], words[1 : 1 + most], words[1 + most :]

    def note(self, call_id: str, worker: int) -> None:
        """Take note of where a call is from now on."""
        place = self._place(call_id)
        if place is None:
            place = self._count[0] % self.MOST
            self._count[0] += 1
        self._workers[place], self._keys[place] = worker, _key(call_id)

    def find(self, call_id: str) -> int | None:
        """Return the worker of a call; None if it was not noted, or too long ago."""
        place = self._place(call_id)
        return None if place is None else int(self._workers[place])

    def _place(self, call_id: str) -> int | None:
        try:
            return self._keys[: self._count[0]].tolist().index(_key(call_id))
        except ValueError:
            return None


def _key(name: str) -> int:
    """Shorten a name to eight bytes that are the same in every process."""
    written = name.encode("utf-8", "surrogateescape")
    return int.from_bytes(blake2b(written, digest_size=_WORD_BYTES).digest(), signed=True)
