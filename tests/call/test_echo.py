"""An echo of the agent is told from a caller by how its loudness rises and falls."""

import base64
import math
from array import array
from random import Random

import pytest

from voicebridge.audio import g711
from voicebridge.audio.format import FRAME_BYTES, silence
from voicebridge.call.echo import (
    COMPARED_BYTES,
    HEARD_FRAMES,
    LONGEST_DELAY_FRAMES,
    Ear,
    is_echo,
)

FRAMES = 200
RATE_HZ = 8000
HEARD_BYTES = HEARD_FRAMES * FRAME_BYTES


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
    sums = (
        sum(share * samples[at] for samples, share in pcms) for at in range(len(pcms[0][0]))
    )
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


@pytest.mark.parametrize("seed", range(2, 10))
def test_another_voice_is_let_through(seed: int) -> None:
    found = [gated(speech(seed), speech(1), at) for at in MOMENTS]
    assert sum(found) <= 0.1 * len(found)


def test_a_caller_over_his_own_echo_is_let_through_within_two_checks() -> None:
    agent, caller = speech(1), late(speech(7), 2000)
    heard = mixed((late(agent, 100), 0.25), (caller, 1.0))
    before, after = 100, 100 + 20
    assert gated(heard, agent, before), "only the echo is there"
    assert not gated(heard, agent, after), "400 ms later the caller speaks over it"


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
