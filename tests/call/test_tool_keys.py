"""Keys that a tool waits for, when the tool is stopped or the entry ends in another way."""

from typing import Any

import pytest

from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.actions import KEYS_WITHIN_S
from voicebridge.call.call import Call, CallConfig
from voicebridge.call.tool_calls import ToolManners, ToolRules

PHRASES = {"one_moment": b"\x01" * 160, "trouble": b"\x02" * 160}
RULES = ToolRules(timeout_s=10, filler_after_s=None, tools={"card": ToolManners(cancellable=True)})


class Entry:
    """A call in which the tool ``card`` waits for at most sixteen keys."""

    def __init__(self) -> None:
        self.call = Call(CallConfig(greeting=None, phrases=PHRASES, tools=RULES))
        self.now = 100.0
        self.feed(ev.StreamStarted(), ev.ModelReady(), ev.ResponseCreated("r1"))
        self.feed(ev.ToolCalled("r1", "c1", "card", "{}"), ev.ResponseDone("r1", "completed"))
        assert self.want() == [do.MuteCaller()]

    def feed(self, *events: ev.Event) -> list[do.Command]:
        return [c for event in events for c in self.call.handle(event, self.now, 0)]

    def want(self, most: int = 16) -> list[do.Command]:
        return self.feed(ev.KeysWanted("c1", most, "#", 60))

    def press(self, keys: str) -> list[do.Command]:
        return self.feed(*map(ev.DigitPressed, keys))

    def wait(self, seconds: float) -> list[do.Command]:
        self.now += seconds
        return self.feed(ev.DeadlineReached())

    def told(self, out: list[do.Command]) -> list[Any]:
        return [c for c in out if isinstance(c, do.SendUserText | do.GiveKeys)]


def test_a_tool_that_takes_too_long_lets_the_model_hear_the_caller_at_once() -> None:
    entry = Entry()
    entry.press("42")
    out = entry.wait(10)
    assert out.index(do.CancelTool("c1")) < out.index(do.UnmuteCaller())


def test_a_tool_that_breaks_down_lets_the_model_hear_the_caller_at_once() -> None:
    entry = Entry()
    out = entry.feed(ev.ToolFinished("c1", "{}", False))
    assert do.UnmuteCaller() in out
    assert not any(isinstance(command, do.GiveKeys) for command in out)


def test_a_tool_that_the_caller_stops_lets_the_model_hear_the_caller_at_once() -> None:
    entry = Entry()
    out = entry.feed(ev.SpeechStarted("u1", 0))
    assert do.CancelTool("c1") in out
    assert do.UnmuteCaller() in out


def test_another_tool_that_is_done_ends_no_entry() -> None:
    entry = Entry()
    entry.feed(ev.ResponseCreated("r2"), ev.ToolCalled("r2", "c2", "other", "{}"))
    assert do.UnmuteCaller() not in entry.feed(ev.ToolFinished("c2", "{}", True))


def test_a_caller_on_hold_stays_there_when_the_tool_is_stopped() -> None:
    entry = Entry()
    entry.feed(ev.HoldRequested("c1", 60))
    assert do.UnmuteCaller() not in entry.wait(10)


def test_a_card_that_is_still_typed_when_its_tool_is_stopped_is_told_to_nobody() -> None:
    entry = Entry()
    entry.press("4242")
    entry.wait(10)
    out = entry.press("4242")
    entry.now += KEYS_WITHIN_S - 1
    out += entry.press("1#") + entry.wait(5)
    assert entry.told(out) == []
    assert entry.told(entry.press("7#")) == [do.SendUserText("(The caller pressed these keys: 7#)")]


def test_after_a_pause_keys_are_the_models_again() -> None:
    entry = Entry()
    entry.wait(10)
    entry.now += KEYS_WITHIN_S
    assert entry.told(entry.press("7#")) == [do.SendUserText("(The caller pressed these keys: 7#)")]


def test_an_entry_that_ran_out_of_time_leaves_nothing_of_itself_to_the_model() -> None:
    entry = Entry()
    entry.press("4242")
    assert do.GiveKeys("c1", "4242") in entry.wait(KEYS_WITHIN_S)
    assert entry.told(entry.press("4242#") + entry.wait(5)) == []


def test_the_key_that_ends_a_full_entry_is_no_news() -> None:
    entry = Entry()
    entry.want(most=2)
    assert do.GiveKeys("c1", "42") in entry.press("42")
    assert entry.told(entry.press("#") + entry.wait(5)) == []


@pytest.mark.parametrize("most", [1, 2])
def test_a_key_after_a_full_entry_is_the_models(most: int) -> None:
    entry = Entry()
    entry.want(most=most)
    entry.press("42"[:most])
    assert entry.told(entry.press("7#")) == [do.SendUserText("(The caller pressed these keys: 7#)")]


def test_a_new_entry_takes_the_keys_again() -> None:
    entry = Entry()
    entry.wait(10)
    entry.want()
    assert do.GiveKeys("c1", "7") in entry.press("7#")
