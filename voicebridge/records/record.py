"""The record of one call, as it is told by the call's own notes.

Times within a call are milliseconds of the carrier's clock; ``started_at`` is the wall's.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from voicebridge.call import commands as do
from voicebridge.call.memory import CallMemory
from voicebridge.call.reasons import EndReason


@dataclass(slots=True)
class Spoken:
    """One item of speech; ``unheard`` is what the caller never heard of the agent's words."""

    speaker: str
    item_id: str
    at_ms: int
    text: str
    unheard: str = ""
    heard_ms: int | None = None
    received_ms: int | None = None


@dataclass(slots=True)
class CallRecord:
    """Everything worth keeping of one call."""

    call_id: str
    persona: str
    caller: str
    called: str
    started_at: datetime
    spoken: list[Spoken] = field(default_factory=list)
    barge_ins_ms: list[int] = field(default_factory=list)
    tools: list[do.NoteTool] = field(default_factory=list)
    problems: list[do.NoteProblem] = field(default_factory=list)
    frames_received: int = 0
    frames_forwarded: int = 0
    silence_filled_ms: int = 0
    """Silence given to the model where the carrier left a gap."""
    positions_estimated: int = 0
    """Heard positions told by the clock because the carrier's marks were missing or untrue."""
    spent_usd: float = 0.0
    """What the model's responses cost."""
    ended: EndReason | None = None
    duration_s: float = 0.0
    recording: str | None = None
    """The file with the call's sound, beside the record."""
    persona_version: str = ""
    """The short hash of the files that the persona was made of."""
    keeps_words: bool = True
    """Whether what was said, and what went into tools and came out of them, may be kept."""
    memory: CallMemory = field(default_factory=CallMemory, repr=False)
    """The call's own memory while it lasts, which is not part of what is kept."""

    def note(self, note: do.Note) -> None:
        """Take in one note of the call; without its words where these are not kept."""
        self.memory.note(note)
        if not self.keeps_words:
            note = _wordless(note)
        match note:
            case do.NoteAgentSpoke():
                self._agent_spoke(note)
            case do.NoteCallerSpoke():
                self._caller_spoke(note)
            case do.NoteKeys(at_ms, count):
                self.spoken.append(Spoken("caller", "", at_ms, f"({count} keys pressed)"))
            case do.NoteBargeIn(at_ms):
                self.barge_ins_ms.append(at_ms)
            case do.NoteTool():
                self.tools.append(note)
            case do.NoteProblem():
                self.problems.append(note)

    def close(self, reason: EndReason, duration_s: float) -> None:
        """Close the record, once: the first reason stands."""
        if self.ended is None:
            self.ended, self.duration_s = reason, duration_s

    def in_order(self) -> list[Spoken]:
        """Return what was said in the order in which it began."""
        return sorted(self.spoken, key=lambda spoken: spoken.at_ms)

    def to_dict(self) -> dict[str, Any]:
        """Return the record as JSON values."""
        return {
            "call_id": self.call_id,
            "persona": self.persona,
            "persona_version": self.persona_version,
            "caller": self.caller,
            "called": self.called,
            "started_at": self.started_at.isoformat(),
            "duration_s": round(self.duration_s, 3),
            "ended": str(self.ended) if self.ended else None,
            "frames_received": self.frames_received,
            "frames_forwarded": self.frames_forwarded,
            "silence_filled_ms": self.silence_filled_ms,
            "positions_estimated": self.positions_estimated,
            "spent_usd": round(self.spent_usd, 6),
            "recording": self.recording,
            "spoken": [_spoken(spoken) for spoken in self.in_order()],
            "barge_ins_ms": self.barge_ins_ms,
            "tools": [
                {
                    "at_ms": tool.at_ms,
                    "call_id": tool.call_id,
                    "name": tool.name,
                    "arguments": tool.arguments,
                    "output": tool.output,
                    "ok": tool.ok,
                }
                for tool in self.tools
            ],
            "problems": [{"at_ms": p.at_ms, "what": _problem(p)} for p in self.problems],
        }

    def _agent_spoke(self, note: do.NoteAgentSpoke) -> None:
        self.spoken.append(
            Spoken(
                "agent",
                note.item_id,
                note.at_ms,
                note.heard,
                note.unheard,
                note.heard_ms,
                note.received_ms,
            )
        )

    def _caller_spoke(self, note: do.NoteCallerSpoke) -> None:
        """Keep one entry an item: the words come later than the speech."""
        for spoken in self.spoken:
            if spoken.item_id == note.item_id:
                spoken.text = note.text or spoken.text
                return
        self.spoken.append(Spoken("caller", note.item_id, note.at_ms, note.text))


def _wordless(note: do.Note) -> do.Note:
    """Keep of a note that something was said or done, and when, but not the words."""
    match note:
        case do.NoteAgentSpoke():
            return replace(note, heard="", unheard="")
        case do.NoteCallerSpoke():
            return replace(note, text="")
        case do.NoteTool():
            # A name that no tool can have is made of the model's words.
            name = note.name if note.name.replace("-", "_").isidentifier() else ""
            return replace(note, name=name, arguments="", output="")
        case do.NoteProblem():
            # What comes after the colon may be the words of whoever complained.
            return replace(note, what=note.what.partition(": ")[0], told="")
        case _:
            return note


def _problem(note: do.NoteProblem) -> str:
    return f"{note.what}: {note.told}" if note.told else note.what


def _spoken(spoken: Spoken) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "speaker": spoken.speaker,
        "item_id": spoken.item_id,
        "at_ms": spoken.at_ms,
        "text": spoken.text,
    }
    if spoken.speaker == "agent":
        entry |= {
            "unheard": spoken.unheard,
            "heard_ms": spoken.heard_ms,
            "received_ms": spoken.received_ms,
        }
    return entry
