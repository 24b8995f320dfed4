from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebridge.rehearsal import phone as phone_module
from voicebridge.rehearsal.phone import FRAME_BYTES, SILENCE_FRAME, Phone
from voicebridge.rehearsal.phone_log import PhoneLog


def numbered(count: int, start: int = 0) -> bytes:
    """Make audio in which no byte is silence, so that a byte's fate can be followed."""
    return bytes((start + index) % 250 for index in range(count))


def a_phone() -> tuple[Phone, PhoneLog]:
    log = PhoneLog()
    return Phone(log), log


def ticks(phone: Phone, count: int) -> list[str]:
    return [name for _ in range(count) for name in phone.tick(SILENCE_FRAME, 0.0)]


def test_a_tick_plays_one_frame_of_what_is_queued() -> None:
    phone, log = a_phone()
    phone.receive(numbered(400), at=1.0)
    ticks(phone, 1)
    assert log.heard_audio == numbered(160)
    assert phone.queued_bytes == 240
    assert phone.carrier_ms == 20


def test_where_nothing_is_queued_the_ear_gets_silence() -> None:
    phone, log = a_phone()
    phone.receive(numbered(100), at=1.0)
    ticks(phone, 2)
    assert log.heard_audio == numbered(100) + b"\xff" * 220
    assert [(span.carrier_ms, span.received_offset, span.nbytes) for span in log.played] == [
        (0, 0, 100)
    ]


def test_both_channels_are_equally_long_at_every_tick() -> None:
    phone, log = a_phone()
    phone.receive(numbered(170), at=1.0)
    for number in range(4):
        phone.tick(numbered(160, number), 2.0)
        assert len(log.sent_audio) == len(log.heard_audio) == (number + 1) * FRAME_BYTES
    assert log.frames_sent == 4


def test_audio_played_without_a_break_is_one_span_and_a_break_begins_another() -> None:
    phone, log = a_phone()
    phone.receive(numbered(320), at=1.0)
    ticks(phone, 3)
    phone.receive(numbered(160), at=1.1)
    ticks(phone, 1)
    spans = [
        (span.carrier_ms, span.received_offset, span.nbytes, span.end_ms) for span in log.played
    ]
    assert spans == [(0, 0, 320, 40), (60, 320, 160, 80)]


def test_audio_that_comes_just_in_time_goes_on_in_the_same_span() -> None:
    phone, log = a_phone()
    for start in range(3):
        phone.receive(numbered(160, start), at=1.0)
        ticks(phone, 1)
    assert [(span.carrier_ms, span.nbytes) for span in log.played] == [(0, 480)]


def test_a_part_frame_ends_its_span_even_if_more_comes_before_the_next_tick() -> None:
    phone, log = a_phone()
    phone.receive(numbered(100), at=1.0)
    ticks(phone, 1)
    phone.receive(numbered(160), at=1.0)
    ticks(phone, 1)
    assert [(span.carrier_ms, span.nbytes) for span in log.played] == [(0, 100), (20, 160)]


def test_a_mark_comes_back_when_all_before_it_was_played() -> None:
    phone, log = a_phone()
    phone.receive(numbered(161), at=1.0)
    assert phone.mark("end", 1.0) == []
    assert ticks(phone, 1) == []
    assert phone.tick(SILENCE_FRAME, 5.0) == ["end"]
    mark = log.marks[0]
    assert (mark.received_offset, mark.echoed_at, mark.echoed_ms, mark.played) == (
        161,
        5.0,
        40,
        True,
    )


def test_a_mark_comes_back_at_once_when_nothing_is_queued() -> None:
    phone, log = a_phone()
    assert phone.mark("now", 3.0) == ["now"]
    assert log.marks[0].played
    assert log.marks[0].echoed_at == 3.0


def test_marks_at_the_same_place_come_back_together_in_order() -> None:
    phone, _ = a_phone()
    phone.receive(numbered(160), at=1.0)
    for name in ("one", "two", "three"):
        phone.mark(name, 1.0)
    assert ticks(phone, 1) == ["one", "two", "three"]


def test_clear_sends_back_every_pending_mark_but_none_counts_as_played() -> None:
    phone, log = a_phone()
    phone.receive(numbered(480), at=1.0)
    phone.mark("a", 1.0)
    phone.receive(numbered(160), at=1.0)
    phone.mark("b", 1.0)
    ticks(phone, 1)
    assert phone.clear(2.0, arrived_at=1.9) == ["a", "b"]
    assert [mark.played for mark in log.marks] == [False, False]
    clear = log.clears[0]
    assert (clear.carrier_ms, clear.played_received_offset, clear.dropped_bytes) == (20, 160, 480)
    assert (clear.at, clear.arrived_at, clear.received_offset) == (2.0, 1.9, 640)


def test_after_a_clear_only_silence_until_something_new_arrives() -> None:
    phone, log = a_phone()
    phone.receive(numbered(800), at=1.0)
    phone.clear(1.0)
    ticks(phone, 2)
    assert log.heard_audio == SILENCE_FRAME * 2
    phone.receive(b"\x01" * 160, at=1.1)
    ticks(phone, 1)
    assert log.heard_audio[-160:] == b"\x01" * 160


def test_a_clear_of_nothing_is_logged_and_drops_nothing() -> None:
    phone, log = a_phone()
    assert phone.clear(1.0) == []
    assert log.clears[0].dropped_bytes == 0


def test_ten_minutes_are_queued_and_not_a_byte_more(monkeypatch: pytest.MonkeyPatch) -> None:
    assert phone_module.QUEUE_LIMIT_BYTES == 600 * 8000
    monkeypatch.setattr(phone_module, "QUEUE_LIMIT_BYTES", 1000)
    phone, log = a_phone()
    assert phone.receive(numbered(900), at=1.0) == 0
    assert phone.receive(numbered(300), at=1.0) == 200
    assert phone.receive(numbered(10), at=1.0) == 10
    assert (len(log.received_audio), log.refused_bytes) == (1000, 210)
    ticks(phone, 1)
    assert phone.receive(numbered(160), at=1.0) == 0


def test_what_is_queued_when_the_stream_ends_is_lost_and_its_marks_never_return() -> None:
    phone, log = a_phone()
    phone.receive(numbered(480), at=1.0)
    phone.mark("goodbye", 1.0)
    ticks(phone, 1)
    phone.close(4.0)
    lost = log.lost_at_close[0]
    assert (lost.played_received_offset, lost.dropped_bytes) == (160, 320)
    assert log.marks[0].echoed_at is None
    assert ticks(phone, 5) == []


def test_a_stream_that_ends_with_nothing_queued_loses_nothing() -> None:
    phone, log = a_phone()
    phone.close(4.0)
    assert log.lost_at_close == []


def test_what_comes_next_can_be_looked_at_without_playing_it() -> None:
    phone, _ = a_phone()
    phone.receive(numbered(400), at=1.0)
    ticks(phone, 1)
    assert phone.upcoming(20) == numbered(400)[160:320]
    assert phone.upcoming(5000) == numbered(400)[160:]
    assert phone.queued_bytes == 240


def test_the_first_agent_byte_sets_the_moment_of_first_audio() -> None:
    phone, log = a_phone()
    phone.tick(SILENCE_FRAME, 1.0)
    assert log.first_agent_audio_at is None
    phone.receive(numbered(10), at=1.01)
    phone.tick(SILENCE_FRAME, 1.02)
    phone.tick(SILENCE_FRAME, 1.04)
    assert log.first_agent_audio_at == 1.02


moves = st.lists(
    st.one_of(
        st.tuples(st.just("media"), st.integers(1, 2000)),
        st.tuples(st.just("mark"), st.integers(0, 5)),
        st.tuples(st.just("tick"), st.integers(1, 6)),
        st.tuples(st.just("clear"), st.just(0)),
    ),
    max_size=60,
)


@dataclass
class Played:
    """A phone after a list of moves, with the marks that were set and came back, in order."""

    log: PhoneLog = field(default_factory=PhoneLog)
    marks_set: list[str] = field(default_factory=list)
    marks_back: list[str] = field(default_factory=list)
    queued: int = 0

    def run(self, script: list[tuple[str, int]]) -> Played:
        phone = Phone(self.log)
        for number, (move, amount) in enumerate(script):
            if move == "media":
                phone.receive(numbered(amount, number), at=float(number))
            elif move == "mark":
                self.marks_set.append(str(number))
                self.marks_back += phone.mark(str(number), float(number))
            elif move == "tick":
                self.marks_back += ticks(phone, amount)
            else:
                self.marks_back += phone.clear(float(number))
        self.queued = phone.queued_bytes
        return self


@given(moves)
def test_every_received_byte_is_played_once_or_dropped_by_one_clear_or_still_queued(
    script: list[tuple[str, int]],
) -> None:
    end = Played().run(script)
    fate = bytearray(len(end.log.received_audio))
    for span in end.log.played:
        for offset in range(span.received_offset, span.end_offset):
            fate[offset] += 1
    for clear in end.log.clears:
        for offset in range(clear.played_received_offset, clear.received_offset):
            fate[offset] += 1
    settled = len(fate) - end.queued
    assert all(count == 1 for count in fate[:settled])
    assert not any(fate[settled:])


@given(moves)
def test_what_was_heard_is_the_played_spans_in_their_places_and_silence_elsewhere(
    script: list[tuple[str, int]],
) -> None:
    log = Played().run(script).log
    rebuilt = bytearray(b"\xff" * len(log.heard_audio))
    for span in log.played:
        start = span.carrier_ms * 8
        rebuilt[start : start + span.nbytes] = log.received_audio[
            span.received_offset : span.end_offset
        ]
    assert rebuilt == log.heard_audio


@given(moves)
def test_marks_come_back_in_the_order_in_which_they_were_set_and_each_once(
    script: list[tuple[str, int]],
) -> None:
    end = Played().run(script)
    assert end.marks_back == end.marks_set[: len(end.marks_back)]
    waiting = [mark for mark in end.log.marks if mark.echoed_at is None]
    assert all(mark.received_offset > len(end.log.received_audio) - end.queued for mark in waiting)
    assert len(waiting) == len(end.marks_set) - len(end.marks_back)


@given(moves)
def test_a_mark_counts_as_played_only_if_every_byte_before_it_since_the_last_clear_was(
    script: list[tuple[str, int]],
) -> None:
    log = Played().run(script).log
    for mark in log.marks:
        if mark.echoed_at is None:
            continue
        dropped_over = any(
            clear.played_received_offset < mark.received_offset <= clear.received_offset
            and clear.at >= mark.at_received
            for clear in log.clears
        )
        assert mark.played is not dropped_over
