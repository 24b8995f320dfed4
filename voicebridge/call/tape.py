"""What the caller heard of the agent, byte for byte and by the carrier's clock: for a recording.

Theory. ``Playhead`` knows when a position of the line was reached: at each mark that came back, and
at the end of its generation. So what lies between two such positions ended when the later one was
reached. If more time has passed than it lasts, there was silence; where, is told by when each
stretch was sent: nothing is heard before it has been sent and has made its way, and all of it made
the same way. Stretches of one generation wait until all before it is settled, since a cut is known
only when the carrier has answered it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from voicebridge.audio.format import FRAME_BYTES, ms_to_bytes
from voicebridge.call import commands as do
from voicebridge.call.playhead import Playhead
from voicebridge.call.playout import Playout

UNEVEN_BYTES = ms_to_bytes(60)
"""So little time beyond what was due is no silence where nothing was late: clocks are uneven."""

IN_GOOD_TIME_BYTES = ms_to_bytes(300)
"""What was sent so long before its turn was not late."""

LOOK_EVERY_MS = 1000
"""How often a carrier that returns no marks is believed by the clock."""


@dataclass(slots=True)
class _Stretch:
    """Audio from a position on, or a mark."""

    start: int
    sent: int
    """When it was sent, in bytes of the carrier's clock."""
    audio: bytes = b""
    mark: str = ""


@dataclass(frozen=True, slots=True)
class _Reached:
    """A position that is known to have been reached, and when; ``mark`` proved it."""

    position: int
    at_ms: int
    mark: str = ""


@dataclass(slots=True)
class _Reel:
    """What was sent of one generation and is not laid yet, with what is known of the ear."""

    playhead: Playhead
    stretches: deque[_Stretch] = field(default_factory=deque)
    reached: deque[_Reached] = field(default_factory=deque)

    def until(self, reached: _Reached) -> Iterator[_Stretch]:
        """Take out what was heard when a position was reached."""
        while self.stretches and (first := self.stretches[0]).start <= reached.position:
            room = reached.position - first.start
            if first.mark and (room or reached.mark):
                yield self.stretches.popleft()
                if first.mark == reached.mark:
                    return
            elif room and len(first.audio) <= room:
                yield self.stretches.popleft()
            else:
                if room:
                    yield _Stretch(first.start, first.sent, first.audio[:room])
                    first.start, first.audio = reached.position, first.audio[room:]
                return


class Tape:
    """Lays what was heard on the carrier's clock."""

    def __init__(self) -> None:
        self._reels: deque[_Reel] = deque()
        self._end = 0
        self._way = self._looked_ms = 0
        self._laid: list[do.KeepHeard] = []

    def sent(
        self, playhead: Playhead, start: int, commands: Sequence[do.Command], at_ms: int
    ) -> None:
        """Take note of what goes out from a position on."""
        if not commands:
            return
        if not self._reels or self._reels[-1].playhead is not playhead:
            self._reels.append(_Reel(playhead))
        stretches, sent = self._reels[-1].stretches, ms_to_bytes(at_ms)
        for command in commands:
            match command:
                case do.SendAudio(audio):
                    stretches.append(_Stretch(start, sent, audio))
                    start += len(audio)
                case do.SendMark(name):
                    stretches.append(_Stretch(start, sent, mark=name))

    def reached(self, playhead: Playhead, at_ms: int, mark: str = "") -> None:
        """Take note that the ear is known to be where the playhead says."""
        reel = self._reels[-1] if self._reels else None
        if reel is not None and reel.playhead is playhead:
            position = playhead.heard(at_ms)
            reel.reached.append(_Reached(position, playhead.reached_ms(position), mark))

    def look(self, playhead: Playhead, at_ms: int) -> None:
        """Believe the clock, now and then."""
        if at_ms >= self._looked_ms + LOOK_EVERY_MS:
            self._looked_ms = at_ms
            self.reached(playhead, at_ms)

    def take(self) -> list[do.KeepHeard]:
        """Return what has become known to have been heard, in order."""
        while self._reels:
            reel = self._reels[0]
            while reel.reached:
                self._lay(reel, reel.reached.popleft())
            final = reel.playhead.final
            if final is None:
                break
            self._lay(reel, _Reached(final, reel.playhead.reached_ms(final)))
            self._reels.popleft()
        laid, self._laid = self._laid, []
        return laid

    def _lay(self, reel: _Reel, reached: _Reached) -> None:
        heard = list(reel.until(reached))
        if not heard:
            return
        way = self._way_of(heard, reached)
        for each in heard:
            self._end = max(self._end, each.sent + way)
            if each.audio:
                self._laid.append(do.KeepHeard(self._end, each.audio))
                self._end += len(each.audio)

    def _way_of(self, heard: Sequence[_Stretch], reached: _Reached) -> int:
        """Tell how long it took from sending to hearing, where nothing else had to be heard first.

        It is such that the last stretch ends when its end was reached.
        """
        # The frame that was stamped with this time was sent while its last 20 ms were heard.
        end = ms_to_bytes(reached.at_ms) + FRAME_BYTES
        way = end - max(each.sent + reached.position - each.start for each in heard)
        way = max(FRAME_BYTES, way)
        if reached.mark:
            self._way = way
        elif self._way:  # by the clock alone a run that stopped early would seem to have come late
            way = min(way, self._way)
        behind = self._end - heard[0].start
        late = max(each.sent - each.start for each in heard) - behind
        silent = end - reached.position - behind
        on_time = late <= -IN_GOOD_TIME_BYTES and silent < UNEVEN_BYTES
        return -end if on_time else way


class TapedPlayout(Playout):
    """A playout that tells what was heard; ``take`` returns that as well."""

    __slots__ = ("_tape",)

    def __init__(self, *, lead_ms: int | None = None, keep_bytes: int = 0) -> None:
        super().__init__(lead_ms=lead_ms, keep_bytes=keep_bytes)
        self._tape = Tape()

    def echoed(self, name: str, at_ms: int) -> None:
        """Take in a mark that came back; what lies before it has been heard."""
        playhead = self._playhead
        super().echoed(name, at_ms)
        if name.startswith(f"{playhead.generation}:") and self._stops.pause is None:
            self._tape.reached(playhead, at_ms, name)

    def take(self, at_ms: int) -> list[do.Command]:
        """Return what may go out, and what has become known to have been heard."""
        playhead = self._playhead
        start = playhead.sent
        out = super().take(at_ms)
        self._tape.sent(playhead, start, out, at_ms)
        if playhead.silent and self._stops.pause is None:
            self._tape.look(playhead, at_ms)
        return [*out, *self._tape.take()]
