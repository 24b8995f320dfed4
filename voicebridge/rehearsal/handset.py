"""Hold the telephone: let the caller act, play to the ear, obey the bridge's messages.

Everything of a media stream that needs no socket and no clock is here; what is to be sent goes
to ``send`` with the moment at which it is said.
"""

from __future__ import annotations

from collections.abc import Callable

from voicebridge.rehearsal import twilio_wire as wire
from voicebridge.rehearsal.behaviour import Act, CallerBehaviour
from voicebridge.rehearsal.ear import Ear, is_audible
from voicebridge.rehearsal.notes import Listener, PhoneNote, PhoneNoteKind
from voicebridge.rehearsal.phone import FRAME_BYTES, FRAME_MS, Phone
from voicebridge.rehearsal.phone_log import CallerSpeech, EndedBy, KeyPressed

LOOK_AHEAD_MS = 3000
Send = Callable[[str, float], object]


class Handset:
    """One stream's end of the line; ``leaving`` tells who wants to end it, empty for nobody."""

    def __init__(
        self,
        phone: Phone,
        behaviour: CallerBehaviour,
        writer: wire.StreamWriter,
        send: Send,
        notify: Listener,
    ) -> None:
        self.leaving: EndedBy = ""
        self._phone, self._behaviour, self._writer = phone, behaviour, writer
        self._send, self._notify, self._log = send, notify, phone.log
        self._ear = Ear()
        self._base_ms = phone.carrier_ms
        self._utterance: int | None = None
        self._cut = False
        self._speech: CallerSpeech | None = None

    def pick_up(self, parameters: dict[str, str], now: float) -> None:
        """Greet the bridge: ``connected``, then ``start``."""
        self._send(wire.CONNECTED, now)
        self._send(self._writer.start(parameters), now)

    def tick(self, now: float) -> None:
        """Spend 20 ms: send the caller's frame, play the agent's, send back what was reached."""
        started_ms = self._phone.carrier_ms
        act = self._behaviour.act(self._ear, started_ms)
        if act.hang_up:
            self.hang_up("caller", now)
            return
        self._send(self._writer.media(act.payload, started_ms - self._base_ms), now)
        if act.digit:
            self._log.keys.append(KeyPressed(act.digit, started_ms))
            self._send(self._writer.dtmf(act.digit), now)
            self._tell(now, "key", act.digit)
        if act.begins is not None or act.ends:
            self._follow_caller(act, started_ms, now)
        self._echo(self._phone.tick(act.audio, now), now)
        self._listen(started_ms, now)

    def take(self, content: str | bytes, now: float, arrived_at: float) -> None:
        """Obey a message of the bridge that got through at ``now``, off the socket before."""
        if isinstance(content, bytes):
            self.violate(wire.BINARY_FRAME, "a binary frame", now)
            return
        match wire.read_message(content, self._writer.stream_sid):
            case wire.Media(audio):
                refused = self._phone.receive(audio, now)
                if refused:
                    over = f"{refused} bytes above ten minutes of queued audio"
                    self.violate(wire.BUFFER_OVERFLOW, over, now)
            case wire.MarkSet(name):
                self._echo(self._phone.mark(name, now), now)
            case wire.ClearAsked():
                self._clear(now, arrived_at)
            case wire.Invalid(code, reason):
                self.violate(code, reason, now)

    def hang_up(self, who: EndedBy, now: float) -> None:
        """Leave the call: ``stop`` is the last that is sent; nothing more is played."""
        self.leaving = who
        self._send(self._writer.stop(), now)
        self.put_down(now)

    def put_down(self, now: float) -> None:
        """End what was going on; audio still queued is lost."""
        self._phone.close(now)
        if self._speech is not None:
            self._speech.end_ms = self._phone.carrier_ms
            self._speech = None

    def violate(self, code: int, reason: str, now: float) -> None:
        """File a warning about a message that was dropped."""
        self._log.violate(code, reason, now)
        self._tell(now, "violation", f"{code}: {reason}")

    def _follow_caller(self, act: Act, started_ms: int, now: float) -> None:
        if act.begins is not None:
            self._speech = CallerSpeech(act.begins, started_ms)
            self._log.caller_speech.append(self._speech)
            self._tell(now, "caller", act.begins)
        if act.ends and self._speech is not None:
            self._speech.end_ms = started_ms + FRAME_MS
            self._speech = None
            self._tell(now, "caller_done")

    def _listen(self, started_ms: int, now: float) -> None:
        frame = self._log.heard_audio[-FRAME_BYTES:]
        more = is_audible(self._phone.upcoming(LOOK_AHEAD_MS))
        self._ear.hear(frame, started_ms, more=more, cut=self._cut)
        self._cut = False
        before, self._utterance = self._utterance, self._ear.utterance_start_ms
        if before is not None and before != self._utterance:
            self._tell(now, "agent_done")
        if self._utterance is not None and before != self._utterance:
            self._tell(now, "agent")

    def _clear(self, now: float, arrived_at: float) -> None:
        self._cut = True
        names = self._phone.clear(now, arrived_at)
        self._tell(now, "cut", f"{self._log.clears[-1].dropped_bytes // 8} ms unheard")
        self._echo(names, now)

    def _echo(self, names: list[str], now: float) -> None:
        for name in names:
            self._send(self._writer.mark(name), now)
            self._tell(now, "mark", name)

    def _tell(self, at: float, kind: PhoneNoteKind, text: str = "") -> None:
        self._notify(PhoneNote(at, kind, text))
