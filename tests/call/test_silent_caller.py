"""A caller who says nothing: asked as often as the persona wants, then taken leave of."""

import pytest
from call_driver import Driver, of

from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.call import SILENT_GOODBYE, STILL_SILENT, STILL_THERE
from voicebridge.call.reasons import EndReason


class Silent(Driver):
    """A caller who hears everything and says nothing, for ten seconds at a time."""

    def __init__(self, prompts: int) -> None:
        super().__init__(greeting=None, silence_s=10, silence_prompts=prompts)
        self.connect()
        self._serial = 0

    def wait_for_words(self) -> str:
        """Let the silence last, and return what the model is told to say then; it is heard."""
        (asked,) = of(do.CreateResponse, self.wait(10.1))
        assert isinstance(asked, do.CreateResponse)
        self._serial += 1
        self.say("Words.", f"r{self._serial}", f"a{self._serial}")
        self.play()
        return asked.instructions or ""

    def play(self) -> None:
        """Let the carrier play what it was sent since, and return its marks."""
        self.echo_all()
        self.all.clear()


@pytest.mark.parametrize(
    ("prompts", "told"),
    [
        (0, [SILENT_GOODBYE]),
        (1, [STILL_THERE, SILENT_GOODBYE]),
        (2, [STILL_THERE, STILL_SILENT, SILENT_GOODBYE]),
        (3, [STILL_THERE, STILL_SILENT, STILL_SILENT, SILENT_GOODBYE]),
    ],
)
def test_a_silent_caller_is_asked_as_often_as_is_wished_and_then_taken_leave_of(
    prompts: int, told: list[str]
) -> None:
    caller = Silent(prompts)
    assert [caller.wait_for_words() for _ in told] == told
    assert caller.call.ended is EndReason.SILENCE


def test_the_goodbye_is_heard_to_its_end_before_the_call_is_over() -> None:
    caller = Silent(0)
    caller.wait(10.1)
    caller.say("Goodbye.", "r9", "a9", bytes(8000 * 12))
    sent = [c for c in caller.all if isinstance(c, do.SendAudio | do.SendMark)]
    assert sum(len(c.audio) for c in sent if isinstance(c, do.SendAudio)) == 8000 * 12
    assert caller.call.ended is None
    out = caller.echo_all()
    assert out[-1] == do.HangUp(EndReason.SILENCE)
    assert do.NoteAgentSpoke("a9", 10_100, "Goodbye.", "", 12_000, 12_000) in out


@pytest.mark.parametrize(("seconds", "heard_s"), [(12, 12), (60, 30)])
def test_a_goodbye_spoken_at_the_pace_of_speech_is_heard_out_unless_it_has_no_end(
    seconds: int, heard_s: int
) -> None:
    caller = Silent(0)
    caller.wait(10.1)
    caller.feed(ev.ResponseCreated("r9"))
    returned, began = 0, caller.now
    for _ in range(10 * seconds):
        caller.feed(ev.AudioReceived("r9", "a9", 0, bytes(800)))
        caller.wait(0.1)
        marks = of(do.SendMark, caller.all)
        for mark in marks[returned:]:
            assert isinstance(mark, do.SendMark)
            caller.feed(ev.MarkEchoed(mark.name))
        returned = len(marks)
        if caller.call.ended:
            break
    assert heard_s - 1 < caller.now - began < heard_s + 1
    caller.feed(ev.AudioFinished("a9"), ev.ResponseDone("r9", "completed"))
    caller.echo_all()
    assert caller.call.ended is EndReason.SILENCE


def test_a_word_of_the_callers_starts_the_count_anew() -> None:
    caller = Silent(1)
    assert caller.wait_for_words() == STILL_THERE
    caller.feed(ev.SpeechStarted("u1", 0), ev.SpeechStopped("u1", 500))
    caller.wait(1.1)
    assert caller.wait_for_words() == STILL_THERE


def test_a_key_is_a_sign_of_life_too() -> None:
    caller = Silent(1)
    assert caller.wait_for_words() == STILL_THERE
    caller.feed(ev.DigitPressed("#"))
    caller.say("You pressed hash.", "r8", "a8")
    caller.play()
    assert caller.wait_for_words() == STILL_THERE


def test_a_caller_who_speaks_into_the_goodbye_keeps_the_line() -> None:
    caller = Silent(0)
    caller.wait(10.1)
    caller.feed(ev.SpeechStarted("u1", 0))
    assert of(do.HangUp, caller.wait(9)) == []
