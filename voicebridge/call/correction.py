"""Makes the model's memory agree with the caller's ear.

An item heard in part is truncated, one not heard at all is deleted. A truncate that the server
refuses because its own copy is shorter is sent again with the length that it named.
"""

from __future__ import annotations

import re

from voicebridge.call import commands as do
from voicebridge.call.playout import Settled, Verdict

_SERVER_LENGTH = re.compile(r"\b(\d+)\s*ms is already shorter")


class Correction:
    """The truncates and deletes of one call."""

    def __init__(self) -> None:
        self._truncates: dict[str, do.TruncateItem] = {}
        self._serial = 0

    def correct(self, settled: Settled) -> list[do.Command]:
        """Tell the model how much of an item was heard, if that is not all of it."""
        match settled.verdict:
            case Verdict.WHOLE:
                return []
            case Verdict.NONE:
                return [self.delete(settled.item_id)]
            case Verdict.PART:
                return [self._truncate(settled.item_id, settled.content_index, settled.heard_ms)]

    def delete(self, item_id: str) -> do.DeleteItem:
        """Take an item out of the conversation."""
        return do.DeleteItem(self._event_id("delete"), item_id)

    def rejected(self, event_id: str | None, message: str) -> list[do.Command]:
        """Send a refused truncate again if the server named its length."""
        refused = self._truncates.pop(event_id or "", None)
        named = _SERVER_LENGTH.search(message)
        if refused is None or named is None or not 0 < int(named[1]) < refused.audio_end_ms:
            return []
        return [self._truncate(refused.item_id, refused.content_index, int(named[1]))]

    def _truncate(self, item_id: str, content_index: int, audio_end_ms: int) -> do.TruncateItem:
        command = do.TruncateItem(self._event_id("truncate"), item_id, content_index, audio_end_ms)
        self._truncates[command.event_id] = command
        return command

    def _event_id(self, kind: str) -> str:
        self._serial += 1
        return f"{kind}-{self._serial}"
