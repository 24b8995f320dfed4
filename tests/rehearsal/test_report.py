from __future__ import annotations

import json

import pytest
from phone_staged_call import Staged, noise

from voicebridge.rehearsal.call_figures import FramesToModel, frames_to_model
from voicebridge.rehearsal.phone_log import PhoneLog, StreamOpened, Violation
from voicebridge.rehearsal.report import Bars, Figure, Report
from voicebridge.rehearsal.session_log import (
    ErrorSent,
    SessionLog,
    SpeechSpan,
    Truncate,
    joined,
)


def a_good_call() -> Staged:
    """Make a call with a greeting, a question, an answer broken into, and a goodbye."""
    call = Staged()
    call.play(5)
    call.receive(call.item(noise(16000, 1)).audio)
    call.play(150)
    call.say(50)
    call.play(25)
    answer = call.item(noise(40000, 2))
    call.receive(answer.audio)
    call.play(100)
    call.say(3)
    call.model.speech.append(SpeechSpan(call.now - 0.005, 0, "item_u"))
    call.clear()
    call.truncate(answer, 2060)
    call.say(40)
    call.play(30)
    call.receive(call.item(noise(8000, 3)).audio)
    call.play(60)
    call.phone_log.ended_by = "bridge"
    call.now += 2.0
    call.close()
    return call


def value(call: Staged, name: str) -> float | None:
    return call.report().figure(name).value


def test_a_good_call_keeps_every_bar() -> None:
    report = a_good_call().report()
    assert report.ok
    assert report.errors == ()
    assert [figure.name for figure in report.figures if figure.ok is False] == []


def test_each_stream_of_a_call_is_compared_with_its_own_session() -> None:
    first, second = SessionLog(), SessionLog()
    first.appended += noise(1600, 1)
    second.appended += noise(1600, 3)
    phone = PhoneLog(streams=[StreamOpened("MZ1", 1, 1, 0), StreamOpened("MZ2", 2, 2, 240)])
    # Two frames of the first stream were under way when it ended.
    phone.sent_audio += noise(1600, 1) + noise(320, 2) + noise(1600, 3)
    whole = joined([first, second])
    assert frames_to_model(phone, whole) == FramesToModel(0, 0, 2)
    assert bytes(whole.appended) == noise(1600, 1) + noise(1600, 3)


def test_sessions_are_joined_with_all_that_happened_in_them() -> None:
    logs = [SessionLog(told=["a"], closed_at=1.0), SessionLog(told=["b"], closed_at=2.0)]
    logs[0].received["session.update"] += 1
    logs[1].received["response.create"] += 1
    whole = joined(logs)
    assert (whole.told, whole.closed_at) == (["a", "b"], 2.0)
    assert [log.used for log in (*logs, whole)] == [False, True, True]
    assert joined(logs[:1]) is logs[0]
    assert joined([]) == SessionLog()


def test_waiting_times_are_taken_at_the_ear() -> None:
    call = a_good_call()
    call.phone_log.caller_speech.pop(1)
    assert value(call, "time to first audio") == 101.0
    assert value(call, "answer delay, median") == 550.0
    assert value(call, "answer delay, longest") == 600.0
    assert call.report().answer_delays_ms == (500.0, 600.0)


def test_a_barge_in_lasts_from_the_callers_first_sound_to_the_clear() -> None:
    assert value(a_good_call(), "barge-in to silence") == 60.0


def test_a_barge_in_that_nobody_answers_lasts_until_the_agent_has_finished() -> None:
    call = Staged()
    call.receive(call.item(noise(16000, 1)).audio)
    call.play(10)
    call.say(20)
    call.play(100)
    assert value(call, "barge-in to silence") == 1800.0


def test_the_clear_is_timed_from_speech_started() -> None:
    assert value(a_good_call(), "clear after speech_started") == 5.0


def test_a_clear_long_after_any_speech_is_not_timed() -> None:
    call = a_good_call()
    call.model.speech[0] = SpeechSpan(90.0, 0, "item_u")
    assert value(call, "clear after speech_started") is None


def test_a_call_without_a_cut_has_no_heard_position_error_and_is_still_good() -> None:
    call = Staged()
    call.receive(call.item(noise(800, 1)).audio)
    call.play(10)
    figure = call.report().figure("heard-position error")
    assert (figure.value, figure.ok) == (None, None)
    assert call.report().ok


def test_the_heard_position_error_is_that_of_the_worst_cut() -> None:
    call = a_good_call()
    call.model.truncates[0] = Truncate(call.model.truncates[0].at, "item_2", 1900, True)
    report = call.report()
    assert report.figure("heard-position error").value == 160.0
    assert not report.ok


def test_rejected_truncates_are_counted() -> None:
    call = a_good_call()
    call.model.truncates.append(Truncate(call.now, "item_2", 99999, False, "invalid_value"))
    assert value(call, "rejected truncates") == 1
    assert not call.report().ok


def test_stale_audio_is_told_in_ms() -> None:
    call = Staged()
    item = call.item(noise(8000, 1))
    call.receive(item.audio[:3000])
    call.play(5)
    call.clear()
    call.truncate(item, 100)
    call.receive(item.audio[3000:3800])
    call.play(10)
    assert value(call, "cut reply played after clear") == 100.0
    assert not call.report().ok


@pytest.mark.parametrize(
    ("forwarded", "lost"),
    [
        (lambda audio: audio, 0),
        (lambda audio: audio[:-160], 1),
        (lambda audio: audio[:1600] + audio[1760:], 1),
        (lambda audio: audio[:1600] + bytes(160) + audio[1760:], 1),
        (lambda audio: b"", 50),
    ],
)
def test_frames_missing_at_the_phone_are_lost_on_the_way_from_the_model(
    forwarded: object, lost: int
) -> None:
    assert callable(forwarded)
    call = Staged()
    call.receive(forwarded(call.item(noise(8000, 1)).audio))
    call.receive(call.item(noise(1600, 2)).audio)
    call.play(100)
    call.now += 2.0
    call.close()
    assert value(call, "frames lost model to caller") == lost


def test_items_in_the_wrong_order_are_lost() -> None:
    call = Staged()
    first, second = call.item(noise(1600, 1)), call.item(noise(3200, 2))
    call.receive(second.audio + first.audio)
    call.play(100)
    call.now += 2.0
    call.close()
    assert value(call, "frames lost model to caller") == 20


def test_what_the_model_was_still_saying_at_the_end_is_not_lost() -> None:
    call = Staged()
    item = call.item(noise(8000, 1))
    call.model.responses[0].done_at = None
    call.receive(item.audio[:1600])
    call.play(20)
    call.close()
    assert value(call, "frames lost model to caller") == 0


def to_model(sent: bytes, appended: bytes) -> FramesToModel:
    call = Staged()
    call.phone_log.sent_audio += sent
    call.model.appended += appended
    return frames_to_model(call.phone_log, call.model)


def test_frames_to_the_model_are_compared_byte_by_byte() -> None:
    sent = noise(1600, 1)
    assert to_model(sent, sent) == FramesToModel(0, 0, 0)
    assert to_model(sent, sent[:-320]) == FramesToModel(0, 0, 2)
    assert to_model(sent, sent[:320] + sent[640:]) == FramesToModel(2, 0, 0)
    assert to_model(sent, sent[:320] + bytes(160) + sent[480:]) == FramesToModel(0, 1, 0)
    assert to_model(sent, sent[320:1280]) == FramesToModel(2, 0, 2)
    assert to_model(sent, b"") == FramesToModel(0, 0, 10)


def test_a_goodbye_that_the_bridge_cuts_off_is_held_against_it_but_not_a_callers_hang_up() -> None:
    call = Staged()
    call.receive(call.item(noise(8000, 1)).audio)
    call.play(10)
    call.phone_log.ended_by = "bridge"
    call.close()
    figure = call.report().figure("unheard when the line closed")
    assert (figure.value, figure.ok) == (800.0, False)
    call.phone_log.ended_by = "caller"
    assert call.report().figure("unheard when the line closed").ok is None


def test_violations_and_errors_of_both_sides_are_counted() -> None:
    call = a_good_call()
    call.phone_log.violate(31951, "not JSON", 1.0)
    call.phone_log.errors.append("11200: no answer")
    call.model.errors_sent.append(ErrorSent(1.0, "invalid_value", "wrong", None))
    report = call.report()
    assert report.figure("protocol violations").value == 1
    assert report.errors == ("11200: no answer", "invalid_value: wrong")
    assert not report.ok
    assert call.phone_log.protocol_violations == [Violation(31951, "not JSON", 1.0)]


def test_bars_can_be_moved() -> None:
    report = a_good_call().report(Bars(answer_delay_ms=100, errors=None))
    assert report.figure("answer delay, longest").ok is False
    assert report.figure("errors").ok is None


def test_a_call_that_never_came_about_is_still_reported() -> None:
    call = Staged()
    call.phone_log.streams.clear()
    call.phone_log.errors.append("11205: no connection")
    report = call.report()
    assert not report.ok
    assert report.figure("time to first audio").value is None


def test_the_report_is_written_as_json() -> None:
    data = json.loads(a_good_call().report().to_json())
    assert data["ok"] is True
    assert data["cuts"] == [
        {"item_id": "item_2", "heard_ms": 2060.0, "told_ms": 2060, "error_ms": 0.0}
    ]
    assert {"name", "value", "unit", "bar", "ok"} == set(data["figures"][0])


def test_a_figure_without_that_name_is_an_error() -> None:
    with pytest.raises(KeyError):
        Report((Figure("a", 1, ""),)).figure("b")


def test_only_the_first_thousand_violations_are_kept_word_for_word() -> None:
    log = Staged().phone_log
    for number in range(1200):
        log.violate(31951, str(number), 0.0)
    assert (log.violation_count, len(log.protocol_violations)) == (1200, 1000)
