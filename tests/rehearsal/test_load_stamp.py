"""Stamped frames: whatever happens to them on their way is found."""

from binascii import b2a_base64

from hypothesis import assume, given
from hypothesis import strategies as st

from voicebridge.rehearsal.load_stamp import (
    FRAME_BYTES,
    FRAME_CHARS,
    SILENCE,
    Arrivals,
    Stamp,
    read_stamp,
    read_stamp_text,
    stamped,
    stamped_text,
)


def frames(*numbers: int, run: int = 0) -> bytes:
    return b"".join(stamped(7, run, number, 0) for number in numbers)


@given(st.integers(0, 65535), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_a_stamp_is_read_as_it_was_written(call: int, number: int, sent_ns: int) -> None:
    frame = stamped(call, 3, number, sent_ns)
    assert len(frame) == FRAME_BYTES
    assert read_stamp(frame) == Stamp(call, 3, number, sent_ns)


@given(st.integers(0, 65535), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_a_frame_written_as_text_is_the_same_frame(call: int, number: int, sent_ns: int) -> None:
    text = stamped_text(call, 3, number, sent_ns)
    assert text == b2a_base64(stamped(call, 3, number, sent_ns), newline=False)
    assert read_stamp_text(text) == Stamp(call, 3, number, sent_ns)


@given(st.integers(0, FRAME_CHARS - 1), st.integers(0, 255))
def test_no_character_of_a_frame_as_text_can_change_unseen(at: int, to: int) -> None:
    text = bytearray(stamped_text(1, 2, 3, 4))
    assume(text[at] != to)
    text[at] = to
    assert read_stamp_text(bytes(text)) is None


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5))
def test_text_of_any_number_of_frames_is_taken_like_its_bytes(sizes: list[int]) -> None:
    by_text, by_bytes, first = Arrivals(), Arrivals(), 0
    for size in sizes:
        audio = frames(*range(first, first + size))
        first += size
        stamps = by_bytes.take(audio, 0), by_text.take_text(b2a_base64(audio, newline=False), 0)
        assert stamps[0] == stamps[1]
    assert by_text == by_bytes


@given(st.integers(0, FRAME_BYTES - 1), st.integers(1, 255))
def test_no_byte_can_change_unseen(at: int, by: int) -> None:
    frame = bytearray(stamped(1, 2, 3, 4))
    frame[at] ^= by
    heard = Arrivals()
    heard.take(bytes(frame), 0)
    assert (heard.altered, heard.came) == (1, {})


@given(st.lists(st.integers(1, 500), max_size=12))
def test_frames_that_come_in_pieces_are_put_together(sizes: list[int]) -> None:
    data, heard, start = frames(*range(8)), Arrivals(), 0
    for size in [*sizes, len(data)]:
        heard.take(data[start : start + size], 0)
        start += size
    assert heard.came == {0: 8}
    assert (heard.repeated, heard.swapped, heard.altered) == (0, 0, 0)


def test_what_is_lost_repeated_and_swapped_is_told_apart() -> None:
    heard = Arrivals()
    heard.take(frames(0, 2, 1, 2, 5) + SILENCE, 0)
    assert (heard.repeated, heard.swapped, heard.filled) == (1, 1, 1)
    assert heard.came == {0: 4}


def test_each_reply_is_counted_for_itself() -> None:
    heard = Arrivals()
    heard.take(frames(0, 1, run=1) + frames(0, run=2), 0)
    assert heard.came == {1: 2, 2: 1}
    assert heard.repeated == 0


def test_only_frames_of_the_measured_time_have_a_delay() -> None:
    heard = Arrivals(measure_from_ns=1_000_000)
    heard.take(stamped(1, 0, 0, 999_999) + stamped(1, 0, 1, 1_000_000), 3_000_000)
    assert list(heard.latency_ms) == [2.0]
