"""Where words may not be kept, a record tells that and when something was said, but not what."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from voicebridge.call import commands as do
from voicebridge.records.record import CallRecord
from voicebridge.records.transcript import transcript

NOTES: tuple[do.Note, ...] = (
    do.NoteCallerSpoke("c1", 0, ""),
    do.NoteCallerSpoke("c1", 0, "planted-caller"),
    do.NoteAgentSpoke("a1", 900, "planted-heard", "planted-unheard", 1200, 3000),
    do.NoteBargeIn(2100),
    do.NoteTool(2200, "t1", "order_status", '{"x": "planted-in"}', '{"y": "planted-out"}', True),
    do.NoteKeys(2250, 4),
    do.NoteProblem(2300, "the server was slow", "planted-told"),
    do.NoteProblem(2400, "not read: planted-quote"),
)


def record(*, keeps_words: bool) -> CallRecord:
    made = CallRecord("CA1", "desk", "+1", "+2", datetime.now(UTC), keeps_words=keeps_words)
    for note in NOTES:
        made.note(note)
    return made


@pytest.mark.parametrize("keeps_words", [True, False])
def test_words_are_kept_only_where_they_may_be(keeps_words: bool) -> None:
    made = record(keeps_words=keeps_words)
    for text in (json.dumps(made.to_dict()), transcript(made), repr(made)):
        assert ("planted" in text) is keeps_words


def test_without_words_it_still_tells_who_spoke_when_and_which_tool_ran() -> None:
    told = record(keeps_words=False).to_dict()
    assert [(spoken["speaker"], spoken["at_ms"]) for spoken in told["spoken"]] == [
        ("caller", 0),
        ("agent", 900),
        ("caller", 2250),
    ]
    assert (told["spoken"][1]["heard_ms"], told["barge_ins_ms"]) == (1200, [2100])
    assert [(tool["name"], tool["ok"]) for tool in told["tools"]] == [("order_status", True)]
    assert told["problems"] == [
        {"at_ms": 2300, "what": "the server was slow"},
        {"at_ms": 2400, "what": "not read"},
    ]


def test_which_keys_were_pressed_is_kept_in_no_record() -> None:
    for keeps_words in (True, False):
        last = record(keeps_words=keeps_words).to_dict()["spoken"][-1]
        assert (last["speaker"], last["at_ms"], last["text"]) == (
            "caller",
            2250,
            "(4 keys pressed)",
        )


def test_with_words_a_problem_is_told_as_the_other_end_told_it() -> None:
    first, _ = record(keeps_words=True).to_dict()["problems"]
    assert first["what"] == "the server was slow: planted-told"
