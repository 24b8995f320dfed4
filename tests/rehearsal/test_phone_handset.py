from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field

from voicebridge.rehearsal.behaviour import QUIET, Act, ScriptedCaller
from voicebridge.rehearsal.ear import Ear
from voicebridge.rehearsal.handset import Handset
from voicebridge.rehearsal.notes import PhoneNote
from voicebridge.rehearsal.phone import SILENCE_FRAME, Phone
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.steps import CallerStep
from voicebridge.rehearsal.twilio_wire import StreamWriter

LOUD = b"\x10\x90" * 80


@dataclass(frozen=True)
class Said:
    text: str
    audio: bytes


class Listening:
    def act(self, ear: Ear, now_ms: int) -> Act:
        return QUIET


@dataclass
class Desk:
    """A handset without a line: what it sends and tells is kept."""

    caller: object = field(default_factory=Listening)
    log: PhoneLog = field(default_factory=PhoneLog)
    sent: list[str] = field(default_factory=list)
    notes: list[PhoneNote] = field(default_factory=list)

    def __post_init__(self) -> None:
        writer = StreamWriter("MZ1", "CA1", "AC1")
        self.handset = Handset(Phone(self.log), self.caller, writer, self._send, self.notes.append)

    def _send(self, text: str, at: float) -> None:
        self.sent.append(text)

    def media(self, audio: bytes) -> None:
        payload = base64.b64encode(audio).decode()
        message = {"event": "media", "streamSid": "MZ1", "media": {"payload": payload}}
        self.handset.take(json.dumps(message), 1.0, 1.0)

    def ticks(self, count: int) -> None:
        for _ in range(count):
            self.handset.tick(1.0)


def test_an_agent_that_streams_silence_without_end_is_still_heard_to_be_silent() -> None:
    step = (CallerStep(say="hello", after_agent_ms=200), Said("hello", LOUD * 3))
    desk = Desk(ScriptedCaller([step]))
    desk.media(LOUD * 5 + SILENCE_FRAME * 1000)
    desk.ticks(25)
    assert [(speech.text, speech.start_ms) for speech in desk.log.caller_speech] == [("hello", 300)]


def test_a_pause_between_two_sentences_of_the_queue_does_not_end_the_utterance() -> None:
    desk = Desk()
    desk.media(LOUD * 5 + SILENCE_FRAME * 50 + LOUD * 5)
    desk.ticks(60)
    assert [note.kind for note in desk.notes] == ["agent"]
    desk.ticks(30)
    assert [note.kind for note in desk.notes] == ["agent", "agent_done"]


def test_what_is_said_after_a_cut_is_a_new_utterance() -> None:
    desk = Desk()
    desk.media(LOUD * 50)
    desk.ticks(5)
    desk.handset.take('{"event":"clear","streamSid":"MZ1"}', 1.0, 1.0)
    desk.media(LOUD * 50)
    desk.ticks(5)
    assert [note.kind for note in desk.notes] == ["agent", "cut", "agent_done", "agent"]
    assert desk.notes[1].text == "900 ms unheard"


def test_speech_that_the_end_of_the_call_breaks_off_ends_with_it() -> None:
    step = (CallerStep(say="hello", after_ms=0), Said("hello", LOUD * 30))
    desk = Desk(ScriptedCaller([step]))
    desk.ticks(10)
    desk.handset.put_down(1.0)
    assert desk.log.caller_speech[0].end_ms == 200


def test_audio_above_the_queues_limit_is_a_violation() -> None:
    desk = Desk()
    desk.media(bytes(600 * 8000))
    desk.media(bytes(100))
    assert [violation.code for violation in desk.log.protocol_violations] == [31931]
    assert desk.log.refused_bytes == 100
