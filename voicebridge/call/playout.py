"""What has been sent, what has been heard, where a cut falls.

Theory. The agent's speech is laid on one line of bytes; each item of the model's owns pieces of
that line. Audio goes out in whole frames with a mark every ``MARK_EVERY_BYTES``, one before a run
that starts at an empty queue and one behind its end. ``Playhead`` turns the echoes into a
position; this class turns the position into items.

A *cut* sends the carrier a clear and, right behind it, a mark. That mark stands in an empty queue,
so its echo tells at which carrier time the clear took effect; the playhead of the generation that
was cut is then read at that time and every item on the line is settled, once:

- heard to the end, and complete: WHOLE, the model's memory is right as it is;
- heard in part, or heard so far while the model had more to say: PART, to be truncated;
- not heard at all: NONE, to be deleted.

If the echo does not come within a bounded wait the caller of this class expires the cut, and the
last round trip stands in for it. Nothing but ``_settle_cut`` computes ``audio_end_ms``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto

from voicebridge.audio.format import BYTES_PER_MS, FRAME_BYTES, whole_ms
from voicebridge.audio.framer import Framer
from voicebridge.call import commands as do
from voicebridge.call.playhead import Playhead

MARK_EVERY_BYTES = 200 * BYTES_PER_MS


class Verdict(Enum):
    """How much of an item was heard."""

    WHOLE = auto()
    PART = auto()
    NONE = auto()


@dataclass(frozen=True, slots=True)
class Settled:
    """One item, settled for good.

    ``heard_ms`` is in whole milliseconds, 0 to ``received_ms``.
    """

    item_id: str
    content_index: int
    verdict: Verdict
    heard_ms: int
    received_ms: int


@dataclass(slots=True)
class _Item:
    item_id: str
    response_id: str
    content_index: int
    received: int = 0
    heard: int = 0
    complete: bool = False


@dataclass(slots=True)
class _Piece:
    item: _Item
    start: int
    end: int


@dataclass(slots=True)
class _Cut:
    """A generation that was cleared and waits for the echo of its probe."""

    playhead: Playhead
    probe: str
    asked_at_ms: int
    pieces: deque[_Piece]
    items: list[_Item] = field(default_factory=list)


class Playout:
    """The line of the agent's speech towards one carrier stream.

    ``lead_bytes`` bounds how much may lie unheard at the carrier; None sends all at once.
    """

    def __init__(self, *, lead_bytes: int | None = None) -> None:
        self._lead = lead_bytes
        self._framer = Framer()
        self._outbox = bytearray()
        self._accepted = 0
        self._next_mark = 0
        self._run_open = False
        self._run_complete = False
        self._items: dict[str, _Item] = {}
        self._pieces: deque[_Piece] = deque()
        self._playhead = Playhead(0, 0)
        self._cuts: deque[_Cut] = deque()
        self._dropped: set[str] = set()
        self._settled: list[Settled] = []
        self._estimated = 0
        self._rtt_ms = 0

    # --- what comes in ------------------------------------------------------------------------

    def push(self, response_id: str, item_id: str, content_index: int, audio: bytes) -> bool:
        """Lay a chunk of an item on the line; False if its response was cut and it came late."""
        if response_id in self._dropped:
            return False
        item = self._items.get(item_id)
        if item is None:
            item = self._items[item_id] = _Item(item_id, response_id, content_index)
        item.received += len(audio)
        last = self._pieces[-1] if self._pieces else None
        start = self._lay(audio)
        if last is not None and last.item is item and last.end == start:
            last.end = self._accepted
        else:
            self._pieces.append(_Piece(item, start, self._accepted))
        return True

    def say(self, audio: bytes) -> None:
        """Lay a phrase of our own on the line: no item of the model's owns it."""
        self._lay(audio)
        self._close_run()

    def finish(self, item_id: str) -> None:
        """Say that an item has all its audio; the last frame is filled up with silence."""
        item = self._items.get(item_id)
        if item is not None:
            item.complete = True
        self._close_run()

    def finish_response(self, response_id: str) -> None:
        """Say that no more audio comes for any item of a response."""
        for item in list(self._items.values()):
            if item.response_id == response_id and not item.complete:
                self.finish(item.item_id)

    def echoed(self, name: str, at_ms: int) -> None:
        """Take in a mark that came back; a name that is not ours is passed over."""
        for cut in self._cuts:
            cut.playhead.echo(name, at_ms)
        if self._playhead.echo(name, at_ms) and self._playhead.rtt_ms is not None:
            self._rtt_ms = self._playhead.rtt_ms
        while self._cuts and any(cut.probe == name for cut in self._cuts):
            self._settle_cut(self._cuts.popleft(), at_ms)

    # --- what goes out ------------------------------------------------------------------------

    def take(self, at_ms: int) -> list[do.Command]:
        """Return the audio and marks that may go to the carrier now, in order."""
        out: list[do.Command] = []
        playhead = self._playhead
        allowed = len(self._outbox)
        if self._lead is not None:
            room = playhead.heard(at_ms) + self._lead - playhead.sent
            allowed = min(allowed, max(0, room - room % FRAME_BYTES))
        while allowed:
            if not self._run_open:
                out.append(do.SendMark(playhead.mark(at_ms, opens=True)))
                self._run_open, self._next_mark = True, playhead.sent + MARK_EVERY_BYTES
            size = min(allowed, self._next_mark - playhead.sent)
            out.append(do.SendAudio(bytes(self._outbox[:size])))
            del self._outbox[:size]
            allowed -= size
            playhead.sent += size
            if playhead.sent == self._next_mark:
                out.append(do.SendMark(playhead.mark(at_ms)))
                self._next_mark += MARK_EVERY_BYTES
        if self._run_complete and self._run_open and not self._outbox:
            if playhead.sent != self._next_mark - MARK_EVERY_BYTES:
                out.append(do.SendMark(playhead.mark(at_ms)))
            self._run_open = False
        return out

    # --- what was heard -----------------------------------------------------------------------

    def drained(self, at_ms: int) -> bool:
        """Whether everything on the line has been played, by its marks and by the clock.

        A carrier that returns marks at once is not believed before the time has passed.
        """
        return not self._playhead.outstanding and self._playhead.heard(at_ms) >= self._accepted

    @property
    def cutting(self) -> bool:
        """Whether a cut waits for the carrier to say when it took effect."""
        return bool(self._cuts)

    @property
    def estimated(self) -> int:
        """How many positions had to be estimated because an echo was missing or untrue."""
        return self._estimated + self._playhead.estimated

    def unheard_ms(self, at_ms: int) -> int:
        """Tell how many milliseconds of the line are still to be heard."""
        return whole_ms(self._accepted - self._playhead.heard(at_ms))

    def advance(self, at_ms: int) -> None:
        """Bring the items up to the playhead: those complete and heard to the end are settled."""
        heard = self._playhead.heard(at_ms)
        while self._pieces and self._pieces[0].end <= heard:
            piece = self._pieces.popleft()
            piece.item.heard += piece.end - piece.start
        for item in list(self._items.values()):
            if item.complete and item.heard == item.received:
                del self._items[item.item_id]
                self._settle(item)

    def take_settled(self) -> list[Settled]:
        """Return the items settled since the last call, in the order they were spoken."""
        settled, self._settled = self._settled, []
        return settled

    # --- the cut ------------------------------------------------------------------------------

    def cut(self, at_ms: int) -> list[do.Command]:
        """Stop the playout at once and drop what the model still sends for these responses.

        Returns the clear and its probe, which go out before anything else; nothing if all was
        heard already. Items are settled when the probe comes back, or by ``expire_cuts``.
        """
        self.advance(at_ms)
        for item in self._items.values():
            self._dropped.add(item.response_id)
        old, silent = self._playhead, self._accepted <= self._playhead.heard(at_ms)
        if silent and not self._items:
            return []
        self._estimated += old.estimated
        old.close()
        self._playhead = Playhead(old.generation + 1, self._accepted)
        self._framer.drop()
        self._outbox.clear()
        self._run_open = self._run_complete = False
        cut = _Cut(old, "", at_ms, self._pieces, list(self._items.values()))
        self._pieces, self._items = deque(), {}
        if silent:
            self._settle_cut(cut, at_ms)
            return []
        cut.probe = self._playhead.mark(at_ms, opens=True)
        self._cuts.append(cut)
        return [do.SendClear(), do.SendMark(cut.probe)]

    def drop_response(self, response_id: str) -> None:
        """Take nothing more of a response that was cut before it became audible."""
        self._dropped.add(response_id)

    def expire_cuts(self, at_ms: int) -> None:
        """Settle the cuts whose probe did not come back in time, by the last round trip."""
        while self._cuts:
            cut = self._cuts.popleft()
            self._estimated += 1
            self._settle_cut(cut, min(at_ms, cut.asked_at_ms + self._rtt_ms))

    def _settle_cut(self, cut: _Cut, effect_ms: int) -> None:
        heard = cut.playhead.heard(effect_ms)
        for piece in cut.pieces:
            piece.item.heard += max(0, min(piece.end, heard) - piece.start)
        for item in cut.items:
            self._settle(item)

    def _settle(self, item: _Item) -> None:
        heard_ms, received_ms = whole_ms(item.heard), whole_ms(item.received)
        if item.complete and item.heard == item.received:
            verdict = Verdict.WHOLE
        else:
            verdict = Verdict.PART if heard_ms else Verdict.NONE
        self._settled.append(
            Settled(item.item_id, item.content_index, verdict, heard_ms, received_ms)
        )

    # --- the line -----------------------------------------------------------------------------

    def _lay(self, audio: bytes) -> int:
        """Put bytes on the line and return the position of the first."""
        start = self._accepted
        self._accepted += len(audio)
        self._outbox += self._framer.push(audio)
        self._run_complete = False
        return start

    def _close_run(self) -> None:
        if held := len(self._framer):
            self._outbox += self._framer.flush()
            self._accepted += FRAME_BYTES - held
        self._run_complete = True
