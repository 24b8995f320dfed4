"""Whose turn it is, and the barge-in.

When the caller speaks while the agent is to be heard, the carrier's queue is cleared first of all;
then ``Playout`` settles what was heard, and the model's memory is corrected: an item heard in part
is truncated, one not heard at all is deleted. A truncate that the server refuses because its own
copy is shorter is sent again with the length that it named.
"""

from __future__ import annotations

import re

from voicebridge.call import commands as do
from voicebridge.call.playout import Playout, Settled, Verdict

ECHO_WAIT_S = 0.6
"""How long a cut waits for the carrier; the server's answer to the caller comes no sooner."""

_SERVER_LENGTH = re.compile(r"\b(\d+)\s*ms is already shorter")


class Turn:
    """The turns of one call."""

    def __init__(self, playout: Playout) -> None:
        self.caller_speaking = False
        self.caller_since_ms = 0
        """When the caller last began to speak."""
        self.deadline: float | None = None
        self._playout = playout
        self._truncates: dict[str, do.TruncateItem] = {}
        self._serial = 0

    def caller_started(self, now: float, at_ms: int) -> list[do.Command]:
        """Give the caller the turn: returns the clear if there was anything left to hear."""
        self.caller_speaking, self.caller_since_ms = True, at_ms
        cleared = self._playout.cut(at_ms)
        if cleared:
            self.deadline = now + ECHO_WAIT_S
        return cleared

    def caller_stopped(self) -> None:
        """Take note that the caller has finished."""
        self.caller_speaking = False

    def expire(self, at_ms: int) -> None:
        """Act on the deadline: settle without the carrier's word."""
        self.deadline = None
        self._playout.expire_cuts(at_ms)

    def correct(self, settled: Settled) -> list[do.Command]:
        """Make the model's memory agree with what was heard of one item."""
        if not self._playout.cutting:
            self.deadline = None
        match settled.verdict:
            case Verdict.WHOLE:
                return []
            case Verdict.NONE:
                return [do.DeleteItem(self._event_id("delete"), settled.item_id)]
            case Verdict.PART:
                return [self._truncate(settled.item_id, settled.content_index, settled.heard_ms)]

    def rejected(self, event_id: str | None, message: str) -> list[do.Command] | None:
        """Send a refused truncate again if the server named its length; None if not one of ours."""
        refused = self._truncates.pop(event_id or "", None)
        if refused is None:
            return None
        named = _SERVER_LENGTH.search(message)
        if named is None or not 0 < int(named[1]) < refused.audio_end_ms:
            return []
        return [self._truncate(refused.item_id, refused.content_index, int(named[1]))]

    def _truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> do.TruncateItem:
        command = do.TruncateItem(self._event_id("truncate"), item_id, content_index, audio_end_ms)
        self._truncates[command.event_id] = command
        return command

    def _event_id(self, kind: str) -> str:
        self._serial += 1
        return f"{kind}-{self._serial}"
