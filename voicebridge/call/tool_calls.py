"""Open tool calls: their rules, their deadlines, late results.

The outputs of one response's calls are sent as they come; when the last is in and the response is
done, its batch is complete and one new response is due. What the rules forbid is answered at once,
in words that the model can use, and is never run:

- a call that was delivered before (``call_id`` is the key: a side effect happens once), also on an
  earlier stream of the call: its output is given again;
- the 61st call of a telephone call, and a sixth round of calls in one turn of the caller's;
- a tool that needs the caller's consent, until he has spoken after it was asked for.

A call whose deadline passes is answered as timed out, and what its tool brings later is dropped.

Tools of MCP servers that the model's server calls by itself may ask for an approval first. They
fall under the same rules, and under what the persona says of their server.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from voicebridge.call import commands as do
from voicebridge.call import events as ev
from voicebridge.call.consent import ASK_FIRST, Consent
from voicebridge.call.rounds import Rounds


@dataclass(frozen=True, slots=True)
class ToolManners:
    """How one tool is used. ``timeout_s`` None: as long as any other.

    ``cancellable``: a barge-in stops it. ``confirm``: the caller is asked before it runs.
    ``filler``: what the agent says while the caller waits; None lets a packaged phrase say it.
    """

    timeout_s: float | None = None
    cancellable: bool = False
    confirm: bool = False
    filler: str | None = None


Approval = Literal["always", "ask", "never"]
"""Whether a server may call a tool by itself; ``ask``: once the caller has agreed."""


@dataclass(frozen=True, slots=True)
class ToolRules:
    """The rules for all tools of a call; ``filler_after_s`` None leaves the caller waiting.

    A caller who waits on is told again every ``filler_again_s``.

    ``approvals`` are the rules for servers that ask, by label; one that is not there gets none.
    ``done`` are the outputs of calls on earlier streams, by call id.
    """

    timeout_s: float = 10.0
    filler_after_s: float | None = 2.5
    filler_again_s: float = 12.0
    rounds_a_turn: int = 5
    calls_a_call: int = 60
    tools: Mapping[str, ToolManners] = field(default_factory=dict)
    approvals: Mapping[str, Approval] = field(default_factory=dict)
    done: Mapping[str, str] = field(default_factory=dict)


TIMED_OUT = (
    "The tool took too long and was stopped; it may still have had its effect. Tell the caller so, "
    "and do not simply try again."
)
CANCELLED = "The caller spoke, so the tool was stopped before it was done."
TOO_MANY = "No more tools can be used now. Answer the caller with what you know."
NOT_APPROVED = "This tool may not be used. Tell the caller, and do without it."
OVERRULED = "Not done: the caller spoke, so the call goes on. Answer the caller first."
CUT_OFF = "The call ended before the tool was done; nobody knows whether it had its effect."


@dataclass(slots=True)
class _Open:
    run: do.RunTool
    response_id: str
    deadline: float
    filler_at: float | None
    spoken_over: bool = False
    overruled: bool = False


class ToolCalls:
    """The tool calls of one telephone call."""

    def __init__(self, rules: ToolRules) -> None:
        self._rules = rules
        self._open: dict[str, _Open] = {}
        self._seen = dict.fromkeys(rules.done, "")
        self._outputs = dict(rules.done)
        self.rounds = Rounds(rules.rounds_a_turn, rules.calls_a_call, len(rules.done))
        self._consent = Consent()

    @property
    def deadline(self) -> float | None:
        """When the first open call has to be done, or the caller is to hear that it takes long."""
        if not self._open:
            return None
        times = [call.deadline for call in self._open.values()]
        times += [call.filler_at for call in self._open.values() if call.filler_at is not None]
        return min(times, default=None)

    def caller_spoke(self) -> None:
        """Take note of a new turn of the caller's: rounds start anew, consent may have come."""
        self.rounds.caller_spoke()
        for call in self._open.values():
            call.spoken_over = True
        self._consent.caller_spoke()

    def called(self, response_id: str, run: do.RunTool, now: float, at_ms: int) -> list[do.Command]:
        """Open a call, or answer it at once where the rules forbid it."""
        first_in = self._seen.setdefault(run.call_id, response_id)
        output = self._outputs.get(run.call_id)
        if run.call_id in self._open or (output is not None and first_in == response_id):
            return []
        if output is not None:
            self.rounds.enter(response_id)
            return [do.SendToolOutput(run.call_id, output)]
        of_response = self.rounds.count(response_id)
        if of_response is None or self.rounds.too_many:
            return self._answer(run, _error(TOO_MANY), False, at_ms)
        manners = self._rules.tools.get(run.name, ToolManners())
        if manners.confirm and not self._consent.given(run.name, run.arguments):
            return self._answer(run, json.dumps({"status": ASK_FIRST}), False, at_ms)
        wait_s = self._rules.filler_after_s
        self._open[run.call_id] = _Open(
            run,
            response_id,
            now + (manners.timeout_s or self._rules.timeout_s),
            None if wait_s is None else now + wait_s,
        )
        of_response.open += 1
        return [run]

    def approval(self, asked: ev.ApprovalAsked, at_ms: int) -> list[do.Command]:
        """Answer a server that asks whether it may call a tool by itself."""
        if asked.request_id in self._seen:
            return []
        self._seen[asked.request_id] = asked.response_id
        of_response = self.rounds.count(asked.response_id)
        name = f"{asked.server}.{asked.name}"
        policy, why = self._rules.approvals.get(asked.server, "never"), None
        if policy == "never":
            why = NOT_APPROVED
        elif of_response is None or self.rounds.too_many:
            why = TOO_MANY
        elif policy == "ask" and not self._consent.given(name, asked.arguments):
            why = ASK_FIRST
        told = json.dumps({"status": why} if why else {"approved": True})
        return [
            do.AnswerApproval(asked.request_id, why is None, why),
            do.NoteTool(at_ms, asked.request_id, name, asked.arguments, told, why is None),
        ]

    def finished(self, call_id: str, output: str, ok: bool, at_ms: int) -> list[do.Command]:
        """Take a result; one that comes late or twice is dropped."""
        call = self._open.pop(call_id, None)
        if call is None:
            return []
        self.rounds.closed(call.response_id)
        if call.overruled:
            output, ok = _error(OVERRULED), False
        return self._answer(call.run, output, ok, at_ms)

    def overruled(self, call_id: str, *, caller_speaking: bool) -> bool:
        """Tell whether a caller who spoke since the tool was called keeps it from ending the call.

        Then that is what its output will say.
        """
        call = self._open.get(call_id)
        if call is None or not (call.spoken_over or caller_speaking):
            return False
        call.overruled = True
        return True

    def interrupted(self, at_ms: int) -> list[do.Command]:
        """Stop the tools that a barge-in may stop."""
        tools = self._rules.tools
        return self._stop(
            [
                call_id
                for call_id, call in self._open.items()
                if tools.get(call.run.name, ToolManners()).cancellable
            ],
            CANCELLED,
            at_ms,
        )

    def expire(self, now: float, at_ms: int) -> list[do.Command]:
        """Answer the calls whose deadline has passed, and stop their tools."""
        late = [call_id for call_id, call in self._open.items() if call.deadline <= now]
        return self._stop(late, TIMED_OUT, at_ms)

    def take_fillers(self, now: float) -> list[str | None]:
        """Return what the caller who has waited long enough, or long enough again, is told."""
        waiting = [
            call
            for call in self._open.values()
            if call.filler_at is not None and call.filler_at <= now
        ]
        for call in waiting:
            call.filler_at = now + self._rules.filler_again_s
        return [self._rules.tools.get(c.run.name, ToolManners()).filler for c in waiting]

    def cancel_all(self, at_ms: int) -> list[do.Command]:
        """Stop every tool: the call is over."""
        out: list[do.Command] = []
        for call_id, call in self._open.items():
            note = _note(call.run, _error(CUT_OFF), False, at_ms)
            out += [do.CancelTool(call_id), note]
        self._open.clear()
        self.rounds.clear()
        return out

    def _answer(self, run: do.RunTool, output: str, ok: bool, at_ms: int) -> list[do.Command]:
        self._outputs[run.call_id] = output
        return [do.SendToolOutput(run.call_id, output), _note(run, output, ok, at_ms)]

    def _stop(self, call_ids: list[str], why: str, at_ms: int) -> list[do.Command]:
        out: list[do.Command] = []
        for call_id in call_ids:
            out += [do.CancelTool(call_id), *self.finished(call_id, _error(why), False, at_ms)]
        return out


def _note(run: do.RunTool, output: str, ok: bool, at_ms: int) -> do.NoteTool:
    return do.NoteTool(at_ms, run.call_id, run.name, run.arguments, output, ok)


def _error(words: str) -> str:
    return json.dumps({"error": words})
