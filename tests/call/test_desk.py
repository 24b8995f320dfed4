"""What the agent does besides speaking, as events and commands of a whole call."""

from typing import Any

from voicebridge.audio.tones import hold_tone, key_tones
from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.call import Call, CallConfig
from voicebridge.call.desk import BACK
from voicebridge.call.reasons import EndReason

PHRASES = {"one_moment": b"\x01" * 1600, "trouble": b"\x02" * 1600}


class Line:
    """A call with its clock, and a carrier that plays and echoes in its own time."""

    def __init__(self) -> None:
        self.call = Call(CallConfig(greeting=None, phrases=PHRASES))
        self.now, self.at_ms = 100.0, 0
        self.queue: list[do.Command] = []
        self.all: list[do.Command] = []
        self.feed(ev.StreamStarted(), ev.ModelReady())

    def feed(self, *events: ev.Event) -> list[do.Command]:
        out = [c for event in events for c in self.call.handle(event, self.now, self.at_ms)]
        self.all += out
        for command in out:
            if isinstance(command, do.SendClear):
                self.queue.clear()
            if isinstance(command, do.SendAudio | do.SendMark):
                self.queue.append(command)
        return out

    def wait(self, seconds: float) -> list[do.Command]:
        """Let the carrier play and the deadlines ring, in steps of 20 ms."""
        out: list[do.Command] = []
        budget = 0
        for _ in range(round(seconds * 50)):
            self.now += 0.02
            self.at_ms += 20
            budget += 160
            while self.queue:
                head = self.queue[0]
                if isinstance(head, do.SendAudio):
                    if len(head.audio) > budget:
                        break
                    budget -= len(head.audio)
                self.queue.pop(0)
                if isinstance(head, do.SendMark):
                    out += self.feed(ev.MarkEchoed(head.name))
            if not self.queue:
                budget = 0
            deadline = self.call.next_deadline()
            if deadline is not None and deadline <= self.now:
                out += self.feed(ev.DeadlineReached())
        return out


def audio(commands: list[do.Command]) -> bytes:
    return b"".join(c.audio for c in commands if isinstance(c, do.SendAudio))


def of(kind: type, commands: list[do.Command]) -> list[Any]:
    return [command for command in commands if isinstance(command, kind)]


def test_a_caller_on_hold_hears_the_tone_and_the_model_hears_nothing() -> None:
    line = Line()
    out = line.feed(ev.HoldRequested("c1", 60))
    assert of(do.MuteCaller, out) == [do.MuteCaller()]
    out += line.wait(12)
    assert audio(out)[:80_000] == hold_tone() * 2
    assert of(do.MuteCaller, line.feed(ev.HoldRequested("c2", 60))) == []


def test_the_end_of_a_hold_stops_the_tone_at_once() -> None:
    line = Line()
    line.feed(ev.HoldRequested("c1", 60))
    line.wait(2)
    out = line.feed(ev.ResumeRequested("c2"))
    assert isinstance(out[0], do.SendClear)
    assert of(do.UnmuteCaller, out)
    assert audio(line.wait(6)) == b""
    assert line.feed(ev.ResumeRequested("c3")) == []


def test_nobody_is_left_on_hold() -> None:
    line = Line()
    line.feed(ev.HoldRequested("c1", 3))
    out = line.wait(3.1)
    assert of(do.UnmuteCaller, out)
    assert of(do.CreateResponse, out)[0].instructions == BACK


def test_a_hold_is_no_silence_of_the_caller() -> None:
    line = Line()
    line.feed(ev.HoldRequested("c1", 90))
    assert of(do.CreateResponse, line.wait(80)) == []


def test_keys_for_a_tool_reach_it_and_nobody_else() -> None:
    line = Line()
    out = line.feed(ev.KeysWanted("c1", most=16, ends_with="#", within_s=20))
    assert out == [do.MuteCaller()]
    for key in "4242":
        assert line.feed(ev.DigitPressed(key)) == []
    assert line.feed(ev.DigitPressed("#")) == [do.UnmuteCaller(), do.GiveKeys("c1", "4242")]
    assert "4242" not in repr(do.GiveKeys("c1", "4242"))
    assert of(do.SendUserText, line.wait(5)) == []


def test_the_last_key_wanted_ends_the_entry() -> None:
    line = Line()
    line.feed(ev.KeysWanted("c1", most=2, ends_with="#", within_s=20))
    line.feed(ev.DigitPressed("1"))
    assert do.GiveKeys("c1", "12") in line.feed(ev.DigitPressed("2"))


def test_a_caller_who_presses_nothing_gives_nothing() -> None:
    line = Line()
    line.feed(ev.KeysWanted("c1", most=4, ends_with="#", within_s=5))
    assert do.GiveKeys("c1", "") in line.wait(5.1)


def test_a_second_tool_that_wants_keys_ends_the_first_entry() -> None:
    line = Line()
    line.feed(ev.KeysWanted("c1", most=4, ends_with="#", within_s=5), ev.DigitPressed("7"))
    out = line.feed(ev.KeysWanted("c2", most=4, ends_with="#", within_s=5))
    assert do.GiveKeys("c1", "7") in out
    assert do.GiveKeys("c2", "9") in [*line.feed(ev.DigitPressed("9")), *line.wait(9)]


def test_the_end_of_a_hold_lets_nobody_hear_keys_that_are_still_typed() -> None:
    line = Line()
    line.feed(ev.HoldRequested("c1", 3))
    assert line.feed(ev.KeysWanted("c2", most=4, ends_with="#", within_s=20)) == []
    assert of(do.UnmuteCaller, line.wait(3.1)) == []
    assert line.feed(ev.DigitPressed("#"))[0] == do.UnmuteCaller()


def test_the_last_key_lets_nobody_hear_a_caller_who_is_still_on_hold() -> None:
    line = Line()
    line.feed(ev.KeysWanted("c1", most=4, ends_with="#", within_s=20))
    assert of(do.MuteCaller, line.feed(ev.HoldRequested("c2", 60))) == []
    out = line.feed(ev.DigitPressed("#"))
    assert of(do.GiveKeys, out)
    assert of(do.UnmuteCaller, out) == []
    assert of(do.UnmuteCaller, line.feed(ev.ResumeRequested("c3")))


def test_keys_the_agent_presses_are_heard_at_the_far_end() -> None:
    line = Line()
    line.feed(ev.KeysToSend("c1", "12#"))
    assert audio(line.all) == key_tones("12#")


def test_a_transfer_comes_after_the_last_word() -> None:
    line = Line()
    line.feed(
        ev.ResponseCreated("r1"),
        ev.AudioReceived("r1", "a1", 0, bytes(8000)),
        ev.AudioFinished("a1"),
        ev.ToolCalled("r1", "c1", "transfer", "{}"),
        ev.ResponseDone("r1", "completed"),
    )
    out = line.feed(ev.TransferRequested("c1", "+15550100009"), ev.ToolFinished("c1", "{}", True))
    assert do.DialNext("+15550100009") in out
    assert of(do.HangUp, out) == []
    assert of(do.HangUp, line.wait(1.2)) == [do.HangUp(EndReason.TRANSFERRED)]


def test_a_caller_who_objects_is_not_transferred() -> None:
    line = Line()
    line.feed(
        ev.ResponseCreated("r1"),
        ev.AudioReceived("r1", "a1", 0, bytes(16000)),
        ev.ToolCalled("r1", "c1", "transfer", "{}"),
        ev.ResponseDone("r1", "completed"),
        ev.TransferRequested("c1", "+15550100009"),
        ev.SpeechStarted("u1", 0),
    )
    assert of(do.HangUp, line.wait(5)) == []
