"""The words that were heard."""

from hypothesis import given
from hypothesis import strategies as st

from voicebridge.call.keys import MOST_KEYS, Keys
from voicebridge.call.transcript import split_heard


def test_words_are_cut_where_the_audio_was() -> None:
    assert split_heard("one two three four", 500, 1000) == ("one two", "three four")


def test_all_or_nothing_heard_is_all_or_nothing_said() -> None:
    assert split_heard("one two", 1000, 1000) == ("one two", "")
    assert split_heard("one two", 0, 1000) == ("", "one two")
    assert split_heard("one two", 0, 0) == ("", "one two")


@given(st.lists(st.text("abc", min_size=1)), st.integers(0, 2000), st.integers(0, 2000))
def test_no_word_is_lost_or_said_twice(words: list[str], heard_ms: int, received_ms: int) -> None:
    heard, unheard = split_heard(" ".join(words), heard_ms, received_ms)
    assert heard.split() + unheard.split() == words


def test_keys_are_told_in_one_piece_after_a_hash() -> None:
    keys = Keys()
    assert [keys.pressed(key, 1.0) for key in "42#"] == [None, None, "42#"]
    assert keys.deadline is None


def test_keys_are_told_after_a_pause() -> None:
    keys = Keys()
    keys.pressed("7", 1.0)
    assert keys.deadline == 2.5
    assert keys.take() == "7"


def test_an_endless_entry_is_told_in_pieces() -> None:
    keys = Keys()
    told = [entry for _ in range(2 * MOST_KEYS) if (entry := keys.pressed("1", 1.0))]
    assert told == ["1" * MOST_KEYS] * 2
