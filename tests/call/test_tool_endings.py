"""Tools that end the call, and callers who speak meanwhile."""

from __future__ import annotations

from typing import Any

import pytest

from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.call import Call, CallConfig
from voicebridge.call.desk import GOODBYE
from voicebridge.call.manners import BargeIn, Manners
from voicebridge.call.reasons import EndReason
from voicebridge.call.tool_calls import OVERRULED, ToolRules

PHRASES = {"one_moment": b"\x01" * 160, "trouble": b"\x02" * 160}
FRAME = bytes(160)


class Talk:
    """A call whose agent says ``FRAME`` and calls ``hang_up`` in its first response."""

    def __init__(self, **manners: Any) -> None:
        rules = ToolRules(timeout_s=30, filler_after_s=None)
        config = CallConfig(greeting=None, phrases=PHRASES, manners=Manners(**manners), tools=rules)
        self.call, self.now, self.at_ms = Call(config), 100.0, 0
        self.marks: list[str] = []
        self.feed(ev.StreamStarted(), ev.ModelReady())
        self.say("r1", ev.ToolCalled("r1", "c1", "hang_up", "{}"))

    def feed(self, *events: ev.Event) -> list[Any]:
        out = [c for event in events for c in self.call.handle(event, self.now, self.at_ms)]
        self.marks += [command.name for command in out if isinstance(command, do.SendMark)]
        return out

    def say(self, response_id: str, *more: ev.Event) -> list[Any]:
        return self.feed(
            ev.ResponseCreated(response_id),
            ev.AudioReceived(response_id, f"{response_id}-item", 0, FRAME),
            ev.AudioFinished(f"{response_id}-item"),
            *more,
            ev.ResponseDone(response_id, "completed"),
        )

    def hang_up(self, call_id: str = "c1") -> list[Any]:
        return self.feed(ev.HangUpRequested(call_id), ev.ToolFinished(call_id, "{}", True))

    def hear_all(self) -> list[Any]:
        """Let a second pass, in which the carrier plays all and says so."""
        self.now += 1
        self.at_ms += 1000
        marks, self.marks = self.marks, []
        return self.feed(*map(ev.MarkEchoed, marks))

    def ring(self, seconds: float) -> list[Any]:
        self.now += seconds
        self.at_ms += round(seconds * 1000)
        return self.feed(ev.DeadlineReached())


def of(kind: type, commands: list[Any]) -> list[Any]:
    return [command for command in commands if isinstance(command, kind)]


@pytest.mark.parametrize("ends", [ev.HangUpRequested("c1"), ev.TransferRequested("c1", "+1555010")])
@pytest.mark.parametrize("has_stopped", [False, True])
def test_a_caller_who_spoke_since_the_tool_was_called_is_not_hung_up_on(
    ends: ev.Event, has_stopped: bool
) -> None:
    talk = Talk()
    talk.hear_all()
    talk.feed(ev.SpeechStarted("u1", 0))
    if has_stopped:
        talk.feed(ev.SpeechStopped("u1", 900))
    out = talk.feed(ends, ev.ToolFinished("c1", '"The call ends."', True))
    (told,) = of(do.SendToolOutput, out)
    assert OVERRULED in told.output
    assert not of(do.NoteTool, out)[0].ok
    assert of(do.DialNext, out) == []
    assert of(do.HangUp, talk.hear_all() + talk.ring(20)) == []


def test_a_cough_into_the_goodbye_keeps_no_line_open() -> None:
    talk = Talk(barge_in=BargeIn.PAUSE, minimum_speech_ms=500, decide_within_ms=1500)
    talk.hang_up()
    talk.feed(ev.SpeechStarted("u1", 0))
    assert talk.call._ending.leaving is None
    out = talk.feed(ev.SpeechStopped("u1", 200))
    assert of(do.HangUp, out) == []
    assert of(do.HangUp, talk.hear_all() + talk.hear_all()) == [do.HangUp(EndReason.AGENT_HUNG_UP)]


def test_a_reply_that_was_cut_for_nothing_is_asked_for_again() -> None:
    talk = Talk(barge_in=BargeIn.PAUSE, minimum_speech_ms=900, decide_within_ms=300)
    talk.hear_all()
    talk.feed(ev.ToolFinished("c1", "{}", True), ev.ResponseCreated("r2"))
    talk.feed(ev.AudioReceived("r2", "r2-item", 0, FRAME * 50), ev.SpeechStarted("u1", 0))
    assert of(do.CancelResponse, talk.ring(0.3)) == [do.CancelResponse("r2")]
    talk.feed(ev.ResponseDone("r2", "cancelled"))
    assert len(of(do.CreateResponse, talk.feed(ev.SpeechStopped("u1", 400)))) == 1


def test_a_response_that_was_asked_for_before_the_caller_went_on_is_not_said_into_it() -> None:
    talk = Talk(minimum_speech_ms=300)
    talk.hear_all()
    talk.feed(ev.ToolFinished("c1", "{}", True), ev.SpeechStarted("u1", 0))
    assert of(do.CancelResponse, talk.feed(ev.ResponseCreated("r2"))) == [do.CancelResponse("r2")]
    audio = ev.AudioReceived("r2", "r2-item", 0, FRAME)
    out = talk.feed(audio, ev.ResponseDone("r2", "cancelled"))
    assert of(do.SendAudio, out) + of(do.CreateResponse, out) == []
    assert len(of(do.CreateResponse, talk.feed(ev.SpeechStopped("u1", 900)))) == 1


def test_a_tool_that_is_at_work_beside_the_goodbye_is_waited_for() -> None:
    talk = Talk()
    talk.hear_all()
    book = ev.ToolCalled("r2", "c2", "book", "{}")
    talk.feed(ev.ResponseCreated("r2"), book, ev.ResponseDone("r2", "completed"))
    talk.hang_up()
    assert of(do.HangUp, talk.hear_all() + talk.ring(9) + talk.ring(9)) == []
    out = talk.feed(ev.ToolFinished("c2", '"booked"', True))
    assert of(do.CreateResponse, out)[-1].instructions == GOODBYE
    assert of(do.HangUp, talk.ring(5)) == []  # the model takes its time
    talk.say("r3")
    assert of(do.HangUp, talk.hear_all()) == [do.HangUp(EndReason.AGENT_HUNG_UP)]


def test_the_longest_duration_waits_for_no_tool() -> None:
    talk = Talk()
    talk.hear_all()
    assert of(do.HangUp, talk.ring(100)) == []
    talk.feed(ev.ResponseCreated("r2"), ev.ToolCalled("r2", "c2", "book", "{}"))
    talk.feed(ev.GoodbyeRequested(EndReason.SPEND_LIMIT, "Say goodbye."))
    assert of(do.HangUp, talk.ring(7)) == []
    assert of(do.HangUp, talk.ring(1.1)) == [do.HangUp(EndReason.SPEND_LIMIT)]


def test_a_model_that_says_no_goodbye_is_not_waited_for_without_end() -> None:
    talk = Talk()
    talk.hear_all()
    talk.say("r2")
    talk.feed(ev.ResponseCreated("r3"))
    talk.hang_up()
    assert of(do.HangUp, talk.ring(30)) == [do.HangUp(EndReason.AGENT_HUNG_UP)]
