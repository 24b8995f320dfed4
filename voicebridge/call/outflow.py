"""What goes out to the carrier: whole frames with marks between them, no further than the lead."""

from __future__ import annotations

from voicebridge.audio.format import BYTES_PER_MS, FRAME_BYTES, ms_to_bytes
from voicebridge.call import commands as do
from voicebridge.call.line import Line
from voicebridge.call.playhead import Playhead

MARK_EVERY_BYTES = 200 * BYTES_PER_MS
"""The stretch of audio between two marks: five a second, or fewer, since a chunk of the model's
that goes no more than as far again beyond it stays in one piece, with its mark at its end."""

FIRST_MARK_BYTES = 60 * BYTES_PER_MS
"""Where the first mark of a run stands: soon, since only then is it known when the run began to
play; not sooner, since what lies before it must outlast the network's jitter."""

REOPENED_AFTER_MS = 100
"""A run that waited for the model is opened again no sooner than this after its last mark."""


class Outflow:
    """Sends a line, run by run.

    A *run* is audio that plays without a gap of ours: a mark opens it, one stands soon
    after and one at its end. Where the model is slower than the ear, the run is opened again.

    ``lead_ms`` bounds how much may lie unheard at the carrier; None sends all at once.
    ``keep_bytes`` of what was heard stay on the line.
    """

    __slots__ = (
        "_keep",
        "_last_mark",
        "_last_mark_ms",
        "_lead_ms",
        "_line",
        "_next_mark",
        "_run_complete",
        "_run_open",
        "_slack",
        "rtt_ms",
    )

    def __init__(self, line: Line, lead_ms: int | None, keep_bytes: int) -> None:
        self.rtt_ms = 0
        """The last round trip to the carrier and back, as far as it was measured."""
        self._line, self._lead_ms, self._keep = line, lead_ms, keep_bytes
        self._run_open = self._run_complete = False
        self._last_mark = self._last_mark_ms = self._next_mark = self._slack = 0

    def more_to_come(self) -> None:
        """Say that the run goes on."""
        self._run_complete = False

    def complete(self) -> None:
        """Say that the run ends with what is on the line; its last frame is filled up."""
        self._line.fill_frame()
        self._run_complete = True

    def stop(self) -> None:
        """Say that the carrier's queue was emptied: what comes next opens a run."""
        self._run_open = False

    def has_more(self, playhead: Playhead) -> bool:
        """Tell whether ``take`` has anything to send, or to let go of."""
        return (
            playhead.sent < self._line.end
            or (self._run_complete and self._run_open)
            or self._lead_ms is not None
            or self._keep > 0
        )

    def take(self, playhead: Playhead, heard: int, at_ms: int) -> list[do.Command]:
        """Return what may be sent now, in order, and move the playhead's ``sent``."""
        out: list[do.Command] = []
        until = self._until(playhead.sent, heard)
        while playhead.sent < until:
            if not self._run_open:
                out.append(do.SendMark(playhead.mark(at_ms, opens=True)))
                self._run_open, self._last_mark, self._last_mark_ms = True, playhead.sent, at_ms
                self._next_mark, self._slack = playhead.sent + FIRST_MARK_BYTES, 0
            elif heard >= playhead.sent and at_ms >= self._last_mark_ms + REOPENED_AFTER_MS:
                out.append(self._mark(playhead, at_ms, opens=True))
            stop = until if until <= self._next_mark + self._slack else self._next_mark
            out.append(do.SendAudio(self._line.read(playhead.sent, stop)))
            playhead.sent = stop
            if stop >= self._next_mark:
                out.append(self._mark(playhead, at_ms))
                self._slack = MARK_EVERY_BYTES
        if self._run_complete and self._run_open and playhead.sent == self._line.end:
            if playhead.sent != self._last_mark:
                out.append(self._mark(playhead, at_ms))
            self._run_open = False
        self._forget(playhead.sent, heard)
        return out

    def _mark(self, playhead: Playhead, at_ms: int, *, opens: bool = False) -> do.Command:
        self._last_mark, self._last_mark_ms = playhead.sent, at_ms
        self._next_mark = playhead.sent + MARK_EVERY_BYTES
        return do.SendMark(playhead.mark(at_ms, opens=opens))

    def _until(self, sent: int, heard: int) -> int:
        """Tell how far the line may be sent.

        What we know of the playhead is a round trip old by the time our audio arrives.
        """
        if self._lead_ms is None:
            return self._line.end
        room = max(0, heard + ms_to_bytes(self._lead_ms + self.rtt_ms) - sent)
        return min(self._line.end, sent + room - room % FRAME_BYTES)

    def _forget(self, sent: int, heard: int) -> None:
        """Keep no more of the line than a pause or a comparison would need."""
        needed = sent if self._lead_ms is None else min(sent, self._line.frame_at(heard))
        if self._keep:
            needed = min(needed, heard - self._keep)
        self._line.forget(needed)
