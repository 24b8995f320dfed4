"""Stamped frames: whatever happens to them on their way is found."""

from hypothesis import given
from hypothesis import strategies as st

from voicebridge.rehearsal.load_stamp import (
    FRAME_BYTES,
    SILENCE,
    Arrivals,
    Stamp,
    read_stamp,
    stamped,
)


def frames(*numbers: int, run: int = 0) -> bytes:
    return b"".join(stamped(7, run, number, 0) for number in numbers)


@given(st.integers(0, 65535), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1))
def test_a_stamp_is_read_as_it_was_written(call: int, number: int, sent_ns: int) -> None:
    frame = stamped(call, 3, number, sent_ns)
    assert len(frame) == FRAME_BYTES
    assert read_stamp(frame) == Stamp(call, 3, number, sent_ns)


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
