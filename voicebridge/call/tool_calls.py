"""Open tool calls, their deadlines, late results.

The outputs of one response's calls are sent as they come; when the last is in and the response is
done, its batch is complete and one new response is due. A call whose deadline passes gets an
output that says so, and what its tool brings later is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass

from voicebridge.call import commands as do

TIMED_OUT = '{"error": "The tool took too long and was stopped. Tell the caller, or try again."}'


@dataclass(slots=True)
class _Open:
    run: do.RunTool
    response_id: str
    deadline: float


@dataclass(slots=True)
class _Batch:
    """The calls of one response."""

    open: int = 0
    response_done: bool = False


class ToolCalls:
    """The tool calls of one telephone call; ``timeout_s`` bounds each."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._open: dict[str, _Open] = {}
        self._seen: set[str] = set()
        self._batches: dict[str, _Batch] = {}

    @property
    def deadline(self) -> float | None:
        """When the first open call has to be done."""
        return min((call.deadline for call in self._open.values()), default=None)

    @property
    def busy(self) -> bool:
        """Whether a tool is running or its outputs have not been answered."""
        return bool(self._batches)

    def called(self, response_id: str, run: do.RunTool, now: float) -> list[do.Command]:
        """Open a call; a ``call_id`` that was seen before is passed over, so a tool runs once."""
        if run.call_id in self._seen:
            return []
        self._seen.add(run.call_id)
        self._open[run.call_id] = _Open(run, response_id, now + self._timeout_s)
        self._batches.setdefault(response_id, _Batch()).open += 1
        return [run]

    def finished(self, call_id: str, output: str, ok: bool, at_ms: int) -> list[do.Command]:
        """Take a result; one that comes late or twice is dropped."""
        call = self._open.pop(call_id, None)
        if call is None:
            return []
        self._batches[call.response_id].open -= 1
        run = call.run
        return [
            do.SendToolOutput(call_id, output),
            do.NoteTool(at_ms, call_id, run.name, run.arguments, output, ok),
        ]

    def expire(self, now: float, at_ms: int) -> list[do.Command]:
        """Answer the calls whose deadline has passed, and stop their tools."""
        late = [call_id for call_id, call in self._open.items() if call.deadline <= now]
        out: list[do.Command] = []
        for call_id in late:
            out += [do.CancelTool(call_id), *self.finished(call_id, TIMED_OUT, False, at_ms)]
        return out

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
