"""The floor: who speaks, what is heard of it, and whose turn comes next.

It joins ``Turn`` (which decides), ``Playout`` (which knows the ear), ``Correction`` (which sets
the model right) and ``Responses`` (which asks for the next words), and turns their words into
notes for the record.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.correction import Correction
from voicebridge.call.deadlines import soonest
from voicebridge.call.echo import COMPARED_BYTES, Ear, is_echo
from voicebridge.call.greeting import GREETING, Greeting
from voicebridge.call.manners import BargeIn, Manners
from voicebridge.call.playout import Playout, Settled
from voicebridge.call.responses import Responses
from voicebridge.call.tape import TapedPlayout
from voicebridge.call.transcript import Words
from voicebridge.call.turn import Scene, State, Step, Turn

PAUSABLE_LEAD_MS = 350
"""How much of a reply that may be paused lies at the carrier."""

REFILL_S = 0.1
"""How often the carrier is given more while audio waits for room there."""

ECHO_WAIT_S = 0.6
"""How long a stop waits for its probe; the next reply comes no sooner."""


@dataclass(slots=True)
class _Clocks:
    """When the floor wants to be woken, for each reason."""

    settle: float | None = None
    refill: float | None = None


@dataclass(slots=True)
class _Caller:
    """The speech of the caller that is going on, or was last."""

    started_ms: int = 0
    over_agent: bool = False
    cut_short: bool = False
    """Whether a reply was stopped for it, which nobody will finish if it was no speech."""


class Floor:
    """The conversation of one call. ``ear`` hears the caller's frames where echoes are gated.

    With ``taped`` what the caller heard is kept.
    """

    def __init__(
        self, manners: Manners, greeting: Greeting | None = None, *, taped: bool = False
    ) -> None:
        self.ear = Ear() if manners.echo_gate else None
        self.responses = Responses()
        self.playout = (TapedPlayout if taped else Playout)(
            lead_ms=PAUSABLE_LEAD_MS if manners.barge_in is BargeIn.PAUSE else None,
            keep_bytes=COMPARED_BYTES if manners.echo_gate else 0,
        )
        self.spoken_by: str | None = None
        """The response that was last heard from."""
        self.greeting = greeting or Greeting(None, None)
        self._manners = manners
        self.turn = Turn(manners)
        self._correction = Correction()
        self._words: dict[str, Words] = {}
        self._clocks, self._caller = _Clocks(), _Caller()
        spoken = self.greeting.spoken is not None
        self._protect_next = manners.greeting_protected and not spoken
        self._protected = GREETING if manners.greeting_protected and spoken else ""

    @property
    def deadline(self) -> float | None:
        """When ``expire`` is to be called."""
        clocks = self._clocks
        return soonest(clocks.settle, clocks.refill, self.turn.deadline, self.responses.deadline)

    # --- the agent ----------------------------------------------------------------------------

    def agent_speaks(
        self, event: ev.AudioReceived | ev.TranscriptReceived | ev.AudioFinished, at_ms: int
    ) -> None:
        """Take in audio or words of the agent."""
        item_id = event.item_id
        if isinstance(event, ev.AudioReceived):
            audio = event.audio
            if self.playout.push(event.response_id, item_id, event.content_index, audio):
                self._words_of(item_id, at_ms).add_audio(len(audio))
                self.spoken_by = event.response_id
        elif isinstance(event, ev.TranscriptReceived):
            self._words_of(item_id, at_ms).add_text(event.text)
        else:
            self.playout.finish(item_id)

    def response_created(self, response_id: str, now: float, at_ms: int) -> list[do.Command]:
        """Take note of a response; the first may be one that is said to its end.

        One that was asked for before the caller began to speak again is stopped.
        """
        if self._protect_next:
            self._protect_next, self._protected = False, response_id
        self.responses.created(response_id)
        protected = response_id == self._protected
        if protected or not self._manners.ours or self.turn.state is not State.TALKING:
            return []
        out = self.cut(now, at_ms)
        self.responses.hold()
        return out

    def response_done(self, response_id: str, now: float) -> list[do.Command]:
        """Take note that a response is complete."""
        self.playout.finish(response_id)
        return self.responses.done(response_id, now)

    # --- the caller ---------------------------------------------------------------------------

    def caller_started(self, event: ev.SpeechStarted, now: float, at_ms: int) -> list[do.Command]:
        """Take note that the caller began to speak."""
        scene = self._scene(at_ms)
        self._caller = _Caller(event.audio_start_ms, scene.audible)
        return self._carry_out(self.turn.started(event.item_id, now, at_ms, scene), now, at_ms)

    def caller_stopped(self, event: ev.SpeechStopped, now: float, at_ms: int) -> list[do.Command]:
        """Take note that the caller stopped."""
        lasted_ms = event.audio_end_ms - self._caller.started_ms
        steps = self.turn.stopped(now, lasted_ms)
        noted = Step.DISCARD not in steps
        note = do.NoteCallerSpoke(event.item_id, self.turn.since_ms, "")
        return [*([note] if noted else []), *self._carry_out(steps, now, at_ms)]

    def transcribed(self, event: ev.CallerTranscribed, now: float, at_ms: int) -> list[do.Command]:
        """Take in the caller's words."""
        steps = self.turn.transcribed(event.item_id, event.text)
        note = do.NoteCallerSpoke(event.item_id, at_ms, event.text)
        return [*([note] if event.text else []), *self._carry_out(steps, now, at_ms)]

    # --- time and the end ---------------------------------------------------------------------

    def rejected(self, event: ev.RequestRejected, now: float) -> list[do.Command] | None:
        """Act on a refusal; None if it needs no word to the operator."""
        if self.responses.rejected(event.event_id, now):
            return None
        if event.code == "response_cancel_not_active":
            return None
        return self._correction.rejected(event.event_id, event.message)

    def expire(self, now: float, at_ms: int) -> list[do.Command]:
        """Act on the deadlines that have passed."""
        if _due(self._clocks.settle, now):
            self._clocks.settle = None
            self.playout.expire(at_ms)
        out: list[do.Command] = []
        if _due(self.turn.deadline, now):
            out += self._carry_out(self.turn.expired(now, self._scene(at_ms)), now, at_ms)
        if _due(self.responses.deadline, now):
            out += self.responses.expire(now)
        return out

    def pump(self, now: float, at_ms: int) -> list[do.Command]:
        """Correct what has been settled, and send what may be sent."""
        out: list[do.Command] = []
        for settled in self.playout.settle(at_ms):
            note = _note(self._words.pop(settled.item_id, None), settled)
            told = self.greeting.settled(settled.item_id, settled.verdict, note.heard)
            out += [*(self._correction.correct(settled) if told is None else told), note]
        playout, clocks = self.playout, self._clocks
        out += playout.take(at_ms)
        if clocks.settle is not None and not playout.settling:
            clocks.settle = None
        clocks.refill = now + REFILL_S if playout.waiting else None
        return out

    def close(self, at_ms: int) -> list[do.Command]:
        """Settle for the record what is still on the line; nobody's memory is corrected now."""
        self.playout.cut(at_ms)
        self.playout.expire(at_ms, awaited=False)
        settled, rest = self.playout.settle(at_ms), self.playout.take(at_ms)
        return [*rest, *[_note(self._words.pop(item.item_id, None), item) for item in settled]]

    # --- inside -------------------------------------------------------------------------------

    def _words_of(self, item_id: str, at_ms: int) -> Words:
        words = self._words.get(item_id)
        if words is None:
            words = self._words[item_id] = Words(at_ms)
        return words

    def _scene(self, at_ms: int) -> Scene:
        hearing = self.playout.hearing(at_ms)
        audible = hearing.unheard_ms > 0 and not hearing.paused
        protected = audible and hearing.response_id == self._protected
        echo = self.ear is not None and is_echo(
            self.ear.loudness(), self.playout.played(COMPARED_BYTES, at_ms)
        )
        return Scene(audible, protected, echo)

    def _carry_out(self, steps: list[Step], now: float, at_ms: int) -> list[do.Command]:
        out: list[do.Command] = []
        server_answers = not self._manners.ours
        for step in steps:
            match step:
                case Step.HOLD:
                    self.responses.hold()
                case Step.CUT:
                    out += self.cut(now, at_ms)
                case Step.PAUSE:
                    out += self.playout.pause(at_ms)
                    self._clocks.settle = now + ECHO_WAIT_S
                case Step.RESUME:
                    self.playout.resume()
                case Step.DISCARD:
                    out.append(self._correction.delete(self.turn.item_id))
                case Step.ANSWER:
                    out += self.responses.answer(now)
                case Step.RELEASE if self._caller.cut_short and self._manners.ours:
                    out += self.responses.answer(now)
                case Step.RELEASE:
                    out += self.responses.release(now, server_answers=server_answers)
        return out

    def cut(self, now: float, at_ms: int, *, by_key: bool = False) -> list[do.Command]:
        """Stop what is said for good; a key, of which the server knows nothing, does it as well."""
        if by_key:
            scene = self._scene(at_ms)
            if not scene.audible or scene.protected:
                return []
        active = self.responses.active
        self._caller.cut_short = active is not None or self._caller.over_agent
        out = self.playout.cut(at_ms, active)
        self._clocks.settle = now + ECHO_WAIT_S
        if active and (by_key or self._manners.ours):
            out.append(do.CancelResponse(active))
        if by_key or self._caller.over_agent:
            self._caller.over_agent = False
            out.append(do.NoteBargeIn(at_ms if by_key else self.turn.since_ms))
        return out


def _note(words: Words | None, settled: Settled) -> do.NoteAgentSpoke:
    words = words or Words(0)
    heard, unheard = words.split(settled.heard_ms, settled.received_ms)
    return do.NoteAgentSpoke(
        settled.item_id, words.at_ms, heard, unheard, settled.heard_ms, settled.received_ms
    )


def _due(deadline: float | None, now: float) -> bool:
    return deadline is not None and deadline <= now
