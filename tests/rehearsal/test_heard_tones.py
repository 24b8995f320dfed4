"""The ear of the simulated telephone: keys and tones out of nothing but sound."""

from __future__ import annotations

import math
import random
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phone_staged_call import Staged

from voicebridge.audio import g711
from voicebridge.audio.format import silence
from voicebridge.audio.tones import KEYS, hold_tone, key_tones
from voicebridge.rehearsal.heard_tones import heard_keys, heard_tones
from voicebridge.rehearsal.sounds import heard_sounds
from voicebridge.rehearsal.voice import Voice


def sound(*frequencies_hz: int, duration_ms: int = 120, peaks: tuple[int, ...] = ()) -> bytes:
    """Make the sum of sines, each with its own peak."""
    loud = peaks or (6000,) * len(frequencies_hz)
    samples = [
        round(
            sum(
                peak * math.sin(2 * math.pi * hz * n / 8000)
                for hz, peak in zip(frequencies_hz, loud, strict=True)
            )
        )
        for n in range(duration_ms * 8)
    ]
    return g711.encode(struct.pack(f"<{len(samples)}h", *samples))


def keys_in(audio: bytes) -> str:
    return "".join(heard.key for heard in heard_keys(audio))


@given(st.text(alphabet=KEYS, min_size=1, max_size=12), st.integers(0, 319))
@settings(max_examples=40, deadline=None)
def test_every_sequence_of_keys_is_read_wherever_it_begins(keys: str, lead: int) -> None:
    heard = heard_keys(silence(lead) + key_tones(keys))
    assert "".join(key.key for key in heard) == keys
    assert heard[0].start_ms <= lead // 8 + 20
    assert all(80 <= key.end_ms - key.start_ms <= 180 for key in heard)


def test_keys_are_read_through_the_noise_of_a_line() -> None:
    chance = random.Random(7)
    pcm = struct.unpack("<{}h".format(len(key_tones("159#")) * 1), g711.decode(key_tones("159#")))
    noisy = [max(-32000, min(32000, sample + chance.randint(-900, 900))) for sample in pcm]
    assert keys_in(g711.encode(struct.pack(f"<{len(noisy)}h", *noisy))) == "159#"


@pytest.mark.parametrize(
    "audio",
    [
        sound(697),  # a row without a column
        sound(697, 770),  # two rows
        sound(697, 1209, 1050),  # a third tone beside them
        sound(697, 1209, peaks=(9000, 1000)),  # one far louder than the other
        sound(730, 1270),  # beside the frequencies
        sound(697, 1209, duration_ms=20),  # too short to be meant
        sound(697, 1209, peaks=(60, 60)),  # hardly there
        hold_tone(),
        b"",
        silence(100),
    ],
    ids=["row", "rows", "third", "twist", "beside", "short", "quiet", "hold", "empty", "silence"],
)
def test_what_is_no_key_is_taken_for_none(audio: bytes) -> None:
    assert keys_in(audio) == ""


@pytest.mark.parametrize("variant", ["f3", "m3"])
def test_speech_holds_no_keys_and_no_tones(variant: str) -> None:
    text = (
        "You are very welcome to join us on the moon at noon in June. Mmmm, I see. We are on the "
        "harbour road, opposite the ferry; from the station it is a walk of ten minutes."
    )
    speech = Voice(variant=variant).speak(text).audio
    assert (heard_keys(speech), heard_tones(speech)) == ([], [])


def test_a_steady_tone_is_named_by_its_frequency_and_keys_are_none() -> None:
    assert [(tone.hz, tone.start_ms, tone.end_ms) for tone in heard_tones(hold_tone())] == [
        (440, 0, 240),
        (554, 300, 540),
    ]
    assert heard_tones(key_tones("123")) == []


def test_what_the_caller_heard_is_told_in_its_order() -> None:
    call = Staged()
    greeting = call.item(Voice().speak("Good day to you.").audio)
    greeting.text = "Good day to you."
    call.receive(greeting.audio)
    call.play(len(greeting.audio) // 160 + 20)
    for audio in (key_tones("42"), hold_tone()[:8000], Voice().speak("One moment, please.").audio):
        call.receive(audio)
        call.play(len(audio) // 160 + 60)
    sounds = heard_sounds(call.phone_log, call.truth())
    assert [str(heard) for heard in sounds] == [
        "“Good day to you.”",
        "keys 42",
        "a tone of 440, 554 Hz",
        "words of the bridge's own",
    ]
    assert [heard.start_ms for heard in sounds] == sorted(heard.start_ms for heard in sounds)
