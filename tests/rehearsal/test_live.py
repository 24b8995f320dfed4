from __future__ import annotations

import io

from voicebridge.rehearsal.live import LiveTimeline, summary, wants_colour
from voicebridge.rehearsal.notes import PhoneNote
from voicebridge.rehearsal.report import Figure, Report
from voicebridge.rehearsal.session_log import ServerNote


def told(*notes: PhoneNote | ServerNote, colour: bool = False, width: int = 96) -> str:
    out = io.StringIO()
    live = LiveTimeline(out.write, colour=colour, width=width)
    for note in notes:
        live(note)
    return out.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_call_is_told_line_by_line_with_marks_summed_up() -> None:
    text = told(
        PhoneNote(10.0, "dial", "http://127.0.0.1/voice"),
        PhoneNote(10.1, "connected", "ws://127.0.0.1/media"),
        ServerNote(10.2, "response", "Good morning. How can I help?"),
        PhoneNote(10.3, "agent"),
        PhoneNote(10.5, "mark", "1"),
        PhoneNote(11.0, "mark", "2"),
        PhoneNote(12.0, "agent_done"),
        PhoneNote(12.5, "caller", "Are you open?"),
        ServerNote(12.6, "speech_started", "at 2500 ms of audio"),
        PhoneNote(13.0, "caller_done"),
        ServerNote(14.0, "tool", "opening_hours {}"),
        ServerNote(14.2, "response", "We are open."),
        PhoneNote(14.3, "agent"),
        PhoneNote(14.8, "cut", "900 ms unheard"),
        PhoneNote(14.8, "mark", "3"),
        PhoneNote(14.82, "agent_done"),
        ServerNote(14.9, "cut", 'heard 500 ms, up to "We"'),
        PhoneNote(15.0, "key", "5"),
        PhoneNote(15.1, "violation", "31951: not JSON"),
        PhoneNote(15.2, "error", "11200: no answer"),
        PhoneNote(15.3, "verb", "Hangup"),
        PhoneNote(114.1, "hang_up", "bridge"),
    )
    assert text.splitlines() == [
        "   0.00 s  line     connected",
        "   0.20 s  agent    “Good morning. How can I help?”",
        "   1.90 s  marks    2 played",
        "   2.40 s  caller   “Are you open?”",
        "   3.90 s  tool     opening_hours {}",
        "   4.20 s  agent    “We are open.”",
        "   4.70 s  cut      900 ms unheard",
        "   4.72 s  marks    1 sent back unheard",
        '   4.80 s  cut      the model is told: heard 500 ms, up to "We"',
        "   4.90 s  key      5",
        "   5.00 s  warning  31951: not JSON",
        "   5.10 s  error    11200: no answer",
        "   5.20 s  line     next verb: Hangup",
        " 104.00 s  line     hung up by the bridge",
    ]


def test_a_long_saying_is_wrapped_under_its_own_beginning() -> None:
    text = told(PhoneNote(1.0, "caller", "one two three four five six"), width=41)
    assert text.splitlines() == [
        "   0.00 s  caller   “one two three four",
        "                    five six”",
    ]


def test_a_reply_that_follows_on_while_the_agent_is_heard_is_shown_at_once() -> None:
    text = told(
        PhoneNote(1.0, "connected"),
        PhoneNote(1.0, "agent"),
        ServerNote(2.0, "response", "And one more thing."),
        ServerNote(2.1, "response", ""),
    )
    assert text.splitlines()[1:] == [
        "   0.00 s  agent    speaks",
        "   1.00 s  agent    “And one more thing.”",
    ]


def test_what_was_cut_before_it_was_heard_is_not_shown_as_said() -> None:
    text = told(
        ServerNote(1.0, "response", "Never heard."),
        PhoneNote(1.1, "cut", "900 ms unheard"),
        PhoneNote(1.2, "agent"),
    )
    assert "Never heard" not in text


def test_a_caller_whose_words_are_unknown_still_speaks() -> None:
    assert told(PhoneNote(1.0, "caller", "")) == "   0.00 s  caller   speaks\n"


def test_the_columns_are_the_same_in_colour() -> None:
    note = PhoneNote(1.0, "caller", "hello")
    plain, coloured = told(note), told(note, colour=True)
    assert "\x1b[36mcaller  \x1b[0m" in coloured
    assert coloured.replace("\x1b[36m", "").replace("\x1b[0m", "") == plain


def test_colour_is_for_terminals_that_want_it() -> None:
    assert wants_colour(Terminal(), {})
    assert not wants_colour(Terminal(), {"NO_COLOR": "1"})
    assert not wants_colour(io.StringIO(), {})


REPORT = Report(
    (
        Figure("time to first audio", 312.4, "ms"),
        Figure("heard-position error", 0.5, "ms", 60),
        Figure("frames lost", 3, "", 0),
        Figure("barge-in to silence", None, "ms", 400),
    )
)


def test_the_figures_stand_aligned_with_a_tick_or_a_cross_by_their_bar() -> None:
    assert summary(REPORT).splitlines() == [
        "  · time to first audio    312 ms",
        "  ✓ heard-position error   0.5 ms   at most 60 ms",
        "  ✗ frames lost              3      at most 0",
        "  · barge-in to silence   none      at most 400 ms",
    ]


def test_only_ticks_and_crosses_are_coloured() -> None:
    text = summary(REPORT, colour=True)
    assert "\x1b[32m✓\x1b[0m" in text
    assert "\x1b[31m✗\x1b[0m" in text
    assert text.count("\x1b[") == 4


def test_a_report_without_figures_is_an_empty_table() -> None:
    assert summary(Report(())) == "\n"
