"""A call that a test drives: events in, commands out, and a clock that moves only when told."""

from typing import Any

from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.call import Call, CallConfig

SECOND = bytes(range(250)) * 32
PHRASES = {"one_moment": b"\x01" * 1600, "trouble": b"\x02" * 1600}


class Driver:
    """Feeds a call and keeps what it commands; the clock moves only when told."""

    def __init__(self, greeting: str | None = "Say hello.", **limits: Any) -> None:
        self.call = Call(CallConfig(greeting=greeting, phrases=PHRASES, **limits))
        self.now, self.at_ms = 100.0, 0
        self.all: list[do.Command] = []

    def feed(self, *events: ev.Event) -> list[do.Command]:
        out = []
        for event in events:
            out += self.call.handle(event, self.now, self.at_ms)
        self.all += out
        return out

    def wait(self, seconds: float) -> list[do.Command]:
        """Let time pass, ringing at every deadline on the way."""
        until, out = self.now + seconds, []
        for _ in range(1000):
            deadline = self.call.next_deadline()
            if deadline is None or deadline > until:
                break
            self._to(max(deadline, self.now))
            out += self.feed(ev.DeadlineReached())
        self._to(until)
        return out

    def _to(self, now: float) -> None:
        self.at_ms += round((now - self.now) * 1000)
        self.now = now

    def connect(self) -> list[do.Command]:
        return self.feed(ev.StreamStarted(), ev.ModelReady())

    def say(
        self, words: str, response: str = "r1", item: str = "a1", audio: bytes = SECOND
    ) -> None:
        """Let the model speak a whole response."""
        self.feed(
            ev.ResponseCreated(response),
            ev.TranscriptReceived(item, words),
            ev.AudioReceived(response, item, 0, audio),
            ev.AudioFinished(item),
            ev.ResponseDone(response, "completed"),
        )

    def echo_all(self) -> list[do.Command]:
        """Let the carrier play and echo all that was sent, in its own time."""
        out: list[do.Command] = []
        sent = [c for c in self.all if isinstance(c, do.SendAudio | do.SendMark)]
        for command in sent:
            if isinstance(command, do.SendAudio):
                self._to(self.now + len(command.audio) / 8000)
            else:
                out += self.feed(ev.MarkEchoed(command.name))
        return out


def of(kind: type, commands: list[do.Command]) -> list[do.Command]:
    return [command for command in commands if isinstance(command, kind)]


def audio_of(commands: list[do.Command]) -> bytes:
    """What the carrier was given to play."""
    return b"".join(command.audio for command in commands if isinstance(command, do.SendAudio))
