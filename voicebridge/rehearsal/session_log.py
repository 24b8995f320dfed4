"""What happened in one session of the simulated server, for the report to judge.

Every time is ``time.monotonic()`` in seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from voicebridge.rehearsal.voice import Word

NoteKind = Literal["speech_started", "speech_stopped", "response", "tool", "cut", "error"]


@dataclass(frozen=True, slots=True)
class ServerNote:
    """Something that has just happened, for a live timeline."""

    at: float
    kind: NoteKind
    text: str


@dataclass(slots=True)
class SpokenItem:
    """One spoken item of the agent: all its audio, and how much of it went on the wire."""

    item_id: str
    response_id: str
    text: str
    audio: bytes
    words: tuple[Word, ...]
    first_delta_at: float | None = None
    sent_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Truncate:
    """A ``conversation.item.truncate`` and whether it was accepted."""

    at: float
    item_id: str
    audio_end_ms: int
    accepted: bool
    error_code: str | None = None


class Delete(NamedTuple):
    """A ``conversation.item.delete`` and whether it was accepted."""

    at: float
    item_id: str
    accepted: bool


@dataclass(slots=True)
class SpeechSpan:
    """The caller's speech as the server noticed it; ``started_at`` is when it was written."""

    started_at: float
    audio_start_ms: int
    item_id: str
    stopped_at: float | None = None
    audio_end_ms: int | None = None


@dataclass(slots=True)
class ToolCallMade:
    """A function call of the agent, and what came back."""

    at: float
    call_id: str
    name: str
    arguments: str
    output: str | None = None
    output_at: float | None = None


@dataclass(slots=True)
class ResponseMade:
    """One response; ``done_at`` and ``status`` are set when it is over."""

    response_id: str
    created_at: float
    first_audio_at: float | None = None
    done_at: float | None = None
    status: str = "in_progress"


class ErrorSent(NamedTuple):
    """An ``error`` event that was written."""

    at: float
    code: str | None
    message: str
    client_event_id: str | None


@dataclass(slots=True)
class SessionLog:
    """Everything of one session. ``appended`` is the input audio, decoded, in wire format.

    ``starts`` is where in it each session of a joined log begins. ``told`` are the texts that the
    client sent: instructions, messages and outputs of tools.
    """

    appended: bytearray = field(default_factory=bytearray)
    append_count: int = 0
    starts: list[int] = field(default_factory=list)
    items: dict[str, SpokenItem] = field(default_factory=dict)
    truncates: list[Truncate] = field(default_factory=list)
    deletes: list[Delete] = field(default_factory=list)
    speech: list[SpeechSpan] = field(default_factory=list)
    tool_calls: list[ToolCallMade] = field(default_factory=list)
    responses: list[ResponseMade] = field(default_factory=list)
    errors_sent: list[ErrorSent] = field(default_factory=list)
    received: Counter[str] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    closed_at: float | None = None
    close_code: int | None = None

    @property
    def used(self) -> bool:
        """Tell whether a call used it: more was sent than what the session is to be."""
        return bool(set(self.received) - {"session.update"})


def joined(logs: Sequence[SessionLog]) -> SessionLog:
    """Join the sessions of one call, one after the other; a single one stays as it is."""
    if len(logs) == 1:
        return logs[0]
    whole = SessionLog()
    for log in logs:
        whole.appended += log.appended
        whole.append_count += log.append_count
        whole.items |= log.items
        whole.received += log.received
        for name in ("truncates", "deletes", "speech", "tool_calls", "responses", "errors_sent"):
            getattr(whole, name).extend(getattr(log, name))
        whole.told += log.told
        whole.closed_at, whole.close_code = log.closed_at, log.close_code
        whole.starts.append(len(whole.appended) - len(log.appended))
    return whole
