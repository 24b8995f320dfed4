"""One telephone call: ``Call.handle(event, now, at_ms)`` returns what to do now.

The call owns small machines and wires them together: ``Floor`` (who speaks and what is heard),
``Desk`` (what the agent does besides) and ``Ending``. It does no I/O and reads no clock: ``now`` is
a monotonic time in seconds for deadlines, ``at_ms`` the carrier's clock in milliseconds as last
read from its socket. The shell carries out the commands in order, arms one timer for
``next_deadline()`` and hands in ``DeadlineReached`` when it fires.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.deadlines import soonest
from voicebridge.call.desk import GOODBYE, Desk
from voicebridge.call.ending import Ending
from voicebridge.call.floor import Floor
from voicebridge.call.greeting import Greeting, SpokenGreeting
from voicebridge.call.keys import MOST_KEYS, KeyRules
from voicebridge.call.manners import Manners
from voicebridge.call.reasons import EndReason
from voicebridge.call.tool_calls import ToolRules

PATIENCE_S = 3.0
"""The longest silence a caller gets while we still try to reach the model."""

STILL_THERE = "The caller has been silent for a while. Ask in one short sentence if they are there."
STILL_SILENT = "The caller still says nothing. Ask once more, in other words, if they hear you."
SILENT_GOODBYE = "The caller does not answer. Say a short goodbye; the call ends after it."
_SPEECH = (ev.AudioReceived, ev.TranscriptReceived, ev.AudioFinished)

TIME_IS_UP = "The call has reached its longest duration. Say a short, friendly goodbye now."


@dataclass(frozen=True, slots=True)
class CallConfig:
    """What a call needs to know before it starts.

    ``phrases`` are spoken by us when the model cannot: mu-law audio by name, of which
    ``one_moment`` and ``trouble`` are used. ``greeting`` are the instructions for the first
    response; None lets the caller speak first. ``spoken_greeting`` is said at once in its place;
    without it, a greeting that is heard to its end in the words of ``wanted_greeting`` is kept.
    ``told`` are texts of data that the model is told before anything else.
    After ``silence_s`` of silence the caller is asked for a word, ``silence_prompts`` times, and
    after the next one is told goodbye. ``taped``: what is heard of the agent is to be kept.
    """

    greeting: str | None
    phrases: Mapping[str, bytes]
    manners: Manners = field(default_factory=Manners)
    max_duration_s: float = 900.0
    silence_s: float = 30.0
    silence_prompts: int = 2
    goodbye_s: float = 8.0
    tools: ToolRules = field(default_factory=ToolRules)
    keys: KeyRules = field(default_factory=KeyRules)
    spoken_greeting: SpokenGreeting | None = None
    wanted_greeting: str | None = None
    taped: bool = False
    told: tuple[str, ...] = ()


class Call:
    """The heart of one call. Feed it events; do what it returns."""

    def __init__(self, config: CallConfig) -> None:
        self._config = config
        greeting = Greeting(config.spoken_greeting, config.wanted_greeting)
        self.floor = Floor(config.manners, greeting, taped=config.taped)
        self._ending = Ending(
            max_duration_s=config.max_duration_s,
            silence_s=config.silence_s,
            goodbye_s=config.goodbye_s,
        )
        filler = config.phrases["one_moment"]
        self._desk = Desk(config.tools, config.keys, self.floor, self._ending, filler)
        self._early_keys: list[ev.DigitPressed] = []
        self._patience: float | None = None
        self._model_usable = False
        self._failures = 0

    @property
    def ended(self) -> EndReason | None:
        """Why the call is over, or None while it goes on."""
        return self._ending.ended

    def next_deadline(self) -> float | None:
        """Tell when ``DeadlineReached`` is to be handed in, or None while nothing is due."""
        if self.ended:
            return None
        return soonest(
            self._patience, self.floor.deadline, self._desk.deadline, self._ending.deadline
        )

    def handle(self, event: ev.Event, now: float, at_ms: int) -> list[do.Command]:
        """Take in one event and return the commands that follow from it, in order.

        After the end every event is passed over.
        """
        if self.ended:
            return []
        floor = self.floor
        out = self._react(event, now, at_ms)
        if type(event) is ev.TranscriptReceived or self.ended:
            # Words alone move nothing: what is heard and what is due is as it was.
            return out
        desk, ending = self._desk, self._ending
        if desk.busy:
            out += desk.pump(now, at_ms)
        out += floor.pump(now, at_ms)
        drained, busy = floor.playout.drained(at_ms), desk.busy
        if ending.taken_back is not None and _was_no_speech(floor.turn.item_id, out):
            cut = drained and floor.responses.quiet
            out += self._say_goodbye(ending.taken_back, GOODBYE if cut else None, now, at_ms)
        if busy or not drained or floor.turn.caller_speaking:
            ending.activity(now)
        if ending.leaving is None:
            return out
        all_heard = drained and floor.responses.quiet and not busy
        unheard_s = floor.playout.hearing(at_ms).unheard_ms / 1000
        if busy and ending.agents_own:
            ending.wait(now, unheard_s)
        if isinstance(event, ev.AudioReceived):
            ending.speaks(now, unheard_s)
        hang_up = ending.check(all_heard=all_heard, now=now, unheard_s=unheard_s)
        return [*out, *self._close(at_ms), *hang_up] if hang_up else out

    # --- one event ----------------------------------------------------------------------------

    def _react(self, event: ev.Event, now: float, at_ms: int) -> list[do.Command]:
        floor = self.floor
        # By type and not by pattern: these three are nearly all there is.
        if isinstance(event, _SPEECH):
            if self._model_usable:
                if floor.greeting.listening:
                    floor.greeting.listen(event)
                floor.agent_speaks(event, at_ms)
            return []
        if isinstance(event, ev.MarkEchoed):
            floor.playout.echoed(event.name, at_ms)
            return []
        match event:
            case ev.SpeechStarted():
                out = floor.caller_started(event, now, at_ms)
                if floor.turn.caller_speaking:
                    self._ending.caller_spoke(now)
                    out += self._desk.caller_spoke(now, at_ms)
                return out
            case ev.SpeechStopped():
                return floor.caller_stopped(event, now, at_ms)
            case ev.CallerTranscribed():
                return floor.transcribed(event, now, at_ms)
            case ev.ResponseCreated(response_id):
                return floor.response_created(response_id, now, at_ms)
            case ev.ResponseDone():
                return self._response_done(event, now, at_ms)
            case ev.RequestRejected():
                return self._rejected(event, now, at_ms)
            case ev.DeadlineReached():
                return self._deadline(now, at_ms)
            case _:
                return self._begin_or_end(event, now, at_ms)

    def _begin_or_end(self, event: ev.Event, now: float, at_ms: int) -> list[do.Command]:
        floor = self.floor
        match event:
            case ev.StreamStarted():
                self._ending.started(now)
                for said in floor.greeting.events():
                    floor.agent_speaks(said, at_ms)
                greeted_s = floor.playout.hearing(at_ms).unheard_ms / 1000
                self._patience = now + greeted_s + PATIENCE_S
            case ev.ModelReady():
                self._model_usable, self._patience = True, None
                told = [do.SendUserText(text) for text in self._config.told]
                out = [*told, do.OpenValve(), *self._greet(now)]
                early, self._early_keys = self._early_keys, []
                for key in early:
                    out += self._desk.handle(key, now, at_ms)
                return out
            case ev.DigitPressed() if not self._model_usable:
                self._early_keys = [*self._early_keys, event][-MOST_KEYS:]
            case ev.ModelLost(reason, detail):
                lost = do.NoteProblem(at_ms, reason.replace("_", " "), detail)
                return [lost, *self._apologise(reason, now, at_ms)]
            case ev.Advised(text):
                return [do.SendSystemText(text)] if self._model_usable else []
            case ev.GoodbyeRequested(reason, words, at_once):
                stop = at_once and self._ending.leaving is None
                stopped = self._stop_agent(at_ms) if stop else []
                return [*stopped, *self._say_goodbye(reason, words, now, at_ms)]
            case ev.ShutdownRequested():
                cleared = self.floor.playout.cut(at_ms)
                return [*cleared, *self._apologise(EndReason.SHUTDOWN, now, at_ms)]
            case ev.StreamEnded(reason, detail):
                self._ending.end(reason)
                problem = [do.NoteProblem(at_ms, detail)] if detail else []
                return [*problem, *self._close(at_ms)]
            case _:
                return self._desk.handle(event, now, at_ms)
        return []

    def _response_done(self, event: ev.ResponseDone, now: float, at_ms: int) -> list[do.Command]:
        out = self.floor.response_done(event.response_id, now)
        self._desk.response_done(event.response_id)
        unheard_s = self.floor.playout.hearing(at_ms).unheard_ms / 1000
        if self.floor.responses.quiet:
            self._ending.last_words(now, unheard_s)
        else:
            self._ending.wait(now, unheard_s)
        if event.status != "failed":
            self._failures = 0 if event.status == "completed" else self._failures
            return out
        self._failures += 1
        out.append(do.NoteProblem(at_ms, "response failed", event.detail))
        if self._failures > 1:
            return [*out, *self._apologise(EndReason.MODEL_LOST, now, at_ms)]
        return [*out, *self.floor.responses.request(now)]

    def _rejected(self, event: ev.RequestRejected, now: float, at_ms: int) -> list[do.Command]:
        out = self.floor.rejected(event, now)
        if out is None:
            return []
        why = f"{event.code} {event.message}"
        return [do.NoteProblem(at_ms, "the model refused", why), *out]

    # --- time ---------------------------------------------------------------------------------

    def _deadline(self, now: float, at_ms: int) -> list[do.Command]:
        if self._patience is not None and self._patience <= now:
            self._patience = None
            self.floor.playout.say(self._config.phrases["one_moment"])
        out = [*self.floor.expire(now, at_ms), *self._desk.expire(now, at_ms)]
        match self._ending.expired(now):
            case EndReason.MAX_DURATION:
                out += self._say_goodbye(EndReason.MAX_DURATION, TIME_IS_UP, now, at_ms)
            case EndReason.SILENCE if self._ending.prompts > self._config.silence_prompts:
                out += self._say_goodbye(EndReason.SILENCE, SILENT_GOODBYE, now, at_ms)
            case EndReason.SILENCE if self._model_usable:
                asked = STILL_THERE if self._ending.prompts == 1 else STILL_SILENT
                out += self.floor.responses.request(now, asked)
        return out

    def _greet(self, now: float) -> list[do.Command]:
        """Have the model greet, or tell it that it has been done in its name."""
        if self._config.spoken_greeting:
            return self.floor.greeting.tell()
        greeting = self._config.greeting
        return self.floor.responses.request(now, greeting) if greeting else []

    # --- the end ------------------------------------------------------------------------------

    def _leave(self, reason: EndReason, now: float, at_ms: int) -> None:
        unheard_ms = self.floor.playout.hearing(at_ms).unheard_ms
        self._ending.leave(reason, now, unheard_ms / 1000)

    def _say_goodbye(
        self, reason: EndReason, words: str | None, now: float, at_ms: int
    ) -> list[do.Command]:
        """Decide the end, and have the agent say goodbye if it has not; ``words`` tell it how."""
        self._leave(reason, now, at_ms)
        asked = words is not None and self._model_usable
        return self.floor.responses.request(now, words) if asked else []

    def _stop_agent(self, at_ms: int) -> list[do.Command]:
        """Stop what the agent says, and listen to nobody any more."""
        active = self.floor.responses.active
        cancelled = [do.CancelResponse(active)] if active else []
        return [*self.floor.playout.cut(at_ms, active), *cancelled, do.MuteCaller()]

    def _apologise(self, reason: EndReason, now: float, at_ms: int) -> list[do.Command]:
        """Say so ourselves that the call cannot go on: the model cannot any more."""
        self._model_usable, self._patience = False, None
        self.floor.responses.stop()
        self.floor.playout.resume()
        if self._ending.leaving is None:
            self.floor.playout.say(self._config.phrases["trouble"])
            self._leave(reason, now, at_ms)
        return [do.CloseValve()]

    def _close(self, at_ms: int) -> list[do.Command]:
        return [*self.floor.close(at_ms), *self._desk.close(at_ms)]


def _was_no_speech(item_id: str, out: list[do.Command]) -> bool:
    """Tell whether what the caller said last is taken out of the conversation again."""
    return any(isinstance(command, do.DeleteItem) and command.item_id == item_id for command in out)
