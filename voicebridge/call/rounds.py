"""Rounds of tool calls: those of one response are answered together, and there is an end of them.

A response that calls tools is a round. When all its outputs are in and it is done, one new response
is due. At most so many rounds follow each other in one turn of the caller's; then the model is to
speak without tools. A server sees to that; one that does not is not asked for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

_IN_VAIN = 3
"""How often a model that calls on where no tools are left is asked to speak instead."""


@dataclass(slots=True)
class Round:
    """The calls of one response; ``open`` are those without an output."""

    open: int = 0
    response_done: bool = False


class Rounds:
    """The rounds of one telephone call; ``calls`` have been made before."""

    def __init__(self, a_turn: int, calls_a_call: int, calls: int = 0) -> None:
        self._a_turn, self._calls_a_call = a_turn, calls_a_call
        self._rounds, self._calls = 0, calls
        self._open: dict[str, Round] = {}

    @property
    def busy(self) -> bool:
        """Whether a tool is running or its outputs have not been answered."""
        return bool(self._open)

    @property
    def exhausted(self) -> bool:
        """Whether the next response is to use no more tools."""
        return self._rounds > self._a_turn or self._calls >= self._calls_a_call

    @property
    def too_many(self) -> bool:
        """Whether the call that was counted last is one too many."""
        return self._rounds > self._a_turn or self._calls > self._calls_a_call

    def caller_spoke(self) -> None:
        """Take note of a new turn of the caller's."""
        self._rounds = 0

    def count(self, response_id: str) -> Round | None:
        """Count a call; returns its round, or None for one that is not to be answered any more."""
        self._calls += 1
        return self.enter(response_id)

    def enter(self, response_id: str) -> Round | None:
        """Return the round of a response, which may be new."""
        if response_id not in self._open:
            self._rounds += 1
            if self._rounds > self._a_turn + _IN_VAIN:
                return None
            self._open[response_id] = Round()
        return self._open[response_id]

    def closed(self, response_id: str) -> None:
        """Take note that one of a response's calls has its output."""
        self._open[response_id].open -= 1

    def response_done(self, response_id: str) -> None:
        """Take note that no more calls of a response will come."""
        if response_id in self._open:
            self._open[response_id].response_done = True

    def take_complete(self) -> list[str]:
        """Return the responses whose outputs are all in: each is to be answered once."""
        if not self._open:
            return []
        complete = [
            response_id
            for response_id, each in self._open.items()
            if each.response_done and not each.open
        ]
        for response_id in complete:
            del self._open[response_id]
        return complete

    def clear(self) -> None:
        """Forget all of them: nothing is answered any more."""
        self._open.clear()
