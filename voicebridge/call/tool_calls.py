"""Open tool calls: their rules, their deadlines, late results.

The outputs of one response's calls are sent as they come; when the last is in and the response is
done, its batch is complete and one new response is due. What the rules forbid is answered at once,
in words that the model can use, and is never run:

- a call that was delivered before (``call_id`` is the key: a side effect happens once);
- the 61st call of a telephone call, and a sixth round of calls in one turn of the caller's;
- a tool that needs the caller's consent, until he has spoken after it was asked for.

A call whose deadline passes is answered as timed out, and what its tool brings later is dropped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from voicebridge.call import commands as do


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


@dataclass(frozen=True, slots=True)
class ToolRules:
    """The rules for all tools of a call; ``filler_after_s`` None leaves the caller waiting."""

    timeout_s: float = 10.0
    filler_after_s: float | None = 2.5
    rounds_a_turn: int = 5
    calls_a_call: int = 60
    tools: Mapping[str, ToolManners] = field(default_factory=dict)


TIMED_OUT = "The tool took too long and was stopped. Tell the caller, or try again."
CANCELLED = "The caller spoke, so the tool was stopped before it was done."
TOO_MANY = "No more tools can be used now. Answer the caller with what you know."
CONFIRM = (
    "Not done yet: say what you are about to do and ask the caller to confirm it. If the caller "
    "agrees, call the tool again with the same arguments."
)


@dataclass(slots=True)
class _Open:
    run: do.RunTool
    response_id: str
    deadline: float
    filler_at: float | None


@dataclass(slots=True)
class _Batch:
    """The calls of one response."""

    open: int = 0
    response_done: bool = False


class ToolCalls:
    """The tool calls of one telephone call."""

    def __init__(self, rules: ToolRules) -> None:
        self._rules = rules
        self._open: dict[str, _Open] = {}
        self._seen: set[str] = set()
        self._batches: dict[str, _Batch] = {}
        self._rounds = self._turn = 0
        self._asked: dict[tuple[str, str], int] = {}

    @property
    def deadline(self) -> float | None:
        """When the first open call has to be done, or the caller is to hear that it takes long."""
        if not self._open:
            return None
        times = [call.deadline for call in self._open.values()]
        times += [call.filler_at for call in self._open.values() if call.filler_at is not None]
        return min(times, default=None)

    @property
    def busy(self) -> bool:
        """Whether a tool is running or its outputs have not been answered."""
        return bool(self._batches)

    @property
    def exhausted(self) -> bool:
        """Whether the next response is to use no more tools."""
        return self._rounds > self._rules.rounds_a_turn

    def caller_spoke(self) -> None:
        """Take note of a new turn of the caller's: rounds start anew, consent may have come."""
        self._rounds = 0
        self._turn += 1

    def called(self, response_id: str, run: do.RunTool, now: float, at_ms: int) -> list[do.Command]:
        """Open a call, or answer it at once where the rules forbid it."""
        if run.call_id in self._seen:
            return []
        self._seen.add(run.call_id)
        if response_id not in self._batches:
            self._rounds += 1
            self._batches[response_id] = _Batch()
        if self.exhausted or len(self._seen) > self._rules.calls_a_call:
            return _answer(run, _error(TOO_MANY), False, at_ms)
        manners = self._rules.tools.get(run.name, ToolManners())
        if manners.confirm and not self._consented(run):
            return _answer(run, json.dumps({"status": CONFIRM}), False, at_ms)
        wait_s = self._rules.filler_after_s
        self._open[run.call_id] = _Open(
            run,
            response_id,
            now + (manners.timeout_s or self._rules.timeout_s),
            None if wait_s is None else now + wait_s,
        )
        self._batches[response_id].open += 1
        return [run]

    def finished(self, call_id: str, output: str, ok: bool, at_ms: int) -> list[do.Command]:
        """Take a result; one that comes late or twice is dropped."""
        call = self._open.pop(call_id, None)
        if call is None:
            return []
        self._batches[call.response_id].open -= 1
        return _answer(call.run, output, ok, at_ms)

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
        """Return, once a call, what the caller who has waited long enough is to be told."""
        waiting = [
            call
            for call in self._open.values()
            if call.filler_at is not None and call.filler_at <= now
        ]
        for call in waiting:
            call.filler_at = None
        return [self._rules.tools.get(c.run.name, ToolManners()).filler for c in waiting]

    def response_done(self, response_id: str) -> None:
        """Take note that no more calls of a response will come."""
        if response_id in self._batches:
            self._batches[response_id].response_done = True

    def take_complete(self) -> list[str]:
        """Return the responses whose outputs are all in: each is to be answered once."""
        complete = [
            response_id
            for response_id, batch in self._batches.items()
            if batch.response_done and not batch.open
        ]
        for response_id in complete:
            del self._batches[response_id]
        return complete

    def cancel_all(self) -> list[do.Command]:
        """Stop every tool: the call is over."""
        out: list[do.Command] = [do.CancelTool(call_id) for call_id in self._open]
        self._open.clear()
        self._batches.clear()
        return out

    def _consented(self, run: do.RunTool) -> bool:
        """Tell whether the caller has spoken since he was asked for exactly this."""
        wish = (run.name, _canonical(run.arguments))
        asked_in = self._asked.pop(wish, None)
        if asked_in is not None and asked_in < self._turn:
            return True
        self._asked[wish] = self._turn
        return False

    def _stop(self, call_ids: list[str], why: str, at_ms: int) -> list[do.Command]:
        out: list[do.Command] = []
        for call_id in call_ids:
            out += [do.CancelTool(call_id), *self.finished(call_id, _error(why), False, at_ms)]
        return out


def _answer(run: do.RunTool, output: str, ok: bool, at_ms: int) -> list[do.Command]:
    return [
        do.SendToolOutput(run.call_id, output),
        do.NoteTool(at_ms, run.call_id, run.name, run.arguments, output, ok),
    ]


def _error(words: str) -> str:
    return json.dumps({"error": words})


def _canonical(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments
