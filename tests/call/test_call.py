"""One telephone call as a list of events in and commands out."""

import pytest
from call_driver import PHRASES, SECOND, Driver, audio_of, of

from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.call import PATIENCE_S, TIME_IS_UP
from voicebridge.call.reasons import EndReason
from voicebridge.call.tool_calls import ToolManners, ToolRules


def test_the_valve_opens_and_the_agent_greets_once_the_session_runs() -> None:
    driver = Driver()
    assert driver.feed(ev.StreamStarted()) == []
    assert driver.feed(ev.ModelReady()) == [
        do.OpenValve(),
        do.CreateResponse("response-1", "Say hello."),
    ]


def test_without_a_greeting_the_caller_speaks_first() -> None:
    assert Driver(greeting=None).connect() == [do.OpenValve()]


def test_a_model_that_takes_long_is_announced_to_the_caller() -> None:
    driver = Driver()
    driver.feed(ev.StreamStarted())
    assert of(do.SendAudio, driver.wait(PATIENCE_S - 0.1)) == []
    assert audio_of(driver.wait(0.2)) == PHRASES["one_moment"]


def test_speech_goes_out_with_marks_around_it() -> None:
    driver = Driver()
    driver.connect()
    driver.say("Hello.")
    assert audio_of(driver.all) == SECOND
    assert len(of(do.SendMark, driver.all)) == 6


def test_words_heard_to_the_end_are_noted() -> None:
    driver = Driver()
    driver.connect()
    driver.say("Hello.")
    assert of(do.NoteAgentSpoke, driver.echo_all()) == [
        do.NoteAgentSpoke("a1", 0, "Hello.", "", 1000, 1000)
    ]


def _play(driver: Driver, heard_ms: int) -> None:
    """Let the carrier play so much of a reply that has just begun, and return what it passes."""
    began_ms = driver.at_ms
    for mark, position_ms in zip(of(do.SendMark, driver.all), (0, 60), strict=False):
        if position_ms <= heard_ms:
            driver.at_ms = began_ms + position_ms
            driver.feed(ev.MarkEchoed(mark.name))
    driver.at_ms = began_ms + heard_ms


def _cut_at(driver: Driver, heard_ms: int) -> list[do.Command]:
    """Let the caller speak up when so much was played; the carrier answers the clear at once."""
    _play(driver, heard_ms)
    out = driver.feed(ev.SpeechStarted("u1", 0))
    probe = of(do.SendMark, out)[0]
    return out + driver.feed(ev.MarkEchoed(probe.name))


def test_a_barge_in_clears_first_and_truncates_to_what_was_heard() -> None:
    driver = Driver()
    driver.connect()
    driver.say("one two three four")
    out = _cut_at(driver, 150)
    assert out == [
        do.SendClear(),
        do.SendMark("0:clear:8000"),
        do.NoteBargeIn(150),
        do.TruncateItem("truncate-1", "a1", 0, 150),
        do.NoteAgentSpoke("a1", 0, "one", "two three four", 150, 1000),
    ]


def test_a_reply_of_which_nothing_was_heard_is_deleted() -> None:
    driver = Driver()
    driver.connect()
    driver.say("one two three four")
    assert of(do.DeleteItem, _cut_at(driver, 0)) == [do.DeleteItem("delete-1", "a1")]


def test_a_cut_without_an_answer_of_the_carrier_is_settled_in_time() -> None:
    driver = Driver()
    driver.connect()
    driver.say("one two three four")
    _play(driver, 120)
    driver.feed(ev.SpeechStarted("u1", 0))
    assert of(do.TruncateItem, driver.wait(0.7)) == [do.TruncateItem("truncate-1", "a1", 0, 120)]


def test_a_refused_truncate_is_sent_again_with_the_servers_length() -> None:
    driver = Driver()
    driver.connect()
    driver.say("one two three four")
    _cut_at(driver, 150)
    message = "Audio content of 120ms is already shorter than 150ms"
    out = driver.feed(ev.RequestRejected("truncate-1", "invalid_value", message))
    assert of(do.TruncateItem, out) == [do.TruncateItem("truncate-2", "a1", 0, 120)]
    out = driver.feed(ev.RequestRejected("truncate-2", "invalid_value", "no length named"))
    assert of(do.TruncateItem, out) == []


def test_late_audio_of_the_cut_response_is_never_sent() -> None:
    driver = Driver()
    driver.connect()
    driver.feed(ev.ResponseCreated("r1"), ev.AudioReceived("r1", "a1", 0, SECOND))
    _cut_at(driver, 100)
    assert of(do.SendAudio, driver.feed(ev.AudioReceived("r1", "a1", 0, SECOND))) == []
    assert of(do.SendAudio, driver.feed(ev.AudioReceived("r1", "a2", 0, SECOND))) == []


def test_a_response_cut_before_its_first_sound_stays_silent() -> None:
    driver = Driver()
    driver.connect()
    driver.feed(ev.ResponseCreated("r1"))
    assert of(do.SendClear, driver.feed(ev.SpeechStarted("u1", 0))) == []
    assert of(do.SendAudio, driver.feed(ev.AudioReceived("r1", "a1", 0, SECOND))) == []


def test_a_tool_runs_and_its_output_is_answered_once() -> None:
    driver = Driver(greeting=None)
    driver.connect()
    out = driver.feed(
        ev.ResponseCreated("r1"),
        ev.ToolCalled("r1", "c1", "opening_hours", "{}"),
        ev.ResponseDone("r1", "completed"),
    )
    assert out == [do.RunTool("c1", "opening_hours", "{}")]
    assert driver.feed(ev.ToolFinished("c1", '{"opens": "9:00"}', ok=True)) == [
        do.SendToolOutput("c1", '{"opens": "9:00"}'),
        do.NoteTool(0, "c1", "opening_hours", "{}", '{"opens": "9:00"}', True),
        do.CreateResponse("response-1", None),
    ]


def test_a_tool_that_hangs_is_answered_for_and_stopped() -> None:
    driver = Driver(greeting=None, tools=ToolRules(timeout_s=2.0))
    driver.connect()
    driver.feed(
        ev.ResponseCreated("r1"),
        ev.ToolCalled("r1", "c1", "slow", "{}"),
        ev.ResponseDone("r1", "completed"),
    )
    out = driver.wait(2.1)
    assert of(do.CancelTool, out) == [do.CancelTool("c1")]
    assert len(of(do.CreateResponse, out)) == 1


def _tool(driver: Driver, response: str, call_id: str, name: str = "t") -> list[do.Command]:
    return driver.feed(
        ev.ResponseCreated(response),
        ev.ToolCalled(response, call_id, name, "{}"),
        ev.ResponseDone(response, "completed"),
    )


def test_a_caller_who_waits_for_a_tool_is_told_so_once() -> None:
    driver = Driver(greeting=None, tools=ToolRules(filler_after_s=2.0))
    driver.connect()
    _tool(driver, "r1", "c1")
    assert of(do.SendAudio, driver.wait(1.9)) == []
    assert audio_of(driver.wait(0.2)) == PHRASES["one_moment"]
    assert of(do.SendAudio, driver.wait(5)) == []


def test_a_tool_with_words_of_its_own_has_them_said_by_the_agent() -> None:
    rules = ToolRules(filler_after_s=2.0, tools={"t": ToolManners(filler="Looking it up.")})
    driver = Driver(greeting=None, tools=rules)
    driver.connect()
    _tool(driver, "r1", "c1")
    (asked,) = of(do.CreateResponse, driver.wait(2.1))
    assert "Looking it up." in asked.instructions
    assert not asked.tools
    driver.say("Looking it up.", "r2", "a2")
    assert of(do.CreateResponse, driver.feed(ev.ToolFinished("c1", "{}", ok=True)))


def test_a_tool_that_works_while_the_agent_speaks_needs_no_filler() -> None:
    driver = Driver(greeting=None, tools=ToolRules(filler_after_s=0.5))
    driver.connect()
    driver.feed(
        ev.ResponseCreated("r1"),
        ev.AudioReceived("r1", "a1", 0, SECOND),
        ev.ToolCalled("r1", "c1", "t", "{}"),
        ev.ResponseDone("r1", "completed"),
    )
    assert of(do.SendAudio, driver.wait(0.6)) == []


def test_a_barge_in_stops_only_the_tools_that_may_be_stopped() -> None:
    rules = ToolRules(tools={"look": ToolManners(cancellable=True)})
    driver = Driver(greeting=None, tools=rules)
    driver.connect()
    _tool(driver, "r1", "c1", "look")
    _tool(driver, "r2", "c2", "book")
    out = driver.feed(ev.SpeechStarted("u1", 0))
    assert of(do.CancelTool, out) == [do.CancelTool("c1")]


def test_a_model_that_only_calls_tools_is_made_to_speak() -> None:
    driver = Driver(greeting=None)
    driver.connect()
    creates: list[do.Command] = []
    for number in range(7):
        out = _tool(driver, f"r{number}", f"c{number}")
        out += driver.feed(ev.ToolFinished(f"c{number}", "{}", ok=True))
        creates += of(do.CreateResponse, out)
    assert [create.tools for create in creates] == [True] * 5 + [False] * 2
    assert len(of(do.RunTool, driver.all)) == 5


def test_outputs_that_come_while_the_caller_speaks_wait_for_the_server() -> None:
    driver = Driver(greeting=None)
    driver.connect()
    driver.feed(
        ev.ResponseCreated("r1"),
        ev.ToolCalled("r1", "c1", "t", "{}"),
        ev.ResponseDone("r1", "completed"),
        ev.SpeechStarted("u1", 0),
    )
    assert of(do.CreateResponse, driver.feed(ev.ToolFinished("c1", "{}", ok=True))) == []
    driver.feed(ev.SpeechStopped("u1", 900), ev.ResponseCreated("r2"))
    assert of(do.CreateResponse, driver.wait(3)) == []


def _goodbye(driver: Driver) -> None:
    driver.feed(
        ev.ResponseCreated("r9"),
        ev.TranscriptReceived("a9", "Goodbye."),
        ev.AudioReceived("r9", "a9", 0, SECOND),
        ev.AudioFinished("a9"),
        ev.ToolCalled("r9", "c9", "hang_up", "{}"),
        ev.ResponseDone("r9", "completed"),
        ev.HangUpRequested("c9"),
        ev.ToolFinished("c9", "{}", ok=True),
    )


def test_the_agent_hangs_up_after_its_last_word_was_heard() -> None:
    driver = Driver(greeting=None)
    driver.connect()
    _goodbye(driver)
    assert of(do.HangUp, driver.all) == []
    assert of(do.CreateResponse, driver.all) == []
    out = driver.echo_all()
    assert out[-1] == do.HangUp(EndReason.AGENT_HUNG_UP)
    assert of(do.NoteAgentSpoke, out)
    assert driver.call.ended is EndReason.AGENT_HUNG_UP


def test_a_goodbye_whose_marks_never_come_back_is_not_waited_for_forever() -> None:
    driver = Driver(greeting=None)
    driver.connect()
    _goodbye(driver)
    assert of(do.HangUp, driver.wait(12)) == [do.HangUp(EndReason.AGENT_HUNG_UP)]


def test_a_caller_who_interrupts_the_goodbye_is_not_hung_up_on() -> None:
    driver = Driver(greeting=None)
    driver.connect()
    _goodbye(driver)
    driver.feed(ev.SpeechStarted("u1", 0))
    assert of(do.HangUp, driver.wait(5)) == []


def test_an_agent_that_hangs_up_without_a_word_is_made_to_say_goodbye() -> None:
    driver = Driver(greeting=None)
    driver.connect()
    out = driver.feed(
        ev.ResponseCreated("r9"),
        ev.ToolCalled("r9", "c9", "hang_up", "{}"),
        ev.HangUpRequested("c9"),
        ev.ToolFinished("c9", "{}", ok=True),
        ev.ResponseDone("r9", "completed"),
    )
    (create,) = of(do.CreateResponse, out)
    assert "goodbye" in create.instructions
    driver.say("Goodbye.", "r10", "a10")
    assert of(do.HangUp, driver.echo_all())


def test_a_call_ends_at_its_longest_duration_with_a_goodbye() -> None:
    driver = Driver(greeting=None, max_duration_s=5, silence_s=60)
    driver.connect()
    assert of(do.CreateResponse, driver.wait(5.1))[0].instructions == TIME_IS_UP
    driver.feed(ev.SpeechStarted("u1", 0))
    assert of(do.HangUp, driver.wait(20)) == [do.HangUp(EndReason.MAX_DURATION)]


@pytest.mark.parametrize("reason", [EndReason.MODEL_UNREACHABLE, EndReason.MODEL_LOST])
def test_a_lost_model_is_announced_by_ourselves_and_ends_the_call(reason: EndReason) -> None:
    driver = Driver()
    driver.feed(ev.StreamStarted())
    out = driver.feed(ev.ModelLost(reason, "401"))
    assert audio_of(out) == PHRASES["trouble"]
    assert do.CloseValve() in out
    assert driver.echo_all()[-1] == do.HangUp(reason)


def test_a_model_lost_during_the_goodbye_changes_nothing() -> None:
    driver = Driver(greeting=None)
    driver.connect()
    _goodbye(driver)
    driver.feed(ev.ModelLost(EndReason.MODEL_LOST, "gone"))
    assert driver.echo_all()[-1] == do.HangUp(EndReason.AGENT_HUNG_UP)


def test_a_failed_response_is_tried_once_more_and_then_given_up() -> None:
    driver = Driver(greeting=None)
    driver.connect()
    driver.feed(ev.ResponseCreated("r1"))
    assert len(of(do.CreateResponse, driver.feed(ev.ResponseDone("r1", "failed", "boom")))) == 1
    driver.feed(ev.ResponseCreated("r2"))
    out = driver.feed(ev.ResponseDone("r2", "failed", "boom"))
    assert audio_of(out) == PHRASES["trouble"]
    assert driver.echo_all()[-1] == do.HangUp(EndReason.MODEL_LOST)


def test_a_caller_who_hangs_up_leaves_a_settled_record() -> None:
    driver = Driver()
    driver.connect()
    driver.say("one two three four")
    _play(driver, 150)
    out = driver.feed(ev.StreamEnded(EndReason.CALLER_HUNG_UP))
    assert out == [do.NoteAgentSpoke("a1", 0, "one", "two three four", 150, 1000)]
    assert driver.call.ended is EndReason.CALLER_HUNG_UP
    assert driver.call.next_deadline() is None
    assert driver.feed(ev.SpeechStarted("u1", 0)) == []


def test_a_broken_stream_is_noted_with_its_cause() -> None:
    driver = Driver()
    driver.connect()
    out = driver.feed(ev.StreamEnded(EndReason.CARRIER_LOST, "no audio"))
    assert do.NoteProblem(0, "no audio") in out


def test_the_callers_words_are_noted_when_they_come() -> None:
    driver = Driver()
    driver.connect()
    assert driver.feed(ev.SpeechStopped("u1", 1)) == [do.NoteCallerSpoke("u1", 0, "")]
    assert driver.feed(ev.CallerTranscribed("u1", "Hi")) == [do.NoteCallerSpoke("u1", 0, "Hi")]


def test_keys_are_told_to_the_model_after_a_pause() -> None:
    driver = Driver(greeting=None)
    driver.connect()
    driver.feed(ev.DigitPressed("4"), ev.DigitPressed("2"))
    out = driver.wait(1.6)
    assert out == [
        do.NoteKeys(1500, 2),
        do.SendUserText("(The caller pressed these keys: 42)"),
        do.CreateResponse("response-1", None),
    ]
    assert of(do.SendUserText, driver.feed(ev.DigitPressed("#")))


def test_a_refused_create_is_owed_and_other_refusals_are_noted() -> None:
    driver = Driver()
    driver.connect()
    refusal = ev.RequestRejected("response-1", "conversation_already_has_active_response", "")
    assert driver.feed(refusal) == []
    out = driver.feed(ev.RequestRejected(None, "invalid_value", "odd"))
    assert out == [do.NoteProblem(0, "the model refused", "invalid_value odd")]
    assert len(of(do.CreateResponse, driver.wait(1.1))) == 1


def test_a_bridge_that_goes_down_says_so_to_the_caller() -> None:
    driver = Driver()
    driver.connect()
    out = driver.feed(ev.ShutdownRequested())
    assert audio_of(out) == PHRASES["trouble"]
    assert driver.echo_all()[-1] == do.HangUp(EndReason.SHUTDOWN)


def test_the_limits_hold_even_when_the_model_is_not_there() -> None:
    driver = Driver(max_duration_s=5)
    driver.feed(ev.StreamStarted())
    driver.wait(5.1)
    assert driver.wait(10) or driver.call.ended
    assert driver.call.ended is EndReason.MAX_DURATION
