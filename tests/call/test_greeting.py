"""A greeting said from memory is heard, cut and told to the model like any other speech."""

from typing import Any

import pytest

from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.call import Call, CallConfig
from voicebridge.call.greeting import GREETING, LONGEST_BYTES, SpokenGreeting
from voicebridge.call.manners import Manners
from voicebridge.call.reasons import EndReason

SECOND = bytes(range(250)) * 32
WORDS = "Good day, how may I help?"
PHRASES = {"one_moment": b"\x01" * 1600, "trouble": b"\x02" * 1600}
SPOKEN = SpokenGreeting(WORDS, SECOND)


class Phone:
    """A call and a carrier that plays in real time and returns every mark when it is reached."""

    def __init__(self, **config: Any) -> None:
        config = {"greeting": "Greet.", "phrases": PHRASES} | config
        self.call, self.at_ms = Call(CallConfig(**config)), 0
        self.all: list[do.Command] = []
        self._line: list[do.SendAudio | do.SendMark] = []

    def feed(self, *events: ev.Event) -> list[do.Command]:
        out: list[do.Command] = []
        for event in events:
            out += self.call.handle(event, 100 + self.at_ms / 1000, self.at_ms)
        self.all += out
        for command in out:
            if isinstance(command, do.SendClear):
                marks = [x for x in self._line if isinstance(x, do.SendMark)]
                self._line = [*marks]
            elif isinstance(command, do.SendAudio | do.SendMark):
                self._line.append(command)
        self._echo()
        return out

    def play(self, ms: int) -> None:
        """Let the caller hear up to ``ms`` of what lies at the carrier."""
        for _ in range(ms // 20):
            self.at_ms += 20
            for place, command in enumerate(self._line):
                if isinstance(command, do.SendAudio):
                    rest = do.SendAudio(command.audio[160:])
                    self._line[place : place + 1] = [rest] if rest.audio else []
                    break
            self._echo()

    def _echo(self) -> None:
        while self._line and isinstance(self._line[0], do.SendMark):
            self.feed(ev.MarkEchoed(self._line.pop(0).name))

    def of(self, kind: type) -> list[Any]:
        return [command for command in self.all if isinstance(command, kind)]


def interrupt() -> tuple[ev.Event, ...]:
    return (ev.SpeechStarted("u1", 0),)


def test_it_sounds_before_there_is_a_model() -> None:
    out = Phone(spoken_greeting=SPOKEN).feed(ev.StreamStarted())
    assert b"".join(c.audio for c in out if isinstance(c, do.SendAudio)) == SECOND


def test_the_model_is_told_what_was_said_and_asked_for_no_greeting() -> None:
    phone = Phone(spoken_greeting=SPOKEN)
    phone.feed(ev.StreamStarted(), ev.ModelReady())
    phone.play(1200)
    assert phone.of(do.SendAgentText) == [do.SendAgentText(GREETING, WORDS)]
    assert phone.of(do.CreateResponse) == []
    assert phone.of(do.DeleteItem) == []
    (note,) = phone.of(do.NoteAgentSpoke)
    assert (note.heard, note.unheard, note.heard_ms) == (WORDS, "", 1000)


def test_when_it_is_cut_only_the_words_that_were_heard_stay_in_the_conversation() -> None:
    phone = Phone(spoken_greeting=SPOKEN)
    phone.feed(ev.StreamStarted(), ev.ModelReady())
    phone.play(500)
    phone.feed(*interrupt())
    first, second = phone.of(do.SendAgentText)
    (deleted,) = phone.of(do.DeleteItem)
    (note,) = phone.of(do.NoteAgentSpoke)
    assert (first.item_id, deleted.item_id) == (GREETING, GREETING)
    assert second.item_id != first.item_id
    assert second.text == note.heard
    assert WORDS.startswith(second.text)
    assert 0 < len(second.text) < len(WORDS)
    assert phone.of(do.TruncateItem) == []


def test_a_model_that_comes_after_the_cut_is_told_only_what_was_heard() -> None:
    phone = Phone(spoken_greeting=SPOKEN)
    phone.feed(ev.StreamStarted())
    phone.play(500)
    phone.feed(*interrupt())
    phone.feed(ev.ModelReady())
    (told,) = phone.of(do.SendAgentText)
    assert told.text == phone.of(do.NoteAgentSpoke)[0].heard != WORDS
    assert phone.of(do.DeleteItem) == []


def test_one_that_was_not_heard_at_all_is_taken_out() -> None:
    phone = Phone(spoken_greeting=SPOKEN)
    phone.feed(ev.StreamStarted(), ev.ModelReady(), *interrupt())
    assert [c.text for c in phone.of(do.SendAgentText)] == [WORDS]
    assert [c.item_id for c in phone.of(do.DeleteItem)] == [GREETING]


def test_one_that_is_protected_is_said_to_its_end() -> None:
    phone = Phone(spoken_greeting=SPOKEN, manners=Manners(greeting_protected=True))
    phone.feed(ev.StreamStarted(), ev.ModelReady())
    phone.play(500)
    phone.feed(*interrupt())
    assert phone.of(do.SendClear) == []


def speak(words: str, audio: bytes = SECOND) -> tuple[ev.Event, ...]:
    return (
        ev.ResponseCreated("r1"),
        ev.TranscriptReceived("a1", words),
        ev.AudioReceived("r1", "a1", 0, audio),
        ev.AudioFinished("a1"),
        ev.ResponseDone("r1", "completed"),
    )


def test_one_that_was_heard_whole_in_its_words_is_kept() -> None:
    phone = Phone(wanted_greeting=WORDS)
    phone.feed(ev.StreamStarted(), ev.ModelReady(), *speak("good day - how may I help"))
    assert phone.of(do.KeepGreeting) == []
    phone.play(1200)
    assert phone.of(do.KeepGreeting) == [do.KeepGreeting(SECOND)]


@pytest.mark.parametrize(
    ("words", "heard_ms", "audio"),
    [
        ("Hello there.", 1200, SECOND),
        (WORDS, 500, SECOND),
        (WORDS, 40_000, b"\x05" * (LONGEST_BYTES + 160)),
    ],
    ids=["other words", "cut short", "too long"],
)
def test_one_that_is_not_good_to_be_said_again_is_not_kept(
    words: str, heard_ms: int, audio: bytes
) -> None:
    phone = Phone(wanted_greeting=WORDS)
    phone.feed(ev.StreamStarted(), ev.ModelReady(), *speak(words, audio))
    phone.play(heard_ms)
    phone.feed(*interrupt())
    assert phone.of(do.KeepGreeting) == []


def test_a_word_of_the_bridge_reaches_the_model_and_a_goodbye_ends_the_call() -> None:
    phone = Phone(greeting=None)
    phone.feed(ev.StreamStarted(), ev.ModelReady(), ev.Advised("Hurry."))
    assert phone.of(do.SendSystemText) == [do.SendSystemText("Hurry.")]
    phone.feed(ev.GoodbyeRequested(EndReason.SPEND_LIMIT, "Say goodbye."))
    assert phone.of(do.CreateResponse)[-1].instructions == "Say goodbye."
    phone.feed(*speak("Goodbye."))
    phone.play(1200)
    assert phone.of(do.HangUp) == [do.HangUp(EndReason.SPEND_LIMIT)]


def test_a_goodbye_at_once_stops_what_is_being_said_and_listens_to_nobody() -> None:
    phone = Phone()
    phone.feed(ev.StreamStarted(), ev.ModelReady(), *speak(WORDS)[:3])
    phone.play(200)
    out = phone.feed(ev.GoodbyeRequested(EndReason.VOICEMAIL, "Leave word.", at_once=True))
    kinds = [type(command) for command in out]
    assert kinds[0] is do.SendClear
    assert do.CancelResponse("r1") in out
    assert do.MuteCaller() in out
    phone.feed(ev.ResponseDone("r1", "cancelled"))
    assert phone.of(do.CreateResponse)[-1].instructions == "Leave word."
