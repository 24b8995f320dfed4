"""An echo of the agent is told from a caller by how its loudness rises and falls."""

import base64
import math
from array import array
from random import Random

import pytest

from voicebridge.audio import g711
from voicebridge.audio.format import FRAME_BYTES, FRAME_MS, silence
from voicebridge.call.echo import (
    COMPARED_BYTES,
    HEARD_FRAMES,
    LONGEST_DELAY_FRAMES,
    Ear,
    is_echo,
)
from voicebridge.call.turn import ECHO_CHECK_S
from voicebridge.rehearsal.voice import Voice

FRAMES = 200
RATE_HZ = 8000
HEARD_BYTES = HEARD_FRAMES * FRAME_BYTES
CHECK_FRAMES = round(ECHO_CHECK_S * 1000) // FRAME_MS


def speech(seed: int, loudest: int = 9000) -> bytes:
    """Syllables of noise: some hundred milliseconds each, loud and soft, with gaps between."""
    chance = Random(seed)
    pcm = array("h")
    while len(pcm) < FRAMES * FRAME_BYTES:
        count, level = chance.randrange(700, 2200), loudest * chance.uniform(0.25, 1)
        swell = (math.sin(math.pi * at / count) for at in range(count))
        pcm.extend(int(level * rise * chance.uniform(-1, 1)) for rise in swell)
        pcm.extend([0] * chance.randrange(0, 900))
    return g711.encode(pcm[: FRAMES * FRAME_BYTES].tobytes())


def mixed(*voices: tuple[bytes, float]) -> bytes:
    """Voices that sound at once, each at its own share of its loudness."""
    pcms = [(array("h", g711.decode(voice)), share) for voice, share in voices]
    sums = (sum(share * samples[at] for samples, share in pcms) for at in range(len(pcms[0][0])))
    return g711.encode(array("h", (max(-32000, min(32000, int(s))) for s in sums)).tobytes())


def late(audio: bytes, delay_ms: int) -> bytes:
    """The same, so much later."""
    return (silence(delay_ms * 8) + audio)[: len(audio)]


def ear_at(audio: bytes, end: int) -> list[float]:
    """What the ear holds when so many bytes have come."""
    ear = Ear()
    for at in range(0, end, FRAME_BYTES):
        ear.hear(base64.b64encode(audio[at : at + FRAME_BYTES]).decode())
    return ear.loudness()


def gated(heard: bytes, played: bytes, at_frame: int) -> bool:
    end = at_frame * FRAME_BYTES
    return is_echo(ear_at(heard, end), played[max(0, end - COMPARED_BYTES) : end])


MOMENTS = range(60, FRAMES, 7)


@pytest.mark.parametrize("delay_ms", [0, 35, 100, 210, 330, 470])
@pytest.mark.parametrize("attenuation", [1.0, 0.5, 0.15])
def test_an_echo_is_gated_at_any_delay_and_loudness(delay_ms: int, attenuation: float) -> None:
    agent = speech(1)
    heard = mixed((late(agent, delay_ms), attenuation))
    found = [gated(heard, agent, at) for at in MOMENTS]
    assert sum(found) >= 0.9 * len(found)


@pytest.fixture(scope="module")
def agent() -> bytes:
    return (
        Voice(variant="f3")
        .speak(
            "Please eat something light two hours before, and brush your teeth as always. "
            "Bring the list of your medicines, even if it has not changed since the last time."
        )
        .audio
    )


@pytest.fixture(scope="module")
def caller() -> bytes:
    return (
        Voice(variant="m3")
        .speak(
            "Sorry, may I ask something else? I think that I have lost my card, and I do not know "
            "whom to call about it now."
        )
        .audio
    )


def test_another_voice_is_let_through(agent: bytes, caller: bytes) -> None:
    found = [gated(caller, agent, at) for at in range(50, len(caller) // FRAME_BYTES, 6)]
    assert len(found) > 40
    assert sum(found) <= 0.2 * len(found)


def test_a_caller_who_begins_to_speak_is_let_through(agent: bytes, caller: bytes) -> None:
    """Three frames of speech behind silence: that is when the model says that speech began."""
    found = []
    for start in range(50, len(agent) // FRAME_BYTES - 60, 9):
        heard = silence(start * FRAME_BYTES) + caller
        found.append(gated(heard, agent, start + 4))
    assert len(found) > 30
    assert sum(found) <= 0.15 * len(found)


def test_a_caller_over_his_own_echo_is_let_through_at_the_next_check(
    agent: bytes, caller: bytes
) -> None:
    at_once, next_check = [], []
    for start in range(60, len(agent) // FRAME_BYTES - 60, 25):
        spoken = (silence(start * FRAME_BYTES) + caller + agent)[: len(agent)]
        heard = mixed((late(agent, 100), 0.25), (spoken, 1.0))
        at_once.append(gated(heard, agent, start))
        next_check.append(gated(heard, agent, start + 4 + CHECK_FRAMES))
    assert len(at_once) > 8
    assert sum(at_once) >= 0.8 * len(at_once), "only the echo is there"
    assert sum(next_check) <= 0.35 * len(next_check), "now the caller speaks over it"


def test_silence_is_no_echo() -> None:
    agent = speech(1)
    assert not gated(silence(len(agent)), agent, 100)
    assert not gated(agent, silence(len(agent)), 100)


def test_too_little_of_the_caller_is_no_echo() -> None:
    agent = speech(1)
    assert not gated(agent, agent, HEARD_FRAMES - 1)


def test_the_ear_keeps_no_more_than_is_compared() -> None:
    assert len(ear_at(speech(1), HEARD_BYTES * 5)) == HEARD_FRAMES
    assert COMPARED_BYTES == (HEARD_FRAMES + LONGEST_DELAY_FRAMES) * FRAME_BYTES
