"""The desk: what the agent does besides speaking. Tools, keys, hold, and the way out.

It joins ``ToolCalls``, ``Keys`` and ``Actions`` with the floor (who speaks) and the ending.
"""

from __future__ import annotations

from voicebridge.audio.tones import hold_tone, key_tones
from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.actions import Actions
from voicebridge.call.deadlines import soonest
from voicebridge.call.ending import Ending
from voicebridge.call.floor import Floor
from voicebridge.call.keys import Keys
from voicebridge.call.reasons import EndReason
from voicebridge.call.tool_calls import ToolCalls, ToolRules

GOODBYE = "Say a short, friendly goodbye now; the call ends after it."
FILLER = "The tool is still at work. Say only this to the caller meanwhile: {words}"
BACK = "The caller was on hold and hears you again now. Thank the caller for waiting and go on."

_HOLD_TONE_AHEAD_MS = 300


class Desk:
    """The tools and actions of one call; ``filler`` is the phrase for a tool that takes long."""

    def __init__(self, rules: ToolRules, floor: Floor, ending: Ending, filler: bytes) -> None:
        self._tools, self._keys, self._actions = ToolCalls(rules), Keys(), Actions()
        self._floor, self._ending, self._filler = floor, ending, filler

    @property
    def deadline(self) -> float | None:
        """When ``expire`` is to be called."""
        return soonest(self._tools.deadline, self._keys.deadline, self._actions.deadline)

    @property
    def busy(self) -> bool:
        """Whether a tool works, its output is unanswered, or the caller is on hold."""
        return self._tools.busy or self._actions.holding

    def handle(self, event: ev.Event, now: float, at_ms: int) -> list[do.Command]:
        """Take in one event; what is none of the desk's business is passed over."""
        match event:
            case ev.ToolCalled(response_id, call_id, name, arguments):
                run = do.RunTool(call_id, name, arguments)
                return self._tools.called(response_id, run, now, at_ms)
            case ev.ToolFinished(call_id, output, ok):
                done = self._tools.finished(call_id, output, ok, at_ms)
                return [*self._actions.forget(call_id, now), *done]
            case ev.DigitPressed(digit):
                return self._pressed(digit, now)
            case ev.HangUpRequested():
                self._leave(EndReason.AGENT_HUNG_UP, now, at_ms)
            case ev.TransferRequested(_, number):
                self._leave(EndReason.TRANSFERRED, now, at_ms)
                return [do.DialNext(number)]
            case ev.KeysToSend(_, keys):
                self._floor.playout.say(key_tones(keys))
            case ev.HoldRequested(_, longest_s):
                return self._actions.hold(now, longest_s)
            case ev.ResumeRequested() if self._actions.holding:
                return [*self._floor.playout.cut(at_ms), *self._actions.resume()]
            case ev.KeysWanted():
                return self._actions.collect(event, now)
        return []

    def caller_spoke(self, now: float, at_ms: int) -> list[do.Command]:
        """Take note of a new turn of the caller's, which may stop a tool."""
        self._tools.caller_spoke()
        return self._stopped(self._tools.interrupted(at_ms), now)

    def response_done(self, response_id: str) -> None:
        """Take note that a response calls no more tools."""
        self._tools.response_done(response_id)

    def pump(self, now: float, at_ms: int) -> list[do.Command]:
        """Have outputs answered, and keep the tone up for a caller on hold."""
        out: list[do.Command] = []
        if not self.busy:
            return out
        for response_id in self._tools.take_complete():
            out += self._answer_outputs(response_id, now)
        playout = self._floor.playout
        if self._actions.holding and playout.hearing(at_ms).unheard_ms < _HOLD_TONE_AHEAD_MS:
            playout.say(hold_tone())
        return out

    def expire(self, now: float, at_ms: int) -> list[do.Command]:
        """Act on the deadlines that have passed."""
        out = self._stopped(self._tools.expire(now, at_ms), now)
        fillers = self._tools.take_fillers(now)
        if fillers and self._idle(at_ms):
            out += self._fill(fillers[0], now)
        if self._keys.deadline is not None and self._keys.deadline <= now:
            out += self._tell(self._keys.take(), now)
        held = self._actions.holding
        out += self._actions.expire(now)
        if held and not self._actions.holding:
            out += [*self._floor.playout.cut(at_ms), *self._floor.responses.request(now, BACK)]
        return out

    def close(self) -> list[do.Command]:
        """Stop every tool: the call is over."""
        return self._tools.cancel_all()

    def _stopped(self, out: list[do.Command], now: float) -> list[do.Command]:
        """Let the model hear the caller again who pressed keys for a tool that was stopped."""
        stopped = [command.call_id for command in out if isinstance(command, do.CancelTool)]
        return [*out, *(each for id_ in stopped for each in self._actions.forget(id_, now))]

    def _fill(self, words: str | None, now: float) -> list[do.Command]:
        """Tell the caller that a tool takes its time."""
        if words is None:
            self._floor.playout.say(self._filler)
            return []
        return self._floor.responses.request(now, FILLER.format(words=words), tools=False)

    def _pressed(self, digit: str, now: float) -> list[do.Command]:
        collected = self._actions.pressed(digit, now)
        if collected is not None:
            return collected
        entry = self._keys.pressed(digit, now)
        return self._tell(entry, now) if entry else []

    def _tell(self, entry: str, now: float) -> list[do.Command]:
        told = do.SendUserText(f"(The caller pressed these keys: {entry})")
        return [told, *self._floor.responses.request(now)]

    def _answer_outputs(self, response_id: str, now: float) -> list[do.Command]:
        """Let the model speak to the outputs, unless it has said goodbye with that response."""
        if self._ending.leaving is None:
            return self._floor.responses.request(now, tools=not self._tools.exhausted)
        if self._floor.spoken_by == response_id:
            return []
        return self._floor.responses.request(now, GOODBYE)

    def _idle(self, at_ms: int) -> bool:
        """Tell whether the caller hears nothing, says nothing and waits for no response."""
        floor = self._floor
        silent = floor.playout.hearing(at_ms).unheard_ms == 0
        return silent and not floor.turn.caller_speaking and floor.responses.quiet

    def _leave(self, reason: EndReason, now: float, at_ms: int) -> None:
        unheard_ms = self._floor.playout.hearing(at_ms).unheard_ms
        self._ending.leave(reason, now, unheard_ms / 1000)
