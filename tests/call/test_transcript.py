"""The words that were heard."""

from hypothesis import given
from hypothesis import strategies as st

from voicebridge.call.transcript import Words


def words(*pieces: str | int) -> Words:
    """Text and milliseconds of audio, in the order in which they came."""
    made = Words(0)
    for piece in pieces:
        if isinstance(piece, str):
            made.add_text(piece)
        else:
            made.add_audio(piece * 8)
    return made


def test_words_are_cut_where_the_audio_was() -> None:
    assert words("one two three four", 1000).split(500, 1000) == ("one two", "three four")


def test_all_or_nothing_heard_is_all_or_nothing_said() -> None:
    assert words("one two", 1000).split(1000, 1000) == ("one two", "")
    assert words("one two", 1000).split(0, 1000) == ("", "one two")
    assert words("one two").split(0, 0) == ("", "one two")


def test_text_that_ran_ahead_of_its_audio_is_not_taken_for_heard() -> None:
    # Three seconds' worth of text has come with one second of audio.
    came = words("one two three ", 500, "four five six ", 500, "seven eight nine")
    assert came.split(500, 1000) == ("one two three", "four five six seven eight nine")


def test_words_are_heard_no_sooner_than_the_audio_before_them() -> None:
    came = words("well ", 900, "then", 100)
    assert came.split(850, 1000) == ("well", "then")


@given(
    st.lists(st.text("abc", min_size=1)),
    st.lists(st.integers(0, 400)),
    st.integers(0, 2000),
    st.integers(0, 2000),
)
def test_no_word_is_lost_or_said_twice(
    said: list[str], audio: list[int], heard_ms: int, received_ms: int
) -> None:
    came = words(
        *(
            piece
            for pair in zip((f"{word} " for word in said), audio, strict=False)
            for piece in pair
        )
    )
    heard, unheard = came.split(heard_ms, received_ms)
    assert heard.split() + unheard.split() == said[: len(audio)]
