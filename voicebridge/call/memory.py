"""What was said and done in a call, for another stream that takes the call up again.

A stream may break off and the same call come back on a new one, with a new session of the model
that knows nothing. It is told the last of what was said, and all that tools have brought; and a
tool call that has its output is never run a second time.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from voicebridge.call import commands as do

MOST_SAID = 20
"""Items of speech that are remembered."""


@dataclass(slots=True)
class CallMemory:
    """The memory of one call, over all its streams."""

    said: OrderedDict[str, tuple[str, str]] = field(default_factory=OrderedDict)
    """Who spoke and the words that were heard, by item."""
    tools: dict[str, do.NoteTool] = field(default_factory=dict)
    """What tools were asked and brought, by call id."""

    def __bool__(self) -> bool:
        return bool(self.said or self.tools)

    def note(self, note: do.Note) -> None:
        """Take in one note of the call."""
        match note:
            case do.NoteAgentSpoke(item_id=item_id, heard=str(words)) if words:
                self._hear(item_id, "agent", words)
            case do.NoteCallerSpoke(item_id=item_id, text=str(words)) if words:
                self._hear(item_id, "caller", words)
            case do.NoteTool():
                self.tools[note.call_id] = note

    def _hear(self, item_id: str, speaker: str, words: str) -> None:
        self.said[item_id] = (speaker, words)
        while len(self.said) > MOST_SAID:
            self.said.popitem(last=False)
