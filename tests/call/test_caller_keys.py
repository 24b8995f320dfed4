"""The caller's keys: as a text, by a tool, or not at all; as barge-in or not; nobody's to keep."""

import json

import pytest
from call_driver import SECOND, Driver, audio_of, of

from voicebridge.audio.tones import hold_tone
from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.keys import MOST_KEYS, KeyRules, Keys, KeyUse
from voicebridge.call.manners import Manners
from voicebridge.call.reasons import EndReason
from voicebridge.call.tool_calls import ToolManners, ToolRules

BY_TOOL = KeyRules(KeyUse.TOOL, "extension", "number")


def presses(keys: str) -> list[ev.Event]:
    return [ev.DigitPressed(key) for key in keys]


def a_call(rules: KeyRules | None = None, **config: object) -> Driver:
    driver = Driver(greeting=None, keys=rules or KeyRules(), **config)
    driver.connect()
    return driver


def speaking(rules: KeyRules, manners: Manners | None = None) -> Driver:
    """A call in whose greeting the caller presses keys, a tenth of a second into it."""
    driver = Driver(keys=rules, manners=manners or Manners())
    driver.connect()
    driver.feed(ev.ResponseCreated("r1"), ev.TranscriptReceived("a1", "one two three four"))
    driver.feed(ev.AudioReceived("r1", "a1", 0, SECOND))
    for mark in of(do.SendMark, driver.all)[:2]:
        assert isinstance(mark, do.SendMark)
        driver.feed(ev.MarkEchoed(mark.name))
        driver.at_ms += 60
    return driver


# --- an entry -------------------------------------------------------------------------------------


def test_keys_are_one_entry_up_to_a_hash() -> None:
    keys = Keys()
    assert [keys.pressed(key, 1.0) for key in "42#"] == [None, None, "42#"]
    assert keys.deadline is None


def test_a_pause_ends_an_entry_and_each_key_begins_it_anew() -> None:
    keys = Keys(KeyRules(pause_s=0.8))
    keys.pressed("7", 1.0)
    keys.pressed("8", 1.5)
    assert keys.deadline == 2.3
    assert keys.take() == "78"


def test_an_endless_entry_is_handed_over_in_pieces() -> None:
    keys = Keys()
    told = [entry for _ in range(2 * MOST_KEYS) if (entry := keys.pressed("1", 1.0))]
    assert told == ["1" * MOST_KEYS] * 2


# --- as a text ------------------------------------------------------------------------------------


def test_two_entries_are_two_texts_each_with_its_response() -> None:
    driver = a_call()
    driver.feed(*presses("1"))
    first = driver.wait(1.6)
    assert of(do.SendUserText, first) == [do.SendUserText("(The caller pressed these keys: 1)")]
    driver.feed(ev.ResponseCreated("r1"), ev.ResponseDone("r1", "completed"))
    second = driver.feed(*presses("23#"))
    assert of(do.SendUserText, second) == [do.SendUserText("(The caller pressed these keys: 23#)")]
    assert len(of(do.CreateResponse, [*first, *second])) == 2


def test_keys_that_came_before_the_model_are_told_when_it_is_there() -> None:
    driver = Driver()
    driver.feed(ev.StreamStarted(), *presses("1" * MOST_KEYS), *presses("9"))
    assert of(do.SendUserText, driver.wait(2.0)) == []
    out = [*driver.feed(ev.ModelReady()), *driver.wait(2.0)]
    assert of(do.CreateResponse, out)[0] == do.CreateResponse("response-1", "Say hello.")
    told = "(The caller pressed these keys: " + "1" * (MOST_KEYS - 1) + "9)"
    assert of(do.SendUserText, out) == [do.SendUserText(told)]


def test_nothing_that_is_logged_or_recorded_holds_the_keys() -> None:
    driver = a_call()
    out = [*driver.feed(*presses("4711#"))]
    assert of(do.NoteKeys, out) == [do.NoteKeys(0, 5)]
    for shown in (*presses("4711"), *out):
        assert "4711" not in repr(shown)
        assert "4" not in repr(ev.DigitPressed("4"))


def test_keys_are_passed_over_once_an_end_is_not_the_callers_to_stop() -> None:
    driver = a_call()
    driver.feed(ev.GoodbyeRequested(EndReason.SPEND_LIMIT, "Say goodbye."))
    assert driver.feed(*presses("1#")) == []


def test_a_key_keeps_the_line_open_as_a_word_does() -> None:
    driver = a_call()
    driver.feed(ev.ResponseCreated("r1"), ev.HangUpRequested("c1"))
    out = driver.feed(*presses("1#"), ev.ResponseDone("r1", "completed"))
    assert of(do.HangUp, out) == []
    assert len(of(do.CreateResponse, out)) == 1


# --- by a tool ------------------------------------------------------------------------------------


def test_the_tool_gets_the_keys_and_the_model_what_came_of_it() -> None:
    driver = a_call(BY_TOOL)
    out = driver.feed(*presses("42#"))
    arguments = json.dumps({"number": "42"})
    assert out == [
        do.NoteKeys(0, 3),
        do.SendToolCall("keys-1", "extension", arguments),
        do.RunTool("keys-1", "extension", arguments),
    ]
    assert driver.feed(ev.ToolFinished("keys-1", '{"name": "Ann"}', True)) == [
        do.SendToolOutput("keys-1", '{"name": "Ann"}'),
        do.NoteTool(0, "keys-1", "extension", "", '{"name": "Ann"}', True),
        do.CreateResponse("response-1", None),
    ]


def test_each_entry_is_a_run_of_its_own_and_a_lone_hash_is_one() -> None:
    driver = a_call(BY_TOOL)
    runs = of(do.RunTool, driver.feed(*presses("1##")))
    assert runs == [
        do.RunTool("keys-1", "extension", '{"number": "1"}'),
        do.RunTool("keys-2", "extension", '{"number": "#"}'),
    ]


def test_a_tool_that_gives_way_to_the_caller_gives_way_to_his_keys_too() -> None:
    manners = {"search": ToolManners(cancellable=True)}
    driver = a_call(tools=ToolRules(tools=manners))
    driver.feed(ev.ResponseCreated("r1"), ev.ToolCalled("r1", "c1", "search", "{}"))
    out = driver.feed(*presses("1#"))
    assert do.CancelTool("c1") in out
    assert len(of(do.SendUserText, out)) == 1


def test_an_entry_on_a_later_stream_of_the_call_is_no_repetition_of_an_earlier_one() -> None:
    driver = a_call(BY_TOOL, tools=ToolRules(done={"keys-1": "{}", "c1": "{}", "keys-2": "{}"}))
    (run,) = of(do.RunTool, driver.feed(*presses("5#")))
    assert run == do.RunTool("keys-3", "extension", '{"number": "5"}')


def test_a_tool_that_hangs_is_answered_for_as_any_other() -> None:
    driver = a_call(BY_TOOL, tools=ToolRules(timeout_s=2))
    driver.feed(*presses("1#"))
    out = driver.wait(2.1)
    assert do.CancelTool("keys-1") in out
    assert len(of(do.SendToolOutput, out)) == len(of(do.CreateResponse, out)) == 1


# --- not at all -----------------------------------------------------------------------------------


def test_keys_may_be_ignored() -> None:
    driver = speaking(KeyRules(KeyUse.IGNORED))
    assert driver.feed(*presses("1#")) == []
    assert driver.feed(ev.HangUpRequested("c1"), *presses("1")) == []


def test_ignored_keys_still_reach_a_tool_that_collects_them() -> None:
    driver = a_call(KeyRules(KeyUse.IGNORED))
    driver.feed(ev.KeysWanted("c1", 4, "#", 20))
    assert do.GiveKeys("c1", "42") in driver.feed(*presses("42#"))


# --- while a tool collects ------------------------------------------------------------------------


@pytest.mark.parametrize("rules", [KeyRules(), BY_TOOL])
def test_keys_that_a_tool_collects_are_told_to_nobody_else(rules: KeyRules) -> None:
    driver = a_call(rules)
    driver.feed(ev.KeysWanted("c1", 16, "#", 20))
    out = [*driver.feed(*presses("4242#")), *driver.wait(5)]
    assert out == [do.UnmuteCaller(), do.GiveKeys("c1", "4242")]


def test_keys_that_were_typed_ahead_are_the_tools() -> None:
    driver = a_call()
    driver.feed(*presses("42"))
    out = driver.feed(ev.KeysWanted("c1", 16, "#", 20), *presses("42#"))
    assert do.GiveKeys("c1", "4242") in out
    assert of(do.SendUserText, [*out, *driver.wait(5)]) == []


# --- into the agent's words -----------------------------------------------------------------------


def test_a_key_stops_the_agent_at_once_and_the_entry_is_answered() -> None:
    driver = speaking(KeyRules())
    out = driver.feed(*presses("1"))
    (clear, probe, cancel, note) = out
    assert (clear, cancel) == (do.SendClear(), do.CancelResponse("r1"))
    assert note == do.NoteBargeIn(driver.at_ms)
    assert isinstance(probe, do.SendMark)
    out = driver.feed(ev.MarkEchoed(probe.name), ev.ResponseDone("r1", "cancelled"))
    (cut,) = of(do.TruncateItem, out)
    assert isinstance(cut, do.TruncateItem)
    assert cut.audio_end_ms == 120
    assert len(of(do.CreateResponse, driver.wait(1.6))) == 1


def test_a_persona_may_talk_on_over_keys() -> None:
    driver = speaking(KeyRules(interrupts=False))
    out = driver.feed(*presses("1#"))
    assert of(do.SendClear, out) == of(do.CreateResponse, out) == []
    assert len(of(do.SendUserText, out)) == 1
    out = driver.feed(ev.ResponseDone("r1", "completed"))
    assert len(of(do.CreateResponse, out)) == 1


def test_words_that_are_protected_are_said_to_their_end() -> None:
    driver = speaking(KeyRules(), Manners(greeting_protected=True))
    assert driver.feed(*presses("1")) == []


def test_a_key_into_silence_stops_nothing() -> None:
    assert a_call().feed(*presses("1")) == []


def test_the_tone_of_a_hold_is_no_speech_that_a_key_could_stop() -> None:
    driver = a_call()
    out = driver.feed(ev.HoldRequested("c1", 60))
    assert audio_of(out) == hold_tone()
    assert of(do.SendClear, driver.feed(*presses("1"))) == []
