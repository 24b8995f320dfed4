from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from phone_staged_call import Staged, noise

from voicebridge.rehearsal.alignment import Piece, align, common_length
from voicebridge.rehearsal.voice import Word


def test_an_item_played_whole_is_heard_whole_and_not_cut() -> None:
    call = Staged()
    call.receive(call.item(noise(3000, 1)).audio)
    call.play(30)
    (heard,) = call.truth()
    assert (heard.received_bytes, heard.heard_bytes, heard.is_cut) == (3000, 3000, False)
    assert (heard.first_played_ms, heard.last_played_ms) == (0.0, 375.0)
    assert call.errors_ms() == []


def test_a_cut_item_was_heard_up_to_what_was_played_at_the_clear() -> None:
    call = Staged()
    item = call.item(noise(8000, 1))
    call.receive(item.audio[:5000])
    call.play(10)
    call.clear()
    call.truncate(item, 190)
    call.play(5)
    (heard,) = call.truth()
    assert (heard.received_bytes, heard.heard_ms, heard.stale_bytes) == (5000, 200.0, 0)
    assert heard.cut_by is call.phone_log.clears[0]
    assert call.errors_ms() == [10.0]


def test_a_deleted_item_counts_as_told_that_nothing_was_heard() -> None:
    call = Staged()
    first, second = call.item(noise(4000, 1)), call.item(noise(4000, 2))
    call.receive(first.audio + second.audio)
    call.play(10)
    call.clear()
    call.truncate(first, 200)
    call.delete(second)
    one, two = call.truth()
    assert (one.heard_ms, two.heard_ms, two.told_ms, two.received_bytes) == (200.0, 0.0, 0, 4000)
    assert call.errors_ms() == [0.0, 0.0]


def test_a_rejected_truncate_tells_the_model_nothing() -> None:
    call = Staged()
    item = call.item(noise(8000, 1))
    call.receive(item.audio)
    call.play(10)
    call.clear()
    call.truncate(item, 5000, accepted=False)
    call.play(100)
    call.close()
    assert call.errors_ms() == [800.0]


def test_a_cut_just_before_the_end_need_not_be_told() -> None:
    call = Staged()
    call.receive(call.item(noise(8000, 1)).audio)
    call.play(10)
    call.clear()
    call.play(5)
    call.close()
    assert call.errors_ms() == []


def test_late_audio_of_a_cut_item_that_is_played_after_the_clear_is_stale() -> None:
    call = Staged()
    item = call.item(noise(8000, 1))
    call.receive(item.audio[:4000])
    call.play(10)
    call.clear()
    call.truncate(item, 200)
    call.receive(item.audio[4000:4500])
    call.receive(item.audio[6000:6700])
    call.play(20)
    (heard,) = call.truth()
    assert heard.stale_bytes == 500 + 700
    assert heard.heard_ms == 200.0


def test_late_audio_dropped_by_a_second_clear_was_not_played() -> None:
    call = Staged()
    item = call.item(noise(8000, 1))
    call.receive(item.audio[:4000])
    call.play(10)
    call.clear()
    call.truncate(item, 200)
    call.receive(item.audio[4000:4500])
    call.clear()
    call.play(20)
    assert call.truth()[0].stale_bytes == 0


def test_silence_after_the_clear_is_nobodys() -> None:
    call = Staged()
    item = call.item(noise(2000, 1) + b"\xff" * 2000)
    call.receive(item.audio[:3000])
    call.play(3)
    call.clear()
    call.truncate(item, 60)
    call.receive(b"\xff" * 400 + b"\x05" * 400)
    call.play(20)
    assert call.truth()[0].stale_bytes == 0


def test_a_reply_taken_up_again_after_a_pause_is_not_cut() -> None:
    call = Staged()
    item = call.item(noise(8000, 1))
    call.receive(item.audio[:3200])
    call.play(10)
    call.clear()
    call.play(10)
    call.receive(item.audio[1600:])
    call.play(60)
    (heard,) = call.truth()
    assert not heard.is_cut
    assert heard.heard_bytes == 8000
    assert [(p.received_offset, p.item_offset, p.nbytes) for p in heard.pieces] == [
        (0, 0, 3200),
        (3200, 1600, 6400),
    ]


def test_a_cancelled_reply_whose_late_audio_was_dropped_must_be_told() -> None:
    call = Staged()
    item = call.item(noise(8000, 1))
    call.model.responses[0].status = "cancelled"
    call.receive(item.audio[:1600])
    call.play(200)
    call.close()
    assert call.truth()[0].is_cut
    assert call.errors_ms() == [800.0]
    call.truncate(item, 200)
    assert call.errors_ms() == [0.0]


def test_an_item_cut_before_any_of_it_arrived_was_not_heard() -> None:
    call = Staged()
    item = call.item(noise(8000, 1))
    call.delete(item)
    (heard,) = call.truth()
    assert (heard.heard_bytes, heard.pieces, heard.told_ms) == (0, [], 0)
    assert call.errors_ms() == [0.0]


def test_the_words_are_parted_at_the_heard_position() -> None:
    call = Staged()
    words = (Word("we", 0, 100), Word("open", 100, 200), Word("at", 200, 300))
    item = call.item(noise(2400, 1), words)
    call.receive(item.audio)
    call.play(10)
    call.clear()
    call.truncate(item, 200)
    (heard,) = call.truth()
    assert (heard.heard_words, heard.unheard_words) == ("we open", "at")


def test_two_items_of_the_same_sound_are_told_apart_by_their_order() -> None:
    audio = noise(2000, 1)
    assert align(audio + audio, [audio, audio]) == [Piece(0, 0, 0, 2000), Piece(1, 2000, 0, 2000)]


def test_bytes_that_two_items_share_by_chance_belong_to_the_one_that_begins() -> None:
    first = noise(1000, 1) + b"\xff" * 500 + noise(1000, 2)
    second = b"\xff" * 300 + noise(1000, 3)
    pieces = align(first[:1100] + second, [first, second])
    assert pieces == [Piece(0, 0, 0, 1100), Piece(1, 1100, 0, 1300)]


def test_foreign_audio_between_items_is_stepped_over() -> None:
    one, two, foreign = noise(1000, 1), noise(1000, 2), noise(700, 3)
    pieces = align(foreign + one + foreign + two + foreign, [one, two])
    assert pieces == [Piece(0, 700, 0, 1000), Piece(1, 2400, 0, 1000)]


def test_audio_that_goes_on_after_something_foreign_is_found_at_its_message() -> None:
    one, foreign = noise(2000, 1), noise(700, 3)
    received = one[:1000] + foreign + one[1200:]
    pieces = align(received, [one], starts=[0, 500, 1000, 1700])
    assert pieces == [Piece(0, 0, 0, 1000), Piece(0, 1700, 1200, 800)]


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_the_common_length_is_that_of_the_common_start(one: bytes, two: bytes) -> None:
    length = common_length(memoryview(one), memoryview(two))
    assert one[:length] == two[:length]
    assert one[length : length + 1] != two[length : length + 1] or length == min(len(one), len(two))


@given(st.lists(st.tuples(st.integers(400, 3000), st.floats(0.2, 1.0)), min_size=1, max_size=6))
def test_whatever_is_received_of_each_item_is_found_again(parts: list[tuple[int, float]]) -> None:
    items = [noise(size, seed) for seed, (size, _) in enumerate(parts)]
    kept = [int(size * share) for size, share in parts]
    received = b"".join(item[:size] for item, size in zip(items, kept, strict=True))
    pieces = align(received, items)
    assert [(piece.item, piece.item_offset, piece.nbytes) for piece in pieces] == [
        (number, 0, size) for number, size in enumerate(kept)
    ]


@pytest.mark.parametrize("frames", [0, 1, 7, 49])
def test_the_truth_is_the_frames_that_were_played(frames: int) -> None:
    call = Staged()
    item = call.item(noise(8000, 1))
    call.receive(item.audio)
    call.play(frames)
    call.clear()
    call.truncate(item, frames * 20)
    assert call.truth()[0].heard_ms == frames * 20
    assert call.errors_ms() == [0.0]
