"""Pause and go on, in any order with all else: every byte is heard once, and in its place."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from voicebridge.audio.format import FRAME_BYTES, whole_ms
from voicebridge.call import commands as do
from voicebridge.call.outflow import REOPENED_AFTER_MS
from voicebridge.call.playout import Playout, Verdict

LEAD_MS = 350
STALLED_FRAMES = REOPENED_AFTER_MS // 20 + 1


class Carrier:
    """A carrier without delay: plays frames, returns marks, and drops what a clear finds."""

    def __init__(self) -> None:
        self.queue: list[bytes | str] = []
        self.played = bytearray()

    def take(self, commands: list[do.Command]) -> list[str]:
        """Obey; the names of the marks to return now."""
        back: list[str] = []
        for command in commands:
            match command:
                case do.SendAudio(audio):
                    self.queue += [
                        audio[at : at + FRAME_BYTES] for at in range(0, len(audio), FRAME_BYTES)
                    ]
                case do.SendMark(name):
                    self.queue.append(name)
                case do.SendClear():
                    back += [entry for entry in self.queue if isinstance(entry, str)]
                    self.queue.clear()
            back += self._reached()
        return back

    def play_frame(self) -> list[str]:
        """Play 20 ms."""
        back = self._reached()
        if self.queue and isinstance(entry := self.queue.pop(0), bytes):
            self.played += entry
        return back + self._reached()

    def _reached(self) -> list[str]:
        back: list[str] = []
        while self.queue and isinstance(self.queue[0], str):
            back.append(self.queue.pop(0))  # type: ignore[arg-type]
        return back


class PauseAnyTime(RuleBasedStateMachine):
    """A model that sends, a carrier that plays, and a caller who pauses, cuts and waits."""

    def __init__(self) -> None:
        super().__init__()
        self.playout, self.carrier = Playout(lead_ms=LEAD_MS), Carrier()
        self.at_ms = self.number = 0
        self.laid: dict[str, bytes] = {}
        self.finished: set[str] = set()
        self.settled: dict[str, tuple[Verdict, int]] = {}
        self.expected = bytearray()
        """What has to be heard, up to the last cut."""
        self.line: list[str] = []
        """The items laid since then, in order."""

    @property
    def item(self) -> str:
        return f"item-{self.number}"

    def _pump(self, commands: list[do.Command] | None = None) -> None:
        self._collect()
        for name in self.carrier.take((commands or []) + self.playout.take(self.at_ms)):
            self.playout.echoed(name, self.at_ms)
        self._collect()

    def _collect(self) -> None:
        for settled in self.playout.settle(self.at_ms):
            assert settled.item_id not in self.settled, "settled twice"
            assert settled.received_ms == whole_ms(len(self.laid[settled.item_id]))
            self.settled[settled.item_id] = settled.verdict, settled.heard_ms

    def _play(self, frames: int) -> None:
        for _ in range(frames):
            self.at_ms += 20
            for name in self.carrier.play_frame():
                self.playout.echoed(name, self.at_ms)
            self._pump()

    @rule(frames=st.integers(1, 60))
    def the_model_speaks(self, frames: int) -> None:
        chunk = self.number.to_bytes(2, "big") * (frames * FRAME_BYTES // 2)
        chunk = bytes((value + at) % 251 for at, value in enumerate(chunk))
        if self.item in self.finished:
            self.number += 1
        if self.playout.push(f"r-{self.number}", self.item, 0, chunk):
            self.laid[self.item] = self.laid.get(self.item, b"") + chunk
            if self.item not in self.line:
                self.line.append(self.item)
        else:
            self.number += 1
        self._pump()

    @rule()
    def the_model_finishes(self) -> None:
        if self.item in self.laid:
            self.playout.finish(self.item)
            self.finished.add(self.item)
        self._pump()

    @rule(frames=st.integers(1, 40))
    def time_passes(self, frames: int) -> None:
        """Play on; a model that has not finished keeps ahead of the ear, or falls well behind."""
        laid = sum(len(self.laid[item]) for item in self.line)
        left = (laid + len(self.expected) - len(self.carrier.played)) // FRAME_BYTES
        paused = self.playout.hearing(self.at_ms).paused
        if self.item in self.finished or paused or frames < left:
            self._play(frames)
        else:
            self._play(left + STALLED_FRAMES)

    @rule()
    def pause(self) -> None:
        self._pump(self.playout.pause(self.at_ms))

    @rule()
    def resume(self) -> None:
        self.playout.resume()
        self._pump()

    @rule()
    def expire(self) -> None:
        self.playout.expire(self.at_ms)
        self._pump()

    @rule()
    def cut(self) -> None:
        heard = len(self.carrier.played) - len(self.expected)
        line = b"".join(self.laid[item] for item in self.line)
        self._pump(self.playout.cut(self.at_ms))
        self.expected += line[:heard]
        for item in self.line:
            mine = min(len(self.laid[item]), heard)
            heard -= mine
            verdict, heard_ms = self.settled[item]
            assert heard_ms == whole_ms(mine)
            if mine == 0:
                assert verdict is Verdict.NONE
            elif mine < len(self.laid[item]) or item not in self.finished:
                assert verdict is Verdict.PART
            else:
                assert verdict is Verdict.WHOLE
        self.line.clear()
        self.number += 1

    @invariant()
    def what_is_heard_is_what_was_said_without_a_gap_or_a_repeat(self) -> None:
        line = b"".join(self.laid[item] for item in self.line)
        assert (self.expected + line).startswith(self.carrier.played)

    @invariant()
    def no_more_than_the_lead_lies_at_the_carrier(self) -> None:
        queued = sum(len(entry) for entry in self.carrier.queue if isinstance(entry, bytes))
        assert queued <= (LEAD_MS + 20) * 8

    @invariant()
    def a_paused_carrier_has_nothing_to_play(self) -> None:
        if self.playout.hearing(self.at_ms).paused:
            assert not any(isinstance(entry, bytes) for entry in self.carrier.queue)

    def teardown(self) -> None:
        """Let everything be heard to its end: nothing is left over or lost."""
        self.the_model_finishes()
        self.resume()
        self._play(3 + sum(len(self.laid[item]) for item in self.line) // FRAME_BYTES)
        line = b"".join(self.laid[item] for item in self.line)
        assert bytes(self.carrier.played) == bytes(self.expected) + line
        self._collect()
        assert all(self.settled[item][0] is Verdict.WHOLE for item in self.line)


TestPauseAnyTime = PauseAnyTime.TestCase
TestPauseAnyTime.settings = settings(max_examples=120, stateful_step_count=30, deadline=None)
