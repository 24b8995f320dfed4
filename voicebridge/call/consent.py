"""The caller's consent: asked for in words, given by speaking, and good for one thing once."""

from __future__ import annotations

import json

ASK_FIRST = (
    "Not done yet: say what you are about to do and ask the caller to confirm it. If the caller "
    "agrees, call the tool again with the same arguments."
)


class Consent:
    """What the caller has been asked to agree to in one call."""

    def __init__(self) -> None:
        self._turn = 0
        self._asked: dict[tuple[str, str], int] = {}

    def caller_spoke(self) -> None:
        """Take note of a new turn of the caller's: whatever was asked before may be agreed to."""
        self._turn += 1

    def given(self, tool: str, arguments: str) -> bool:
        """Tell whether the caller has spoken since being asked for exactly this.

        If not, it counts as asked for now.
        """
        wish = (tool, _canonical(arguments))
        asked_in = self._asked.pop(wish, None)
        if asked_in is not None and asked_in < self._turn:
            return True
        self._asked[wish] = self._turn
        return False


def _canonical(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments), sort_keys=True)
    except (ValueError, RecursionError):
        return arguments
