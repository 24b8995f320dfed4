"""Play out what arrives at a telephone, and know exactly what was heard.

The queue is never stored apart: what has been received is one line of bytes, a playhead walks
along it, and what lies ahead of the playhead is queued. That gives the whole theory:

- ``tick`` moves the playhead by up to one frame, 160 bytes; where nothing is queued the ear
  gets silence.
- a mark stands at the end of what had been received when it came. It is sent back as soon as
  the playhead reaches it, at once if it is already there.
- ``clear`` moves the playhead to the end without playing. Every mark it jumps over is sent back
  as well: on the wire that looks the same, in the log it does not count as played.

So every received byte is played once, or dropped by one clear, or still queued. There is no
clock here: the moment comes in as ``at``, the carrier's clock advances 20 ms with each tick.
"""

from __future__ import annotations

from collections import deque

from voicebridge.rehearsal.phone_log import Clear, Mark, PhoneLog, PlayedSpan, Received

FRAME_MS = 20
BYTES_PER_MS = 8
FRAME_BYTES = FRAME_MS * BYTES_PER_MS
SILENCE_FRAME = b"\xff" * FRAME_BYTES
QUEUE_LIMIT_BYTES = 10 * 60 * 1000 * BYTES_PER_MS


class Phone:
    """A telephone at the end of one media stream; writes its truth into ``log``."""

    def __init__(self, log: PhoneLog) -> None:
        self.log = log
        self._playhead = 0
        self._pending: deque[Mark] = deque()

    @property
    def carrier_ms(self) -> int:
        """Tell how much has been played out, silence included."""
        return len(self.log.heard_audio) // BYTES_PER_MS

    @property
    def playhead(self) -> int:
        """Tell the received offset of the next byte to play."""
        return self._playhead

    @property
    def queued_bytes(self) -> int:
        """Tell how much is waiting to be played."""
        return len(self.log.received_audio) - self._playhead

    def upcoming(self, length_ms: int) -> bytes:
        """Give what will be played next, at most so much of it."""
        end = self._playhead + length_ms * BYTES_PER_MS
        return bytes(self.log.received_audio[self._playhead : end])

    def receive(self, audio: bytes, at: float) -> int:
        """Queue mu-law audio of any length; return how many bytes found no room.

        The queue holds ten minutes (Twilio Media Streams, section 5).
        """
        log = self.log
        kept = audio[: max(0, QUEUE_LIMIT_BYTES - self.queued_bytes)]
        if kept:
            log.received.append(Received(at, len(log.received_audio), len(kept), self.carrier_ms))
            log.received_audio += kept
        refused = len(audio) - len(kept)
        log.refused_bytes += refused
        return refused

    def mark(self, name: str, at: float) -> list[str]:
        """Set a mark behind all that was received; return the names to send back now."""
        mark = Mark(name, at, len(self.log.received_audio))
        self.log.marks.append(mark)
        self._pending.append(mark)
        return self._echo_reached(at, played=True)

    def clear(self, at: float, arrived_at: float | None = None) -> list[str]:
        """Drop what is queued; return the names of all marks still pending."""
        self.log.clears.append(self._drop(at, at if arrived_at is None else arrived_at))
        return self._echo_reached(at, played=False)

    def close(self, at: float) -> None:
        """End the stream: what is queued is lost, pending marks are never sent back."""
        if self.queued_bytes:
            self.log.lost_at_close.append(self._drop(at, at))
        self._pending.clear()

    def tick(self, caller_frame: bytes, at: float) -> list[str]:
        """Send 20 ms of the caller and play 20 ms to the ear; return the names to send back.

        The frame that was played is the last 160 bytes of ``log.heard_audio``.
        """
        log = self.log
        log.sent_audio += caller_frame
        log.frames_sent += 1
        if not self.queued_bytes:
            log.heard_audio += SILENCE_FRAME
            return []
        self._play(at)
        return self._echo_reached(at, played=True)

    def _play(self, at: float) -> None:
        log = self.log
        piece = log.received_audio[self._playhead : self._playhead + FRAME_BYTES]
        if log.first_agent_audio_at is None:
            log.first_agent_audio_at = at
        last = log.played[-1] if log.played else None
        joins = last is not None and last.end_offset == self._playhead
        if last is not None and joins and last.carrier_ms * 8 + last.nbytes == len(log.heard_audio):
            last.nbytes += len(piece)
        else:
            log.played.append(PlayedSpan(self.carrier_ms, self._playhead, len(piece)))
        self._playhead += len(piece)
        log.heard_audio += piece
        log.heard_audio += SILENCE_FRAME[len(piece) :]

    def _drop(self, at: float, arrived_at: float) -> Clear:
        dropped = Clear(at, self.carrier_ms, self._playhead, self.queued_bytes, arrived_at)
        self._playhead += self.queued_bytes
        return dropped

    def _echo_reached(self, at: float, *, played: bool) -> list[str]:
        names: list[str] = []
        while self._pending and self._pending[0].received_offset <= self._playhead:
            mark = self._pending.popleft()
            mark.echoed_at, mark.echoed_ms, mark.played = at, self.carrier_ms, played
            names.append(mark.name)
        return names
