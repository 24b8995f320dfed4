"""What a session of the load bench does: replies, barge-ins, tool calls, each at its time."""

from __future__ import annotations

import json
from typing import Any

import pytest

from voicebridge.rehearsal.load_events import EventWriter
from voicebridge.rehearsal.load_phone import LoadPhone
from voicebridge.rehearsal.load_plan import ANSWER_WITHIN_S, TOOL, Plan, offers_tool

SECOND_NS = 1_000_000_000


class Played:
    """A plan, a clock of its own, and the events that were sent."""

    def __init__(self, seed: int = 1, tool_share: float = 0.0) -> None:
        self.sent: list[dict[str, Any]] = []
        self.plan = Plan(EventWriter(self._take), seed, tool_share)
        self.now_ns = 0

    def _take(self, text: bytes) -> None:
        self.sent.append(json.loads(text))

    def run(self, seconds: float) -> list[str]:
        """Tick every 10 ms for so long and return the types of what was sent."""
        before = len(self.sent)
        until_ns = self.now_ns + int(seconds * SECOND_NS)
        while self.now_ns < until_ns:
            self.now_ns += 10_000_000
            self.plan.tick(self.now_ns)
        return [event["type"] for event in self.sent[before:]]


@pytest.mark.parametrize("seed", range(5))
def test_a_session_speaks_and_is_spoken_over_for_as_long_as_it_lasts(seed: int) -> None:
    played = Played(seed)
    played.plan.start(LoadPhone(0, "/x"), 0)
    kinds = played.run(120)
    assert kinds[0] == "input_audio_buffer.speech_started"
    assert kinds.count("response.created") >= 8
    created, done = kinds.count("response.created"), kinds.count("response.done")
    assert created - done in {0, 1}
    assert kinds.count("input_audio_buffer.speech_started") >= created - 1
    assert sum(played.plan.spoken.frames.values()) > 8 * 100


def test_a_reply_is_given_when_it_is_asked_for_and_only_then_if_nobody_speaks() -> None:
    played = Played()
    assert played.run(5) == []
    played.plan.respond(played.now_ns)
    assert "response.output_audio.delta" in played.run(0.2)


def test_a_tool_is_called_first_and_its_answer_brings_the_reply() -> None:
    played = Played(tool_share=1.0)
    played.plan.has_tool = True
    played.plan.respond(0)
    played.run(0.2)
    kinds = [event["type"] for event in played.sent]
    assert "response.function_call_arguments.done" in kinds
    assert "response.output_audio.delta" not in kinds
    (done,) = (event for event in played.sent if event["type"] == "response.done")
    assert done["response"]["output"][0]["name"] == TOOL
    played.plan.respond(played.now_ns)
    assert "response.output_audio.delta" in played.run(0.2)
    assert played.plan.spoken.tools_called == 1


def test_a_tool_that_gives_no_answer_holds_up_nothing() -> None:
    played = Played(tool_share=1.0)
    played.plan.has_tool = True
    played.plan.respond(0)
    assert "response.output_audio.delta" not in played.run(ANSWER_WITHIN_S - 0.1)
    assert "response.output_audio.delta" in played.run(0.3)


def test_a_session_that_is_stopped_says_nothing_more() -> None:
    played = Played()
    played.plan.respond(0)
    played.run(0.2)
    played.plan.stop()
    assert played.run(30) == []


def test_only_a_session_with_the_tool_has_it() -> None:
    assert offers_tool({"tools": [{"type": "function", "name": TOOL}]})
    assert not offers_tool({"tools": [{"type": "function", "name": "hang_up"}]})
    assert not offers_tool({})


def test_a_caller_who_hangs_up_before_the_line_is_open_says_nothing_on_it() -> None:
    phone = LoadPhone(0, "/x")
    phone.leave()
    assert (phone.talking, phone.sent) == (False, 0)
