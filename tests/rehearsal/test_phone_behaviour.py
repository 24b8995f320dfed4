from __future__ import annotations

from dataclasses import dataclass

import pytest

from voicebridge.rehearsal.behaviour import (
    QUIET,
    Act,
    CallerBehaviour,
    RecordedCaller,
    ScriptedCaller,
    acts_of,
)
from voicebridge.rehearsal.ear import Ear, is_audible
from voicebridge.rehearsal.phone import SILENCE_FRAME
from voicebridge.rehearsal.steps import CallerStep

LOUD = b"\x10\x90" * 80


@dataclass(frozen=True)
class Said:
    text: str
    audio: bytes


class Agent:
    """An agent heard at the phone: ``frames`` of speech from ``from_ms`` on, as listed."""

    def __init__(self, *speeches: tuple[int, int]) -> None:
        self.speeches = speeches

    def frame(self, now_ms: int) -> tuple[bytes, bool]:
        for from_ms, to_ms in self.speeches:
            if from_ms <= now_ms < to_ms:
                return LOUD, now_ms + 20 < to_ms
        return SILENCE_FRAME, False


def play(caller: CallerBehaviour, agent: Agent, duration_ms: int) -> list[tuple[int, Act]]:
    """Let both listen to each other; return the acts that are not silence, with their times."""
    ear, acts = Ear(), []
    for now_ms in range(0, duration_ms, 20):
        act = caller.act(ear, now_ms)
        if act != QUIET:
            acts.append((now_ms, act))
        frame, more = agent.frame(now_ms)
        ear.hear(frame, now_ms, more=more, cut=False)
    return acts


def says(text: str, **trigger: int) -> tuple[CallerStep, Said]:
    return CallerStep(say=text, **trigger), Said(text, LOUD * 5)


def begins(acts: list[tuple[int, Act]]) -> list[tuple[int, str]]:
    return [(at, act.begins) for at, act in acts if act.begins is not None]


def test_after_agent_waits_for_the_agent_to_be_silent_for_so_long() -> None:
    caller = ScriptedCaller([says("hello", after_agent_ms=300)])
    acts = play(caller, Agent((100, 1000)), 3000)
    assert begins(acts) == [(1300, "hello")]
    assert len(acts) == 5
    assert caller.done


def test_after_agent_never_fires_if_the_agent_never_speaks() -> None:
    assert play(ScriptedCaller([says("hello")]), Agent(), 5000) == []


def test_the_default_trigger_is_700_ms_after_the_agent() -> None:
    acts = play(ScriptedCaller([says("hello")]), Agent((0, 400)), 3000)
    assert begins(acts) == [(1100, "hello")]


def test_the_agent_must_have_spoken_since_the_previous_step() -> None:
    caller = ScriptedCaller([says("one"), says("two")])
    acts = play(caller, Agent((0, 400), (2000, 2400)), 5000)
    assert begins(acts) == [(1100, "one"), (3100, "two")]


def test_a_pause_of_the_agent_with_more_in_the_queue_is_not_its_end() -> None:
    ear, caller = Ear(), ScriptedCaller([says("hello", after_agent_ms=100)])
    ear.hear(LOUD, 0, more=True, cut=False)
    for now_ms in range(20, 2000, 20):
        assert caller.act(ear, now_ms) == QUIET
        ear.hear(SILENCE_FRAME, now_ms, more=True, cut=False)
    ear.hear(SILENCE_FRAME, 2000, more=False, cut=False)
    assert caller.act(ear, 2020) != QUIET


def test_into_agent_breaks_in_after_the_agent_was_audible_for_so_long() -> None:
    acts = play(ScriptedCaller([says("stop", into_agent_ms=600)]), Agent((200, 9000)), 3000)
    assert begins(acts) == [(800, "stop")]


def test_into_agent_means_a_new_utterance_not_the_one_already_broken_into() -> None:
    caller = ScriptedCaller([says("one", into_agent_ms=100), says("two", into_agent_ms=500)])
    acts = play(caller, Agent((0, 300), (2000, 9000)), 4000)
    assert begins(acts) == [(100, "one"), (2500, "two")]


def test_after_ms_counts_from_the_end_of_the_previous_step() -> None:
    caller = ScriptedCaller([says("one", after_ms=200), says("two", after_ms=300)])
    acts = play(caller, Agent(), 3000)
    assert begins(acts) == [(200, "one"), (600, "two")]


def test_keys_are_pressed_one_after_the_other() -> None:
    caller = ScriptedCaller([(CallerStep(press="4#", after_ms=100), None)])
    acts = play(caller, Agent(), 1000)
    assert [(at, act.digit) for at, act in acts] == [(100, "4"), (200, "#")]


def test_hanging_up_is_a_step_like_any_other() -> None:
    caller = ScriptedCaller([(CallerStep(hang_up=True, into_agent_ms=500), None)])
    acts = play(caller, Agent((100, 5000)), 1000)
    assert acts[0] == (600, Act(QUIET.audio, QUIET.payload, hang_up=True))


def test_a_spoken_step_without_its_speech_is_refused() -> None:
    with pytest.raises(ValueError, match="needs its speech"):
        ScriptedCaller([(CallerStep(say="hello"), None)])


def test_speech_begins_and_ends_in_its_audible_frames() -> None:
    acts = acts_of(SILENCE_FRAME * 2 + LOUD * 3 + SILENCE_FRAME + LOUD + SILENCE_FRAME, "hi")
    assert [act.begins for act in acts] == [None, None, "hi", *[None] * 5]
    assert [act.ends for act in acts].index(True) == 6
    assert b"".join(act.audio for act in acts)[320:800] == LOUD * 3


def test_audio_that_is_not_whole_frames_is_filled_up_with_silence() -> None:
    (act,) = acts_of(b"\x10" * 100)
    assert act.audio == b"\x10" * 100 + b"\xff" * 60


def test_a_recording_is_played_from_the_start_whatever_the_agent_does() -> None:
    recording = LOUD * 3 + SILENCE_FRAME * 40 + LOUD * 2
    acts = play(RecordedCaller(recording, hang_up_after_ms=400), Agent((0, 500)), 3000)
    assert begins(acts) == [(0, ""), (860, "")]
    ends = [at for at, act in acts if act.ends]
    assert ends == [40, 880]
    assert acts[-1][1].hang_up or acts[-1][1] != QUIET
    assert next(at for at, act in acts if act.hang_up) == 900 + 400


def test_after_the_recording_the_caller_hears_the_agent_out() -> None:
    acts = play(RecordedCaller(LOUD * 3, hang_up_after_ms=400), Agent((100, 2000)), 4000)
    assert next(at for at, act in acts if act.hang_up) == 2400


@pytest.mark.parametrize(
    ("frame", "audible"),
    [
        (SILENCE_FRAME, False),
        (b"\x7f" * 160, False),
        (LOUD, True),
        (SILENCE_FRAME[:-4] + LOUD[:4], False),
        (b"\xf0\x70" * 80, False),
    ],
)
def test_silence_and_clicks_are_not_audible(frame: bytes, audible: bool) -> None:
    assert is_audible(frame) is audible


def test_an_utterance_ends_after_half_a_second_of_silence_or_at_a_cut() -> None:
    ear = Ear()
    ear.hear(LOUD, 0, more=False, cut=False)
    ear.hear(SILENCE_FRAME, 20, more=False, cut=False)
    assert ear.utterance_start_ms == 0
    ear.hear(SILENCE_FRAME, 500, more=False, cut=False)
    assert ear.utterance_start_ms is None
    ear.hear(LOUD, 600, more=True, cut=False)
    ear.hear(LOUD, 620, more=True, cut=True)
    assert ear.utterance_start_ms == 620


def test_a_cough_is_a_burst_of_noise_that_needs_no_speech() -> None:
    caller = ScriptedCaller([(CallerStep(cough_ms=200, into_agent_ms=300), None)])
    acts = play(caller, Agent((100, 2000)), 2500)
    assert begins(acts) == [(400, "(coughs)")]
    assert len(acts) == 10
    assert all(is_audible(act.audio) for _, act in acts)
