"""What has been sent, what has been heard, where a cut falls.

Theory. The agent's speech is laid on one line of bytes (``Line``); each item of the model's owns
pieces of it (``Ledger``). Audio goes out with marks at known positions (``Outflow``). Their echoes
become a position (``Playhead``), and the ledger turns the position into items.

A *cut* sends the carrier a clear and, right behind it, a mark. That mark, the probe, stands in an
empty queue, so its echo tells at which carrier time the clear took effect; the playhead of the
generation that was cut is then read at that time and every item on the line is settled, once:
heard to the end and complete is WHOLE; heard in part, or heard so far while the model had more to
say, is PART; not heard at all is NONE.

A *pause* stops the sound in the same way and settles nothing: what was not heard is kept and goes
out again from the frame in which it stopped, or is cut after all.

If a probe does not come back within a bounded wait, the owner of this class lets it expire, and
the last round trip stands in for it (``Stops``).
"""

from __future__ import annotations

from dataclasses import dataclass

from voicebridge.audio.format import whole_ms
from voicebridge.call import commands as do
from voicebridge.call.ledger import Ledger, Settled, Verdict
from voicebridge.call.line import Line
from voicebridge.call.outflow import Outflow
from voicebridge.call.playhead import Playhead
from voicebridge.call.stops import Stops

__all__ = ["Hearing", "Playout", "Settled", "Verdict"]


@dataclass(frozen=True, slots=True)
class Hearing:
    """The ear at one moment.

    ``drained``: everything was played, by its marks and by the clock (a carrier that returns marks
    at once is not believed before the time has passed). ``response_id``: whose words are heard or
    next, None for a phrase of ours. ``waiting``: audio waits here for room at the carrier, so
    ``take`` is to be asked again soon. ``settling``: a stop waits for its probe.
    ``estimated``: how many positions so far had to be estimated because an echo was missing or
    untrue.
    """

    unheard_ms: int
    drained: bool
    response_id: str | None
    waiting: bool
    settling: bool
    paused: bool
    estimated: int


class Playout:
    """The agent's speech towards one carrier stream; times are the carrier's clock.

    ``lead_ms`` bounds how much may lie unheard at the carrier; None sends all at once, and then
    nothing can be paused. ``keep_bytes`` of what was heard stay at hand for ``played``.
    """

    __slots__ = (
        "_dropped",
        "_ledger",
        "_line",
        "_outflow",
        "_playhead",
        "_resume",
        "_stops",
    )

    def __init__(self, *, lead_ms: int | None = None, keep_bytes: int = 0) -> None:
        self._line, self._ledger = Line(), Ledger()
        self._outflow = Outflow(self._line, lead_ms, keep_bytes)
        self._playhead = Playhead(0, 0)
        self._stops = Stops()
        self._dropped: set[str] = set()
        self._resume = False

    # --- what comes in ------------------------------------------------------------------------

    def push(self, response_id: str, item_id: str, content_index: int, audio: bytes) -> bool:
        """Lay a chunk of an item on the line; False if its response was cut and it came late."""
        if response_id in self._dropped:
            self._stops.too_late(item_id, content_index, len(audio))
            return False
        self._ledger.add(response_id, item_id, content_index, self._line.lay(audio))
        self._outflow.more_to_come()
        return True

    def say(self, audio: bytes) -> None:
        """Lay a phrase of our own on the line: no item of the model's owns it."""
        self._line.lay(audio)
        self._outflow.complete()

    def finish(self, owner: str) -> None:
        """Say that an item, or all items of a response, have all their audio.

        The last frame is filled up with silence.
        """
        if self._ledger.complete(owner):
            self._outflow.complete()

    def echoed(self, name: str, at_ms: int) -> None:
        """Take in a mark that came back; a name that is not ours is passed over."""
        if self._playhead.echo(name, at_ms) and self._playhead.rtt_ms is not None:
            self._outflow.rtt_ms = self._playhead.rtt_ms
        self._stops.echoed(name, at_ms)
        self._go_on()

    # --- what goes out ------------------------------------------------------------------------

    def take(self, at_ms: int) -> list[do.Command]:
        """Return the audio and marks that may go to the carrier now, in order."""
        if self._stops.pause or not self._outflow.has_more(self._playhead):
            return []
        return self._outflow.take(self._playhead, self._heard(at_ms), at_ms)

    # --- what was heard -----------------------------------------------------------------------

    def hearing(self, at_ms: int) -> Hearing:
        """Tell what there is to hear at a moment."""
        heard = self._heard(at_ms)
        return Hearing(
            unheard_ms=whole_ms(self._line.accepted - heard),
            drained=self.drained(at_ms),
            response_id=self._ledger.response_at(heard),
            waiting=self.waiting,
            settling=self.settling,
            paused=self._stops.pause is not None,
            estimated=self._stops.estimated + self._playhead.estimated,
        )

    def drained(self, at_ms: int) -> bool:
        """Tell whether everything was played; see ``Hearing``."""
        return not self._playhead.outstanding and self._line.accepted <= self._heard(at_ms)

    @property
    def settling(self) -> bool:
        """Whether a stop waits for its probe."""
        return self._stops.settling

    @property
    def waiting(self) -> bool:
        """Whether audio waits here for room at the carrier."""
        return self._stops.pause is None and self._line.end > self._playhead.sent

    @property
    def unsent_bytes(self) -> int:
        """How much audio waits here for room at the carrier, or for the end of a pause."""
        return self._line.end - self._playhead.sent

    def played(self, size_bytes: int, at_ms: int) -> bytes:
        """Return the last ``size_bytes`` that were heard, as far as they were kept."""
        heard = self._heard(at_ms)
        return self._line.read(heard - size_bytes, heard)

    def settle(self, at_ms: int) -> list[Settled]:
        """Return the items that have been settled since the last call, by cuts or by the ear."""
        settled = self._ledger.advance(self._heard(at_ms))
        return [*self._stops.take_settled(), *settled] if self._stops.settled else settled

    # --- the stops ----------------------------------------------------------------------------

    def cut(self, at_ms: int, active: str | None = None) -> list[do.Command]:
        """Stop the playout for good and drop what the model still sends for these responses.

        ``active`` is a response that may not have become audible yet. Returns the clear and its
        probe, which go out before anything else; nothing if nothing lies at the carrier. Items
        are settled when the probe comes back, or by ``expire``.
        """
        self._dropped |= self._ledger.responses() | ({active} if active else set())
        heard, stop = self._heard(at_ms), self._stops.pause
        said: list[do.Command] = []
        if stop is None:
            silent = heard >= self._line.accepted
            stop = self._stops.new(self._playhead, at_ms, self._ledger, heard if silent else None)
            said = [] if silent else [do.SendClear(), do.SendMark(stop.probe)]
            self._outflow.stop()
        self._stops.cut(stop)
        self._playhead = self._playhead.next(self._line.break_off())
        self._ledger = Ledger()
        self._outflow.more_to_come()
        return said

    def pause(self, at_ms: int) -> list[do.Command]:
        """Stop the sound and keep what was not heard; returns the clear and its probe."""
        if self._stops.pause or self._heard(at_ms) >= self._line.accepted:
            return []
        self._resume = False
        self._stops.pause = stop = self._stops.new(self._playhead, at_ms, self._ledger)
        self._outflow.stop()
        return [do.SendClear(), do.SendMark(stop.probe)]

    def resume(self) -> None:
        """Go on where the pause stopped, as soon as that is known; ``take`` has the audio."""
        self._resume = True
        self._go_on()

    def expire(self, at_ms: int, *, awaited: bool = True) -> None:
        """Settle the stops whose probe did not come back in time, or is not awaited any more."""
        self._stops.expire(at_ms, self._outflow.rtt_ms, awaited=awaited)
        self._go_on()

    # --- inside -------------------------------------------------------------------------------

    def _heard(self, at_ms: int) -> int:
        pause = self._stops.pause
        if pause is None:
            return self._playhead.heard(at_ms)
        return pause.playhead.heard(at_ms) if pause.heard is None else pause.heard

    def _go_on(self) -> None:
        pause = self._stops.pause
        if self._resume and pause is not None and pause.heard is not None:
            self._playhead = self._playhead.next(self._line.frame_at(pause.heard))
            self._stops.pause, self._resume = None, False
