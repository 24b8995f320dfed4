from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phone_staged_call import Staged, noise

from voicebridge.rehearsal.actions import Sound
from voicebridge.rehearsal.phone_log import KeyPressed, VerbDone
from voicebridge.rehearsal.report import Figure
from voicebridge.rehearsal.session_log import SpeechSpan, ToolCallMade
from voicebridge.rehearsal.svg_row import LEFT, PLOT, RIGHT, Window
from voicebridge.rehearsal.svg_text import Shelf, clean, width_px, wrap
from voicebridge.rehearsal.timeline import Span, TimedWord, Timeline, make_timeline
from voicebridge.rehearsal.timeline_svg import timeline_svg
from voicebridge.rehearsal.voice import Word

SVG = "{http://www.w3.org/2000/svg}"


def words(text: str, each_ms: int = 250) -> tuple[Word, ...]:
    return tuple(
        Word(word, number * each_ms, (number + 1) * each_ms)
        for number, word in enumerate(text.split())
    )


def a_call() -> Staged:
    """Make a call whose long answer is cut, with a tool and a mark."""
    call = Staged()
    call.say(50, "When are you open?")
    answer = call.item(noise(40000, 1), words("We are open every day from nine until five o'clock"))
    call.receive(answer.audio)
    call.phone.mark("a", call.now)
    call.play(50)
    call.say(10, "Thanks!")
    call.clear()
    call.truncate(answer, 1200)
    call.model.speech.append(SpeechSpan(call.now - 0.1, 0, "u", call.now + 0.3, 0))
    call.model.tool_calls.append(
        ToolCallMade(
            call.now + 0.2, "c", "hang_up", '{"why": "done"}', '{"ok": true}', call.now + 0.9
        )
    )
    call.play(50)
    call.phone_log.ended_by = "caller"
    return call


def drawn(call: Staged, title: str = "A call") -> ET.Element:
    timeline = make_timeline(title, call.phone_log, call.model, call.report())
    return ET.fromstring(timeline_svg(timeline))


def texts(picture: ET.Element) -> list[str]:
    return ["".join(element.itertext()) for element in picture.iter(f"{SVG}text")]


def named(picture: ET.Element, name: str) -> list[ET.Element]:
    inside_legend = {child for group in picture.iter(f"{SVG}g") for child in group.iter()}
    return [
        element
        for element in picture.iter()
        if name in element.get("class", "").split() and element not in inside_legend
    ]


def test_keys_and_tones_stand_in_the_lane_of_whoever_they_came_from() -> None:
    call = a_call()
    call.phone_log.keys += [KeyPressed("4", 500), KeyPressed("2", 600), KeyPressed("7", 2000)]
    sounds = [Sound("keys", 1000, 1200, "42#"), Sound("tone", 1300, 1600, "440"),
              Sound("words", 0, 900, "Hello.")]  # fmt: skip
    report = call.report().acted([], sounds)
    timeline = make_timeline("A call", call.phone_log, call.model, report)
    assert [chip[0::3] for chip in timeline.chips] == [
        ("caller", "keys 42"),
        ("caller", "keys 7"),
        ("agent", "keys 42#"),
        ("agent", "a tone of 440 Hz"),
    ]
    picture = ET.fromstring(timeline_svg(timeline))
    assert len(named(picture, "chip")) == 4
    assert {"keys 42", "keys 42#", "a tone of 440 Hz"} <= set(texts(picture))


def test_what_came_after_the_stream_stands_where_it_ended() -> None:
    call = a_call()
    end_ms = call.phone_log.duration_ms
    call.phone_log.verbs_done.append(VerbDone("Dial +15550100020: busy", end_ms))
    picture = drawn(call)
    assert "Dial +15550100020: busy" in texts(picture)
    (chip,) = named(picture, "chip")
    assert float(chip.get("x", "")) + float(chip.get("width", "")) <= LEFT + PLOT + RIGHT


def test_the_picture_shows_both_voices_and_what_was_never_heard() -> None:
    picture = drawn(a_call())
    waves = [element.get("class") for element in named(picture, "wave")]
    assert sorted(waves) == ["wave agent", "wave agent lost", "wave caller"]
    heard = next(wave for wave in named(picture, "wave") if wave.get("class") == "wave agent")
    lost = named(picture, "lost")[0]
    first_lost = float(re.findall(r"M([\d.]+) ", lost.get("d", ""))[0])
    last_heard = float(re.findall(r"M([\d.]+) ", heard.get("d", ""))[-1])
    cut_x = float(named(picture, "cut")[0].get("x1", ""))
    assert last_heard < cut_x < first_lost


def test_what_was_said_stands_in_the_picture_with_the_unheard_words_apart() -> None:
    picture = drawn(a_call())
    assert "When are you open?" in texts(picture)
    unheard = [element.text for element in named(picture, "unheard")]
    assert " ".join(filter(None, unheard)) == "day from nine until five o'clock"
    assert any(text.startswith("We are open every ") for text in texts(picture))


def test_cut_tool_marks_and_noticed_speech_are_drawn_and_named() -> None:
    picture = drawn(a_call())
    assert "cut: 1.20 s heard, model told 1.20 s" in texts(picture)
    assert "hang_up(why done) → ok true" in texts(picture)
    assert len(named(picture, "noticed")) == 1
    assert len(named(picture, "back")) == 1
    assert named(picture, "mark") == []
    assert len(named(picture, "tool")) == 1


def test_the_figures_stand_at_the_foot_with_their_verdict() -> None:
    picture = drawn(a_call())
    figures = a_call().report().figures
    assert {figure.name for figure in figures} <= set(texts(picture))
    assert "✓ 0 ms" in texts(picture)
    assert "3.2 s · ended by the caller" in texts(picture)


def test_the_title_is_escaped_and_what_xml_cannot_hold_left_out() -> None:
    picture = drawn(a_call(), '<Tom & "Jerry"> \x00\x1b')
    assert picture.find(f"{SVG}title").text == '<Tom & "Jerry"> '


@given(st.text())
def test_any_text_can_stand_in_the_picture(text: str) -> None:
    element = ET.fromstring(f'<text a="{clean(text)}">{clean(text)}</text>')
    kept = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]", "", text)
    assert (element.text or "").split() == kept.split() or "\x85" in text or "\r" in text


def a_timeline(duration_ms: int, **parts: object) -> Timeline:
    rest = dict.fromkeys(("sayings", "unheard", "cuts", "tools", "noticed", "marks", "figures"), ())
    silence = b"\xff" * duration_ms * 8
    return Timeline("t", "s", duration_ms, silence, silence, **{**rest, **parts})


@pytest.mark.parametrize(
    ("duration_ms", "rows"), [(0, 1), (500, 1), (12000, 1), (12020, 2), (61000, 6)]
)
def test_a_long_call_is_parted_into_rows(duration_ms: int, rows: int) -> None:
    picture = ET.fromstring(timeline_svg(a_timeline(duration_ms)))
    lanes = [text for text in texts(picture) if text == "agent"]
    assert len(lanes) == rows


def test_the_seconds_are_numbered_through_all_rows() -> None:
    picture = ET.fromstring(timeline_svg(a_timeline(20000)))
    seconds = [int(text[:-2]) for text in texts(picture) if re.fullmatch(r"\d+ s", text)]
    assert seconds == [*range(12), *range(11, 21)]


def test_a_row_ends_where_nobody_speaks() -> None:
    spoken = b"\x10\x90" * 4000
    audio = (spoken * 10 + b"\xff" * 4000 + spoken * 9 + b"\xff" * 4000)[: 20000 * 8]
    timeline = replace(a_timeline(20000), caller_audio=audio)
    picture = ET.fromstring(timeline_svg(timeline))
    seconds = [int(text[:-2]) for text in texts(picture) if re.fullmatch(r"\d+ s", text)]
    assert seconds == [*range(11), *range(11, 21)]


def test_notes_that_fall_together_lie_on_different_levels() -> None:
    tools = tuple(Span(1000 + 10 * number, 1000, f"tool number {number}") for number in range(4))
    picture = ET.fromstring(timeline_svg(a_timeline(4000, tools=tools)))
    boxes = [
        (float(box.get("x", "")), float(box.get("y", "")), float(box.get("width", "")))
        for box in named(picture, "tool")
    ]
    assert len({y for _, y, _ in boxes}) == 4


def test_a_tool_that_takes_long_has_a_long_pill() -> None:
    tools = (Span(1000, 3000, "slow"),)
    picture = ET.fromstring(timeline_svg(a_timeline(4000, tools=tools)))
    assert float(named(picture, "tool")[0].get("width", "")) == pytest.approx(PLOT / 2, abs=1)


def test_a_figure_without_value_says_so() -> None:
    timeline = a_timeline(1000, figures=(Figure("heard-position error", None, "ms", 60),))
    assert "none" in texts(ET.fromstring(timeline_svg(timeline)))


def test_a_moment_lies_in_one_row_only() -> None:
    first, second = Window(0, 12000, 12000), Window(12000, 24000, 12000, last=True)
    assert first.holds(11999.9)
    assert not first.holds(12000)
    assert second.holds(12000)
    assert second.holds(99999)
    assert first.x(6000) == LEFT + PLOT / 2
    assert first.x(-5) == LEFT


@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(1, 300), st.integers(1, 3)), max_size=20))
def test_blocks_on_a_shelf_never_lie_over_each_other(
    blocks: list[tuple[float, float, int]],
) -> None:
    shelf, placed = Shelf(gap_px=5), []
    for x, wide, levels in sorted(blocks):
        level = shelf.place(x, wide, levels)
        placed += [(x, x + wide, taken) for taken in range(level, level + levels)]
    for number, (start, end, level) in enumerate(placed):
        for other_start, other_end, other_level in placed[:number]:
            if level == other_level:
                assert start >= other_end or end <= other_start
    assert shelf.levels == max((level + 1 for _, _, level in placed), default=0)


@given(st.lists(st.text("abcm ", min_size=1, max_size=12), max_size=30), st.floats(40, 400))
def test_wrapping_keeps_every_word_in_order_and_each_line_within_its_limit(
    texts_in: list[str], limit_px: float
) -> None:
    timed = [TimedWord(text, 0.0, index % 3 > 0) for index, text in enumerate(texts_in)]
    lines = wrap(timed, limit_px)
    joined = " ".join(run.text for line in lines for run in line)
    assert joined == " ".join(texts_in)
    for line in lines:
        text = " ".join(run.text for run in line)
        if len(line) > 1:
            assert width_px(text) <= limit_px


def test_the_subtitle_names_the_network_and_what_was_lost_at_the_end() -> None:
    call = a_call()
    call.phone_log.network_delay_ms, call.phone_log.jitter_ms = 80, 10
    call.receive(noise(1600, 9))
    call.phone.close(call.now)
    timeline = make_timeline("t", call.phone_log, call.model, call.report())
    assert timeline.subtitle == (
        "3.2 s · ended by the caller · network 80 ms each way + up to 10 ms jitter"
        " · 200 ms unheard at the end"
    )


def test_a_tool_call_is_jotted_down_whatever_its_arguments_are() -> None:
    call = Staged()
    call.play(100)
    for arguments, output in (("not json", None), ("[1]", "plain words"), ("{}", "x" * 200)):
        call.model.tool_calls.append(
            ToolCallMade(call.now, "c", "look", arguments, output, call.now if output else None)
        )
    timeline = make_timeline("t", call.phone_log, call.model, call.report())
    labels = [tool.label for tool in timeline.tools]
    assert labels[:2] == ["look(not json)", "look([1]) → plain words"]
    assert len(labels[2]) == 84
    assert labels[2].endswith("…")


def test_a_cut_that_the_model_was_not_told_of_says_so() -> None:
    call = a_call()
    call.model.truncates.clear()
    assert "cut: 1.20 s heard, model not told" in texts(drawn(call))
