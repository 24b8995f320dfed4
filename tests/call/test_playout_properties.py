"""Whatever comes in whatever order, what the playout says of the ear holds."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from voicebridge.call import commands as do
from voicebridge.call.playout import Playout


class AnyOrder(RuleBasedStateMachine):
    """Drive a playout with deltas, echoes true and false, clears and clocks."""

    @initialize(lead=st.sampled_from([None, 200, 400]))
    def start(self, lead: int | None) -> None:
        self.playout = Playout(lead_ms=lead)
        self.at_ms = 0
        self.received: dict[str, int] = {}
        self.settled: dict[str, int] = {}
        self.names: list[str] = []
        self.sent = self.last_heard = 0
        self.generation = 0

    def _out(self, commands: list[do.Command]) -> None:
        for command in commands:
            if isinstance(command, do.SendAudio):
                assert len(command.audio) % 160 == 0
                self.sent += len(command.audio)
            elif isinstance(command, do.SendMark):
                assert command.name not in self.names
                self.names.append(command.name)

    def _collect(self) -> None:
        for settled in self.playout.settle(self.at_ms):
            assert settled.item_id not in self.settled, "settled twice"
            assert 0 <= settled.heard_ms <= settled.received_ms
            assert settled.received_ms == self.received[settled.item_id] // 8
            self.settled[settled.item_id] = settled.heard_ms

    @rule(item=st.integers(0, 5), size=st.integers(1, 5000))
    def delta(self, item: int, size: int) -> None:
        name = f"{self.generation}-{item}"
        if name in self.settled:
            return
        if self.playout.push(f"r{self.generation}", name, 0, bytes(size)):
            self.received[name] = self.received.get(name, 0) + size

    @rule(item=st.integers(0, 5))
    def finish(self, item: int) -> None:
        self.playout.finish(f"{self.generation}-{item}")

    @rule()
    def take(self) -> None:
        self._out(self.playout.take(self.at_ms))

    @rule(passed_ms=st.integers(1, 400))
    def time_passes(self, passed_ms: int) -> None:
        self.at_ms += passed_ms
        self._collect()

    @rule(which=st.integers(0, 1000))
    def echo(self, which: int) -> None:
        name = self.names[which % len(self.names)] if self.names else "no mark of ours"
        self.playout.echoed(name, self.at_ms)
        self._collect()

    @rule()
    def cut(self) -> None:
        before = set(self.received) - set(self.settled)
        self._out(self.playout.cut(self.at_ms))
        self._collect()
        if before:
            self.generation += 1

    @rule()
    def expire(self) -> None:
        self.playout.expire(self.at_ms)
        self._collect()
        assert not self.playout.hearing(self.at_ms).settling

    @invariant()
    def heard_never_falls_back_within_a_generation(self) -> None:
        if not hasattr(self, "playout"):
            return
        head = self.playout._playhead
        heard = head.heard(self.at_ms)
        assert heard <= head.sent
        if getattr(self, "_seen", None) is head:
            assert heard >= self.last_heard
        self._seen, self.last_heard = head, heard

    def teardown(self) -> None:
        if not hasattr(self, "playout"):
            return
        self.playout.cut(self.at_ms)
        self.playout.expire(self.at_ms)
        self._collect()
        assert set(self.settled) == set(self.received), "an item was never settled"


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
