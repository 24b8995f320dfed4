from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from model_harness import tone

from voicebridge.audio import g711
from voicebridge.audio.format import silence
from voicebridge.rehearsal.vad import SpeechStarted, SpeechStopped, Vad, VadSettings


def noise(duration_ms: int, amplitude: int, seed: int = 1) -> bytes:
    chance = random.Random(seed)
    samples = (chance.randint(-amplitude, amplitude) for _ in range(duration_ms * 8))
    return g711.encode(b"".join(one.to_bytes(2, "little", signed=True) for one in samples))


def quiet(duration_ms: int) -> bytes:
    return silence(duration_ms * 8)


def heard(audio: bytes, **settings: float) -> list[SpeechStarted | SpeechStopped]:
    return Vad(VadSettings(**settings)).feed(audio)  # type: ignore[arg-type]


def test_speech_is_reported_from_its_prefix_to_the_end_of_the_silence() -> None:
    events = heard(quiet(1000) + tone(600) + quiet(1000))
    assert events == [SpeechStarted(700), SpeechStopped(2100)]


def test_the_prefix_never_reaches_before_the_first_byte() -> None:
    assert heard(quiet(100) + tone(200), prefix_padding_ms=300) == [SpeechStarted(0)]


def test_the_prefix_never_reaches_into_the_speech_before() -> None:
    audio = tone(200) + quiet(220) + tone(200)
    events = heard(audio, silence_duration_ms=200, prefix_padding_ms=300)
    assert events == [SpeechStarted(0), SpeechStopped(400), SpeechStarted(400)]


def test_speech_is_noticed_after_sixty_milliseconds_and_not_before() -> None:
    assert heard(quiet(400) + tone(40) + quiet(400)) == []
    vad = Vad(VadSettings())
    vad.feed(quiet(400) + tone(40))
    assert vad.feed(tone(20)) == [SpeechStarted(100)]


@pytest.mark.parametrize("silence_ms", [200, 500, 730])
def test_a_pause_shorter_than_the_silence_does_not_end_the_speech(silence_ms: int) -> None:
    shorter = silence_ms // 20 * 20 - 20
    audio = quiet(500) + tone(200) + quiet(shorter) + tone(200) + quiet(1000)
    events = heard(audio, silence_duration_ms=silence_ms)
    assert events == [SpeechStarted(200), SpeechStopped(500 + 400 + shorter + silence_ms)]


def test_the_trailing_off_of_a_word_is_still_speech_at_half_the_level() -> None:
    assert heard(quiet(200) + tone(200, 600) + tone(400, 300))[1:] == []
    assert heard(quiet(200) + tone(400, 300)) == []


@pytest.mark.parametrize(("threshold", "amplitude"), [(0.1, 200), (0.5, 800), (0.9, 2400)])
def test_a_higher_threshold_asks_for_louder_speech(threshold: float, amplitude: int) -> None:
    def audio(level: int) -> bytes:
        return quiet(500) + tone(400, level)

    assert len(heard(audio(amplitude), threshold=threshold)) == 1
    assert heard(audio(amplitude // 4), threshold=threshold) == []


def test_a_hum_that_does_not_end_stops_counting_as_speech() -> None:
    vad = Vad(VadSettings())
    assert vad.feed(quiet(100) + noise(1000, 2000)) == [SpeechStarted(0)]
    assert [type(event) for event in vad.feed(noise(3000, 2000))] == [SpeechStopped]
    assert [type(event) for event in vad.feed(tone(200, 16_000))] == [SpeechStarted]


def test_faint_line_noise_is_silence() -> None:
    assert heard(noise(5000, 100)) == []


def test_a_reset_forgets_the_speech_under_way() -> None:
    vad = Vad(VadSettings())
    vad.feed(quiet(400) + tone(200))
    vad.reset()
    assert not vad.speaking
    assert vad.feed(quiet(1000)) == []
    assert vad.feed(tone(100)) == [SpeechStarted(1300)]


@given(st.lists(st.integers(1, 1999), max_size=60))
def test_what_is_heard_does_not_depend_on_how_the_audio_is_cut(cuts: list[int]) -> None:
    audio = quiet(300) + tone(300) + quiet(700) + tone(200) + quiet(600)
    vad, events, rest = Vad(VadSettings()), [], audio
    for cut in cuts:
        events += vad.feed(rest[:cut])
        rest = rest[cut:]
    assert events + vad.feed(rest) == heard(audio)


@given(st.lists(st.tuples(st.booleans(), st.integers(20, 900)), max_size=12))
def test_starts_and_stops_alternate_and_never_go_back(parts: list[tuple[bool, int]]) -> None:
    audio = b"".join(tone(ms) if loud else quiet(ms) for loud, ms in parts)
    events = heard(audio)
    places = [
        event.audio_start_ms if isinstance(event, SpeechStarted) else event.audio_end_ms
        for event in events
    ]
    assert places == sorted(places)
    assert all(0 <= place <= len(audio) // 8 for place in places)
    kinds = [type(event) for event in events]
    assert kinds == [SpeechStarted, SpeechStopped] * (len(kinds) // 2) + kinds[len(kinds) & ~1 :]
    assert kinds[len(kinds) & ~1 :] in ([], [SpeechStarted])
