"""What to do now. Imperative, frozen; the runner carries them out in order.

The first group goes to the carrier, the second to the model, the third to the bridge itself and
the last to the record of the call.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from voicebridge.call.reasons import EndReason

# --- to the carrier ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SendAudio:
    """Queue mu-law audio for playout: whole 20 ms frames."""

    audio: bytes


@dataclass(frozen=True, slots=True)
class SendMark:
    """Put a mark behind all audio sent so far."""

    name: str


@dataclass(frozen=True, slots=True)
class SendClear:
    """Empty the carrier's playout queue at once."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the carrier's stream; nothing that is still queued there will be heard."""

    reason: EndReason


# --- to the model -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CreateResponse:
    """Ask for a response; ``instructions`` are for this one only.

    ``tools`` False lets this one use no tools.
    """

    event_id: str
    instructions: str | None = None
    tools: bool = True


@dataclass(frozen=True, slots=True)
class CancelResponse:
    """Stop a response that is being made."""

    response_id: str


@dataclass(frozen=True, slots=True)
class TruncateItem:
    """Shorten an item to what was heard of it, in whole milliseconds."""

    event_id: str
    item_id: str
    content_index: int
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class DeleteItem:
    """Remove an item of which nothing was heard."""

    event_id: str
    item_id: str


@dataclass(frozen=True, slots=True)
class SendToolCall:
    """Put a tool call into the conversation that the model did not ask for; its output follows."""

    call_id: str
    name: str
    arguments: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SendToolOutput:
    """Give the model the output of a tool call."""

    call_id: str
    output: str


@dataclass(frozen=True, slots=True)
class AnswerApproval:
    """Answer the model's server, which asked whether it may call a tool by itself."""

    request_id: str
    approve: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class SendUserText:
    """Put text into the conversation as the caller's: keys pressed, for example."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SendSystemText:
    """Put a word of ours into the conversation, which the caller never hears."""

    text: str


@dataclass(frozen=True, slots=True)
class SendAgentText:
    """Put words into the conversation, at its beginning, that were said in the agent's name."""

    item_id: str
    text: str


# --- to the bridge ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenValve:
    """Let the caller's audio through to the model, what was held back first."""


@dataclass(frozen=True, slots=True)
class CloseValve:
    """Keep the caller's audio from the model from now on."""


@dataclass(frozen=True, slots=True)
class RunTool:
    """Run a tool off the audio path and report ``ToolFinished``."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class CancelTool:
    """Stop a tool whose result nobody waits for any more."""

    call_id: str


@dataclass(frozen=True, slots=True)
class MuteCaller:
    """Let the model hear silence in place of the caller, in step with the caller's clock."""


@dataclass(frozen=True, slots=True)
class UnmuteCaller:
    """Let the model hear the caller again."""


@dataclass(frozen=True, slots=True)
class GiveKeys:
    """Give the caller's keys to the tool that wants them, and to nobody else."""

    call_id: str
    keys: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeepHeard:
    """Keep what the caller heard of the agent, from ``at_bytes`` of the carrier's clock on."""

    at_bytes: int
    audio: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeepGreeting:
    """Keep the greeting's audio, which was heard to its end, for later calls."""

    audio: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DialNext:
    """Have the carrier connect the caller to a number once the stream has ended."""

    number: str


# --- to the record ----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NoteAgentSpoke:
    """One item of the agent's, settled: the words heard and the words not heard."""

    item_id: str
    at_ms: int
    heard: str
    unheard: str
    heard_ms: int
    received_ms: int


@dataclass(frozen=True, slots=True)
class NoteCallerSpoke:
    """One item of the caller's, with its words where a transcript came."""

    item_id: str
    at_ms: int
    text: str


@dataclass(frozen=True, slots=True)
class NoteKeys:
    """The caller has pressed keys; which ones is nobody's to keep."""

    at_ms: int
    count: int


@dataclass(frozen=True, slots=True)
class NoteBargeIn:
    """The caller spoke over the agent and the playout was cut."""

    at_ms: int


@dataclass(frozen=True, slots=True)
class NoteTool:
    """A tool call with its output."""

    at_ms: int
    call_id: str
    name: str
    arguments: str
    output: str
    ok: bool


@dataclass(frozen=True, slots=True)
class NoteProblem:
    """Something that an operator should know of; the call goes on.

    ``what`` is in our words, ``told`` in those of the other end, which may quote the caller's.
    """

    at_ms: int
    what: str
    told: str = ""


Note = NoteAgentSpoke | NoteCallerSpoke | NoteKeys | NoteBargeIn | NoteTool | NoteProblem
Command = (
    SendAudio
    | SendMark
    | SendClear
    | HangUp
    | CreateResponse
    | CancelResponse
    | TruncateItem
    | DeleteItem
    | SendToolCall
    | SendToolOutput
    | AnswerApproval
    | SendUserText
    | SendSystemText
    | SendAgentText
    | OpenValve
    | CloseValve
    | RunTool
    | CancelTool
    | MuteCaller
    | UnmuteCaller
    | GiveKeys
    | KeepGreeting
    | KeepHeard
    | DialNext
    | Note
)
