"""The clears that were sent and wait for the carrier to say when they took effect."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from voicebridge.audio.format import whole_ms
from voicebridge.call.ledger import Ledger, Settled, Verdict
from voicebridge.call.playhead import Playhead


@dataclass(slots=True)
class Stop:
    """A generation of the line that was cleared.

    ``heard`` is the position up to which it was played, once that is known.
    """

    playhead: Playhead
    asked_at_ms: int
    ledger: Ledger
    heard: int | None = None

    @property
    def probe(self) -> str:
        """The name of the mark right behind the clear."""
        return f"{self.playhead.generation}:clear:{self.playhead.sent}"


class Stops:
    """The cuts of a line, in order, and its pause if there is one."""

    __slots__ = (
        "_cuts",
        "_known",
        "_settled",
        "estimated",
        "pause",
    )

    def __init__(self) -> None:
        self.pause: Stop | None = None
        self.estimated = 0
        self._cuts: deque[Stop] = deque()
        self._settled: list[Settled] = []
        self._known: set[str] = set()

    @property
    def settling(self) -> bool:
        """Whether a stop waits for its probe."""
        return bool(self._cuts) or (self.pause is not None and self.pause.heard is None)

    def new(self, playhead: Playhead, at_ms: int, ledger: Ledger, heard: int | None = None) -> Stop:
        """Make a stop of a generation: from now on its marks may be returned unplayed."""
        self.estimated += playhead.estimated
        playhead.close(heard)
        return Stop(playhead, at_ms, ledger, heard)

    def cut(self, stop: Stop) -> None:
        """Settle the items of a stop, as soon as it is known what was heard."""
        self._known |= stop.ledger.items()
        if self.pause is stop:
            self.pause = None
        if stop.heard is None:
            self._cuts.append(stop)
        else:
            self._settled += stop.ledger.settle(stop.heard)

    def too_late(self, item_id: str, content_index: int, size_bytes: int) -> None:
        """Take note of audio that came behind its cut: an item that begins so is never heard."""
        if item_id not in self._known:
            self._known.add(item_id)
            length_ms = whole_ms(size_bytes)
            self._settled.append(Settled(item_id, content_index, Verdict.NONE, 0, length_ms))

    def echoed(self, name: str, at_ms: int) -> None:
        """Take in a mark that came back, played or returned or a probe."""
        if not self._cuts and self.pause is None:
            return
        for stop in (*self._cuts, *((self.pause,) if self.pause else ())):
            stop.playhead.echo(name, at_ms)
        while any(cut.probe == name for cut in self._cuts):
            self._settle_first(at_ms)
        if self.pause and self.pause.probe == name and self.pause.heard is None:
            self.pause.heard = self.pause.playhead.heard_at_clear(at_ms)

    def expire(self, at_ms: int, rtt_ms: int, *, awaited: bool = True) -> None:
        """Settle what is still open, each as if its clear had taken one round trip.

        Not ``awaited`` are the answers of a carrier that has hung up: none is missing.
        """
        while self._cuts:
            self.estimated += awaited
            self._settle_first(min(at_ms, self._cuts[0].asked_at_ms + rtt_ms))
        if (pause := self.pause) and pause.heard is None:
            self.estimated += 1
            pause.heard = pause.playhead.heard_at_clear(min(at_ms, pause.asked_at_ms + rtt_ms))

    @property
    def settled(self) -> bool:
        """Whether there is something to take."""
        return bool(self._settled)

    def take_settled(self) -> list[Settled]:
        """Return the items settled since the last call."""
        settled, self._settled = self._settled, []
        return settled

    def _settle_first(self, effect_ms: int) -> None:
        cut = self._cuts.popleft()
        self._settled += cut.ledger.settle(cut.playhead.heard_at_clear(effect_ms))
