"""The desk: what the agent does besides speaking. Tools, keys, hold, and the way out.

It joins ``ToolCalls``, ``Keys`` and ``Actions`` with the floor (who speaks) and the ending.
"""

from __future__ import annotations

from dataclasses import replace

from voicebridge.audio.tones import hold_tone, key_tones
from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.actions import Actions
from voicebridge.call.deadlines import soonest
from voicebridge.call.ending import Ending
from voicebridge.call.floor import Floor
from voicebridge.call.keys import KeyRules, Keys, KeyUse
from voicebridge.call.reasons import EndReason
from voicebridge.call.tool_calls import ToolCalls, ToolRules

GOODBYE = "Say a short, friendly goodbye now; the call ends after it."
CONNECTING = (
    "A colleague has taken the call and waits. Tell the caller in one short sentence that you "
    "connect them now, and say nothing more."
)
FILLER = "The tool is still at work. Say only this to the caller meanwhile: {words}"
BACK = "The caller was on hold and hears you again now. Thank the caller for waiting and go on."

_HOLD_TONE_AHEAD_MS = 300


class Desk:
    """The tools and actions of one call; ``filler`` is the phrase for a tool that takes long."""

    def __init__(
        self, rules: ToolRules, keys: KeyRules, floor: Floor, ending: Ending, filler: bytes
    ) -> None:
        self._tools, self._keys, self._actions = ToolCalls(rules), Keys(keys, rules.done), Actions()
        self._floor, self._ending, self._filler = floor, ending, filler
        self._handing_over = False

    @property
    def deadline(self) -> float | None:
        """When ``expire`` is to be called."""
        return soonest(self._tools.deadline, self._keys.deadline, self._actions.deadline)

    @property
    def busy(self) -> bool:
        """Whether a tool works, its output is unanswered, or the caller is on hold."""
        return self._tools.rounds.busy or self._actions.holding

    def handle(self, event: ev.Event, now: float, at_ms: int) -> list[do.Command]:
        """Take in one event; what is none of the desk's business is passed over."""
        match event:
            case ev.ToolCalled(response_id, call_id, name, arguments):
                run = do.RunTool(call_id, name, arguments)
                return self._tools.called(response_id, run, now, at_ms)
            case ev.ApprovalAsked():
                return self._tools.approval(event, at_ms)
            case ev.ToolFinished(call_id, output, ok):
                done = self._tools.finished(call_id, output, ok, at_ms)
                return [*self._actions.forget(call_id, now), *done]
            case ev.DigitPressed(digit):
                return self._pressed(digit, now, at_ms)
            case ev.HangUpRequested(call_id) | ev.TransferRequested(call_id) if (
                self._tools.overruled(call_id, caller_speaking=self._floor.turn.caller_speaking)
            ):
                return []
            case ev.HangUpRequested():
                self._leave(EndReason.AGENT_HUNG_UP, now, at_ms)
            case ev.TransferRequested(_, number):
                self._leave(EndReason.TRANSFERRED, now, at_ms)
                return [do.DialNext(number)]
            case ev.HandOverRequested():
                self._leave(EndReason.TRANSFERRED, now, at_ms, firm=True)
                self._handing_over = self._ending.leaving is EndReason.TRANSFERRED
            case ev.KeysToSend(_, keys):
                self._floor.playout.say(key_tones(keys))
            case ev.HoldRequested(_, longest_s):
                return self._actions.hold(now, longest_s)
            case ev.ResumeRequested() if self._actions.holding:
                return [*self._floor.playout.cut(at_ms), *self._actions.resume()]
            case ev.KeysWanted():
                return self._collect(event, now)
        return []

    def caller_spoke(self, now: float, at_ms: int) -> list[do.Command]:
        """Take note of a new turn of the caller's, which may stop a tool."""
        self._tools.caller_spoke()
        stopped = self._tools.interrupted(at_ms)
        return [*stopped, *self._actions.forget_stopped(stopped, now)]

    def response_done(self, response_id: str) -> None:
        """Take note that a response calls no more tools."""
        self._tools.rounds.response_done(response_id)

    def pump(self, now: float, at_ms: int) -> list[do.Command]:
        """Have outputs answered, and keep the tone up for a caller on hold."""
        out: list[do.Command] = []
        for response_id in self._tools.rounds.take_complete():
            out += self._answer_outputs(response_id, now, at_ms)
        playout = self._floor.playout
        if self._actions.holding and playout.hearing(at_ms).unheard_ms < _HOLD_TONE_AHEAD_MS:
            playout.say(hold_tone())
        return out

    def expire(self, now: float, at_ms: int) -> list[do.Command]:
        """Act on the deadlines that have passed."""
        out = self._tools.expire(now, at_ms)
        out += self._actions.forget_stopped(out, now)
        fillers = self._tools.take_fillers(now)
        if fillers and _idle(self._floor, at_ms):
            out += self._fill(fillers[0], now)
        if self._keys.deadline is not None and self._keys.deadline <= now:
            out += self._tell(self._keys.take(), now, at_ms)
        held = self._actions.holding
        out += self._actions.expire(now)
        if held and not self._actions.holding:
            out += [*self._floor.playout.cut(at_ms), *self._floor.responses.request(now, BACK)]
        return out

    def close(self, at_ms: int) -> list[do.Command]:
        """Stop every tool: the call is over."""
        return self._tools.cancel_all(at_ms)

    def _fill(self, words: str | None, now: float) -> list[do.Command]:
        """Tell the caller that a tool takes its time."""
        if words is None:
            self._floor.playout.say(self._filler)
            return []
        return self._floor.responses.request(now, FILLER.format(words=words), tools=False)

    def _collect(self, wanted: ev.KeysWanted, now: float) -> list[do.Command]:
        """Give keys to one tool, with those that the caller has just typed ahead."""
        ahead, out = self._keys.take(), self._actions.collect(wanted, now)
        return [*out, *(each for key in ahead for each in self._actions.pressed(key, now) or ())]

    def _pressed(self, digit: str, now: float, at_ms: int) -> list[do.Command]:
        collected, rules = self._actions.pressed(digit, now), self._keys.rules
        if collected is not None or rules.use is KeyUse.IGNORED:
            return collected or []
        self._ending.caller_spoke(now)
        if self._ending.leaving:
            return []
        stops = rules.interrupts and not self._actions.holding
        cut = self._floor.cut(now, at_ms, by_key=True) if stops else []
        entry = self._keys.pressed(digit, now)
        return [*cut, *(self._tell(entry, now, at_ms) if entry else [])]

    def _tell(self, entry: str, now: float, at_ms: int) -> list[do.Command]:
        """Hand over an entry, which is a turn of the caller's like any other."""
        noted = [do.NoteKeys(at_ms, len(entry)), *self.caller_spoke(now, at_ms)]
        if self._keys.rules.use is KeyUse.TEXT:
            told = do.SendUserText(f"(The caller pressed these keys: {entry})")
            return [*noted, told, *self._floor.responses.request(now)]
        run = self._keys.run_for(entry)
        # What is kept of the run for the record holds no keys.
        started = self._tools.called(run.call_id, replace(run, arguments=""), now, at_ms)
        self._tools.rounds.response_done(run.call_id)
        asked = do.SendToolCall(run.call_id, run.name, run.arguments)
        return [*noted, asked, *(run if isinstance(c, do.RunTool) else c for c in started)]

    def _answer_outputs(self, response_id: str, now: float, at_ms: int) -> list[do.Command]:
        """Let the model speak to the outputs, unless it has said goodbye with that response."""
        if self._ending.leaving is None:
            return self._floor.responses.request(now, tools=not self._tools.rounds.exhausted)
        if self._handing_over:
            self._handing_over = False
            return self._floor.responses.request(now, CONNECTING)
        if self._floor.spoken_by == response_id:
            return []
        self._ending.wait(now, self._floor.playout.hearing(at_ms).unheard_ms / 1000)
        return self._floor.responses.request(now, GOODBYE)

    def _leave(self, reason: EndReason, now: float, at_ms: int, *, firm: bool = False) -> None:
        unheard_ms = self._floor.playout.hearing(at_ms).unheard_ms
        self._ending.leave(reason, now, unheard_ms / 1000, firm=firm)


def _idle(floor: Floor, at_ms: int) -> bool:
    """Tell whether the caller hears nothing, says nothing and waits for no response."""
    silent = floor.playout.hearing(at_ms).unheard_ms == 0
    return silent and not floor.turn.caller_speaking and floor.responses.quiet
