"""Two tracks on one clock: gaps are silence, and no tone of a key is kept."""

from __future__ import annotations

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from voicebridge.records.mixing import (
    AFTER_KEY_BYTES,
    BEFORE_KEY_BYTES,
    HELD_BYTES,
    LONGEST_GAP_BYTES,
    Mixer,
)

SECOND = 8000
QUIET = b"\xff"


def tracks(mixed: bytes) -> tuple[bytes, bytes]:
    return mixed[0::2], mixed[1::2]


def a_minute(mixer: Mixer, seconds: int = 60) -> bytes:
    """Let the caller speak without a pause; return all of it."""
    said = b"".join(bytes([1 + n % 200]) * 160 for n in range(50 * seconds))
    for n in range(0, len(said), 160):
        mixer.caller(n, said[n : n + 160])
    return said


def test_what_nobody_said_is_silence() -> None:
    mixer = Mixer()
    mixer.caller(0, b"a" * 160)
    mixer.caller(480, b"b" * 160)
    mixer.agent(320, b"c" * 80)
    left, right = tracks(mixer.take(all_of_it=True))
    assert left == b"a" * 160 + QUIET * 320 + b"b" * 160
    assert right == QUIET * 320 + b"c" * 80 + QUIET * 240


def test_the_last_seconds_are_held_back_for_what_becomes_known_late() -> None:
    mixer = Mixer()
    said = a_minute(mixer, 10)
    mixer.agent(len(said) - HELD_BYTES, b"heard")
    first = mixer.take()
    assert len(first) == 2 * (len(said) - HELD_BYTES)
    assert mixer.take() == b""
    left, right = tracks(first + mixer.take(all_of_it=True))
    assert left == said
    assert right[len(said) - HELD_BYTES :].startswith(b"heard")


def test_what_is_known_too_late_is_kept_as_far_as_it_can() -> None:
    mixer = Mixer()
    said = a_minute(mixer, 10)
    taken = len(mixer.take()) // 2
    mixer.agent(taken - 3, b"lateheard")
    assert tracks(mixer.take(all_of_it=True))[1].startswith(b"eheard")
    assert taken == len(said) - HELD_BYTES


@given(st.lists(st.integers(1, 3 * SECOND), max_size=12))
def test_however_it_is_taken_out_it_is_the_same(pieces: list[int]) -> None:
    whole, parts = Mixer(), Mixer()
    at, out = 0, b""
    for size in pieces:
        audio = bytes([size % 251]) * size
        for mixer in (whole, parts):
            mixer.caller(at, audio)
            mixer.agent(at + 7, audio[: size // 2])
        at += size
        out += parts.take()
    assert out + parts.take(all_of_it=True) == whole.take(all_of_it=True)


def test_a_caller_who_is_muted_is_silent_until_his_last_tone_has_died_away() -> None:
    mixer = Mixer()
    mixer.mute(2 * SECOND, muted=True)
    mixer.mute(4 * SECOND, muted=False)
    said = a_minute(mixer, 10)
    left, _ = tracks(mixer.take(all_of_it=True))
    until = 4 * SECOND + AFTER_KEY_BYTES
    assert left == said[: 2 * SECOND] + QUIET * (until - 2 * SECOND) + said[until:]


def test_a_caller_who_is_still_muted_is_silent_to_the_end() -> None:
    mixer = Mixer()
    mixer.mute(SECOND, muted=True)
    said = a_minute(mixer, 20)
    first = mixer.take()
    left, _ = tracks(first + mixer.take(all_of_it=True))
    assert left == said[:SECOND] + QUIET * (len(said) - SECOND)


def test_the_tone_of_a_key_is_not_kept_though_it_is_told_late() -> None:
    mixer = Mixer()
    said = a_minute(mixer, 8)
    first = mixer.take()
    for key in (7 * SECOND, 7 * SECOND + 800):
        mixer.key(key)
    left, _ = tracks(first + mixer.take(all_of_it=True))
    start, stop = 7 * SECOND - BEFORE_KEY_BYTES, 7 * SECOND + 800 + AFTER_KEY_BYTES
    assert left == said[:start] + QUIET * (stop - start) + said[stop:]


def test_a_key_while_muted_does_not_end_the_silence() -> None:
    mixer = Mixer()
    mixer.mute(SECOND, muted=True)
    mixer.key(2 * SECOND)
    mixer.mute(5 * SECOND, muted=False)
    said = a_minute(mixer, 7)
    left, _ = tracks(mixer.take(all_of_it=True))
    assert set(left[SECOND : 5 * SECOND]) == {0xFF}
    assert left[6 * SECOND :] == said[6 * SECOND :]


def test_a_clock_that_jumps_takes_no_memory_and_loses_nothing() -> None:
    mixer = Mixer()
    stamps = chain(range(0, 800, 160), range(10**12, 10**12 + 800, 160), range(0, 800, 160))
    for n, at in enumerate(stamps):
        mixer.caller(at, bytes([n]) * 160)
    mixer.agent(10**12, b"nowhere")
    mixed = mixer.take(all_of_it=True)
    assert len(mixed) <= 2 * (15 * 160 + LONGEST_GAP_BYTES)
    assert set(range(15)) <= set(tracks(mixed)[0])
