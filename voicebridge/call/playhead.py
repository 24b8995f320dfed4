"""How far the carrier has played, from marks and the carrier's own clock.

Theory. The outgoing stream is one line of bytes. A mark of ours stands at a known position of it,
and its echo comes back on the same socket as the caller's frames, whose timestamps are the
carrier's clock. So an echo is a pair (carrier time, position), an *anchor*; from the last anchor
the playhead moves on at 8 bytes a millisecond. Two walls keep it honest: it never passes what was
sent, and, since an echo that had happened would have been read before the frame that gave us the
time, it never passes the first mark that has not come back. An underrun at the carrier is thereby
never counted as heard.

A run of audio that begins at an empty queue opens with a mark of its own: it comes back at once,
and tells when the run can have begun to play. One soon behind it tells when it did.

A clear returns the marks it jumps over, all at the moment at which it takes effect. The first mark
of a closed generation that comes too early to have been played tells that moment.

Two kinds of carrier break the rule and are found out. One never echoes, or far too late: a mark
that is overdue by a second is given up; where none came back in time before it, the clock alone is
trusted from then on, and in the next generation as well. One echoes at once: an echo that comes
sooner than the line could have been played opens no anchor. ``estimated`` counts both.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from voicebridge.audio.format import BYTES_PER_MS

ECHO_PATIENCE_MS = 1000
"""How long after its due time a mark may come back before it is given up."""

EARLY_TOLERANCE_MS = 60
"""How much sooner than computed an echo may come: three frames of the carrier's clock."""


class _Mark(NamedTuple):
    name: str
    position: int
    sent_at_ms: int
    opens: bool


class Playhead:
    """The playhead of one generation: the line from one clear to the next.

    Positions are bytes of the line, times are milliseconds of the carrier's clock.
    """

    __slots__ = (
        "_anchor",
        "_anchor_ms",
        "_answered",
        "_closed",
        "_marks",
        "_serial",
        "estimated",
        "final",
        "generation",
        "returned_ms",
        "rtt_ms",
        "sent",
        "silent",
    )

    def __init__(self, generation: int, position: int, *, silent: bool = False) -> None:
        self.generation = generation
        self.sent = position
        self.estimated = 0
        """Marks that were given up or came back sooner than they could have been reached."""
        self.rtt_ms: int | None = None
        """How long the last opening mark took to come back from an empty queue."""
        self.silent = silent
        """Whether the carrier returns no marks in time, so that only the clock can be trusted."""
        self._answered = False
        self.returned_ms: int | None = None
        """When a clear returned the first mark that it jumped over."""
        self.final: int | None = None
        """The position up to which this generation was played, once that is settled."""
        self._anchor = position
        self._anchor_ms: int | None = None
        self._marks: deque[_Mark] = deque()
        self._serial = 0
        self._closed = False

    @property
    def outstanding(self) -> int:
        """How many marks have been sent and not come back."""
        return len(self._marks)

    def mark(self, at_ms: int, *, opens: bool = False) -> str:
        """Put a mark at the end of what was sent and return its name for the wire.

        ``opens`` says that the queue is thought empty, so the echo tells when the next byte starts.
        """
        name = f"{self.generation}:{self._serial}:{self.sent}"
        self._serial += 1
        self._marks.append(_Mark(name, self.sent, at_ms, opens))
        if opens and self.silent:
            self._anchor, self._anchor_ms = self.sent, at_ms
        return name

    def next(self, position: int) -> Playhead:
        """Make the playhead of the next generation, which begins at a position."""
        return Playhead(self.generation + 1, position, silent=self.silent)

    def close(self, final: int | None = None) -> None:
        """Say that a clear has been sent: from now on an echo may be a return.

        Only one that is not early can then have been played. ``final``: see there.
        """
        self._closed, self.final = True, final

    def echo(self, name: str, at_ms: int) -> bool:
        """Take in an echo; False if the mark is not one that is awaited here.

        Marks come back in order, so those before it that did not are given up.
        """
        marks = self._marks
        if not marks:
            return False
        self._give_up_overdue(at_ms)
        if not marks or (marks[0].name != name and all(mark.name != name for mark in marks)):
            return False
        while (mark := marks.popleft()).name != name:
            self.estimated += 1
        tolerance_ms = 0 if self._closed else EARLY_TOLERANCE_MS
        if at_ms < self._due_ms(mark) - tolerance_ms:
            self.estimated += not self._closed
            if self._closed and self.returned_ms is None:
                self.returned_ms = at_ms
            return True
        if self.silent and mark.position < self.heard(at_ms):
            self.estimated += 1
            return True
        self._answered, self.silent = True, False
        if mark.opens:
            self.rtt_ms = max(0, at_ms - self._due_ms(mark))
        self._anchor, self._anchor_ms = mark.position, at_ms
        return True

    def heard_at_clear(self, at_ms: int) -> int:
        """Tell what was played when the clear took effect: at the latest at ``at_ms``."""
        self.final = self.heard(at_ms if self.returned_ms is None else min(at_ms, self.returned_ms))
        return self.final

    def reached_ms(self, position: int) -> int:
        """Tell when a position was reached that is known to have been."""
        return (self._anchor_ms or 0) + (position - self._anchor) // BYTES_PER_MS

    def heard(self, at_ms: int) -> int:
        """Tell the position up to which the line has been played at a carrier time."""
        marks = self._marks
        if marks:
            self._give_up_overdue(at_ms)
        anchor_ms = self._anchor_ms
        if anchor_ms is None or at_ms <= anchor_ms:
            played = self._anchor
            if anchor_ms is None:
                return played
        else:
            played = self._anchor + BYTES_PER_MS * (at_ms - anchor_ms)
        wall = marks[0].position if marks and not self.silent else self.sent
        return played if played < wall else wall

    def _due_ms(self, mark: _Mark) -> int:
        """Tell when the mark can come back at the earliest."""
        if self._anchor_ms is None:
            return mark.sent_at_ms
        reached_ms = self._anchor_ms + (mark.position - self._anchor) // BYTES_PER_MS
        return max(mark.sent_at_ms, reached_ms)

    def _give_up_overdue(self, at_ms: int) -> None:
        while self._marks and at_ms > (due_ms := self._due_ms(self._marks[0])) + ECHO_PATIENCE_MS:
            mark = self._marks.popleft()
            self.estimated += 1
            self.silent = not self._answered
            if mark.opens or self._anchor_ms is None:
                self._anchor, self._anchor_ms = mark.position, due_ms
