"""A rehearsal fails on what it did not bring, with a line that says so."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from voicebridge.rehearsal.actions import Action, Sound
from voicebridge.rehearsal.expect import Expect, ExpectedSound
from voicebridge.rehearsal.expectations import ApiRequest, Outcome, missed
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.report import Figure, Report
from voicebridge.rehearsal.report_page import report_page

PRESSED = Action(
    "send_dtmf", "c1", '{"keys": "42"}', 1000, 1020, '{"pressed": "42"}', "“Hello.”", ("keys 42",)
)
RECORD = {
    "ended": "agent_hung_up",
    "tools": [{"call_id": "c1", "name": "send_dtmf", "at_ms": 1020, "ok": True}],
}


def outcome(folder: Path, **changes: Any) -> Outcome:
    """A call in which keys were pressed and a message was sent."""
    phone = PhoneLog(ended_by="bridge")
    phone.verbs_after_stream += ["Redirect http://b/after", "Dial +15550100020", "Hangup"]
    request = ApiRequest(
        method="POST", path="/Accounts/AC/Messages.json", fields={"Body": "12 Quay Street"}
    )
    (folder / "opt-out.txt").write_text("+15550100001\n")
    there = Outcome(
        phone=phone,
        actions=[PRESSED],
        sounds=[
            Sound("own", 0, 900),
            Sound("words", 1000, 1800, "Hello, there."),
            Sound("keys", 2000, 2400, "42"),
            Sound("tone", 3000, 3500, "440, 554"),
        ],
        told=["Be brief.", "The caller pressed 7."],
        sessions=1,
        records=[RECORD],
        requests=[request],
        colleague=["Gather A toothache. Press 1.", "Hangup"],
        folder=folder,
    )
    return replace(there, **changes)


AS_IT_IS: dict[str, Any] = {
    "ended": "agent_hung_up",
    "hung_up_by": "bridge",
    "actions": [{"name": "send_dtmf", "answer": {"pressed": "42"}}],
    "heard": [{"own": True}, {"words": "Hello"}, {"keys": "42"}, {"tone_hz": 550}],
    "told": ["pressed 7"],
    "never_told": ["4242"],
    "then": ["Redirect", "Dial +15550100020", "Hangup"],
    "sessions": 1,
    "requests": [{"path": "/Messages.json", "fields": {"Body": "Quay"}}],
    "colleague": ["toothache", "Hangup"],
    "files": {"opt-out.txt": "+15550100001", "*.txt": "+1555"},
}


def test_what_is_as_expected_misses_nothing(tmp_path: Path) -> None:
    assert missed(Expect.model_validate(AS_IT_IS), outcome(tmp_path)) == []
    assert missed(Expect(), outcome(tmp_path)) == []


@pytest.mark.parametrize(
    ("expected", "told"),
    [
        ({"ended": "silence"}, "as silence, but it ended as agent_hung_up"),
        ({"hung_up_by": "caller"}, "expected the caller to hang up, but it was the bridge"),
        ({"actions": []}, "expected the actions none, but there were: send_dtmf"),
        ({"actions": [{"name": "hold"}]}, "expected the actions hold, but"),
        ({"actions": [{"name": "send_dtmf", "ok": False}]}, "send_dtmf to fail, but the record"),
        ({"actions": [{"name": "send_dtmf", "answer": {"pressed": "43"}}]}, "answer pressed: 43"),
        ({"heard": [{"keys": "43"}]}, "to hear keys 43, but there was: words of the bridge's own"),
        ({"heard": [{"keys": "42"}, {"words": "Hello"}]}, "expected the caller to hear “Hello”"),
        ({"heard": [{"tone_hz": 460}]}, "expected the caller to hear a tone of 460 Hz"),
        ({"heard": [{"words": "42"}]}, "expected the caller to hear “42”"),
        ({"told": ["pressed 8"]}, "expected the model to be told “pressed 8”"),
        ({"never_told": ["pressed 7"]}, "expected the model not to be told “pressed 7”"),
        ({"then": ["Hangup", "Dial"]}, "expected “Dial” after the stream"),
        ({"sessions": 0}, "expected 0 sessions of the model, but there were 1"),
        ({"requests": []}, "but the carrier was sent: POST /Accounts/AC/Messages.json"),
        ({"requests": [{"path": "/Calls.json"}]}, "expected the requests /Calls.json"),
        ({"requests": [{"path": "s.json", "fields": {"Body": "Sea"}}]}, "expected the requests"),
        ({"colleague": ["Dial conference"]}, "expected a colleague to get “Dial conference”"),
        ({"files": {"callbacks.jsonl": "x"}}, "the file callbacks.jsonl, but it is not there"),
        ({"files": {"opt-out.txt": "+49"}}, "expected “+49” in the file opt-out.txt"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_each_thing_that_differs_is_told_in_a_line(
    tmp_path: Path, expected: dict[str, Any], told: str
) -> None:
    (line,) = missed(Expect.model_validate(expected), outcome(tmp_path))
    assert told in line


def test_an_action_that_the_record_does_not_show_is_told_without_being_expected(
    tmp_path: Path,
) -> None:
    for records in ([], [{"ended": "x", "tools": [{"call_id": "other", "at_ms": 1}]}]):
        assert missed(Expect(), outcome(tmp_path, records=records)) == [
            "the record does not show the action send_dtmf"
        ]
    open_end = replace(PRESSED, output=None, done_ms=None)
    assert missed(Expect(), outcome(tmp_path, actions=[open_end])) == [
        "the model was never told how send_dtmf went"
    ]


def test_of_two_streams_the_last_tells_how_the_call_ended(tmp_path: Path) -> None:
    both = outcome(tmp_path, records=[{**RECORD, "ended": "transferred"}, {"ended": "silence"}])
    assert missed(Expect(ended="silence"), both) == []


def test_one_line_breaks_the_report_and_the_page_says_so() -> None:
    report = Report((Figure("a", 1, "ms", 2),)).acted([PRESSED], [Sound("keys", 2000, 2400, "42")])
    assert report.ok
    assert report.expected([]).ok
    broken = report.expected(["expected | this"])
    assert not broken.ok
    assert broken.as_dict()["missed"] == ["expected | this"]
    page = report_page("A call", broken)
    assert "- expected | this" in page
    assert '| 1.00 s | send_dtmf | {"keys": "42"} | 20 ms |' in page
    assert "| 2.00 s | 2.40 s | keys 42 |" in page
    assert "| ✗ | expectations missed | 1 | 0 |" in page
    assert "Not as it should be" not in report_page("A call", report)


def test_a_sound_is_one_thing() -> None:
    with pytest.raises(ValidationError, match="exactly one of"):
        ExpectedSound(words="a", keys="1")
    with pytest.raises(ValidationError, match="exactly one of"):
        ExpectedSound()
