"""A colleague has taken the call: the caller is told so, and connected whatever he says."""

from __future__ import annotations

from call_driver import PHRASES, SECOND, Driver, audio_of, of

from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.desk import CONNECTING
from voicebridge.call.reasons import EndReason
from voicebridge.call.tool_calls import ToolRules


def asked() -> Driver:
    """A call whose agent has said that it tries to reach somebody, and waits for the tool."""
    line = Driver(greeting=None)
    line.connect()
    line.feed(
        ev.ResponseCreated("r1"),
        ev.AudioReceived("r1", "a1", 0, SECOND),
        ev.AudioFinished("a1"),
        ev.ToolCalled("r1", "c1", "transfer", "{}"),
        ev.ResponseDone("r1", "completed"),
    )
    line.echo_all()
    return line


def taken(line: Driver) -> list[do.Command]:
    return line.feed(ev.HandOverRequested("c1"), ev.ToolFinished("c1", "{}", True))


def test_the_agent_says_so_first_although_it_was_the_last_to_speak() -> None:
    line = asked()
    (request,) = of(do.CreateResponse, taken(line))
    assert isinstance(request, do.CreateResponse)
    assert request.instructions == CONNECTING
    assert of(do.HangUp, line.all) == []
    line.say("I connect you.", "r2", "a2")
    assert of(do.HangUp, line.all) == []
    assert of(do.HangUp, line.echo_all()) == [do.HangUp(EndReason.TRANSFERRED)]
    assert of(do.DialNext, line.all) == []


def test_a_caller_who_says_thank_you_is_connected_all_the_same() -> None:
    line = asked()
    taken(line)
    line.feed(ev.ResponseCreated("r2"), ev.AudioReceived("r2", "a2", 0, SECOND))
    line.feed(ev.SpeechStarted("u1", 0), ev.ResponseDone("r2", "cancelled"))
    line.feed(ev.SpeechStopped("u1", 900))
    line.wait(20)
    assert of(do.HangUp, line.all) == [do.HangUp(EndReason.TRANSFERRED)]


def test_a_model_that_says_nothing_does_not_keep_the_colleague_waiting() -> None:
    line = asked()
    taken(line)
    assert of(do.HangUp, line.wait(20)) == [do.HangUp(EndReason.TRANSFERRED)]


def test_a_call_that_ends_already_ends_as_it_was_to_end() -> None:
    line = asked()
    line.feed(ev.HangUpRequested("c0"))
    assert of(do.CreateResponse, taken(line)) == []
    line.wait(20)
    assert of(do.HangUp, line.all) == [do.HangUp(EndReason.AGENT_HUNG_UP)]


def test_a_caller_who_waits_is_told_so_again_and_again() -> None:
    rules = ToolRules(timeout_s=90, filler_after_s=2.0, filler_again_s=12.0)
    line = Driver(greeting=None, tools=rules)
    line.connect()
    line.feed(
        ev.ResponseCreated("r1"),
        ev.ToolCalled("r1", "c1", "transfer", "{}"),
        ev.ResponseDone("r1", "completed"),
    )
    for wait_s in (2.1, 12.0, 12.0):
        before = len(line.all)
        line.wait(wait_s)
        assert audio_of(line.all[before:]) == PHRASES["one_moment"]
        line.echo_all()
    line.feed(ev.ToolFinished("c1", "{}", False))
    assert audio_of(line.wait(30)) == b""


def test_while_somebody_is_asked_the_agent_answers_the_caller() -> None:
    line = asked()
    line.feed(ev.SpeechStarted("u1", 0), ev.SpeechStopped("u1", 900))
    line.say("I am still trying.", "r2", "a2")
    line.echo_all()
    assert of(do.CancelTool, line.all) == []
    assert of(do.CreateResponse, taken(line)) != []
