"""What has happened to a call. Past tense, frozen; ``Call.handle`` takes them one by one."""

from __future__ import annotations

from dataclasses import dataclass, field

from voicebridge.call.reasons import EndReason

# --- the carrier's side -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class StreamStarted:
    """The carrier's media stream is open and belongs to this call."""


@dataclass(frozen=True, slots=True)
class MarkEchoed:
    """The carrier sent a mark back: reached by its playout, or returned because of a clear."""

    name: str


@dataclass(frozen=True, slots=True)
class DigitPressed:
    """The caller pressed a key: 0-9, * or #."""

    digit: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """The carrier's media stream is over, by whatever cause."""

    reason: EndReason
    detail: str = ""


# --- the model's side -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ModelReady:
    """The model's session runs with the settings that were asked for."""


@dataclass(frozen=True, slots=True)
class ModelLost:
    """The model's connection could not be opened or is gone."""

    reason: EndReason
    detail: str


@dataclass(frozen=True, slots=True)
class SpeechStarted:
    """The model's voice-activity detection hears the caller."""

    item_id: str
    audio_start_ms: int


@dataclass(frozen=True, slots=True)
class SpeechStopped:
    """The model's voice-activity detection heard the caller's turn end."""

    item_id: str
    audio_end_ms: int


@dataclass(frozen=True, slots=True)
class CallerTranscribed:
    """What the caller said in one item, as text."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class ResponseCreated:
    """A response of the model has begun."""

    response_id: str


@dataclass(frozen=True, slots=True)
class AudioReceived:
    """A chunk of the agent's speech: mu-law bytes of any number."""

    response_id: str
    item_id: str
    content_index: int
    audio: bytes


@dataclass(frozen=True, slots=True)
class TranscriptReceived:
    """A piece of the words of the agent's speech; runs a little ahead of the audio."""

    item_id: str
    text: str


@dataclass(frozen=True, slots=True)
class AudioFinished:
    """All audio of one item has been received."""

    item_id: str


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """The model asks for a tool; the call item is complete. ``arguments`` is unchecked JSON."""

    response_id: str
    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ApprovalAsked:
    """The model's server asks whether it may call a tool of an MCP server by itself."""

    response_id: str
    request_id: str
    server: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ResponseDone:
    """A response is over.

    ``status`` is the API's own: completed, cancelled, incomplete or failed.
    """

    response_id: str
    status: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RequestRejected:
    """The model's server refused an event of ours; ``event_id`` is the one we gave it."""

    event_id: str | None
    code: str
    message: str


# --- our own side -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A tool has its output: a string for the model to read, also when it failed."""

    call_id: str
    output: str
    ok: bool


@dataclass(frozen=True, slots=True)
class HangUpRequested:
    """The agent, by a tool, wants to hang up once its last word was heard."""

    call_id: str


@dataclass(frozen=True, slots=True)
class TransferRequested:
    """The agent wants the carrier to connect the caller elsewhere, once its last word was heard.

    ``number`` has been checked: it is one that the configuration allows.
    """

    call_id: str
    number: str


@dataclass(frozen=True, slots=True)
class HandOverRequested:
    """A colleague has taken the call and waits: the agent says so, then the caller is connected."""

    call_id: str


@dataclass(frozen=True, slots=True)
class KeysToSend:
    """The agent presses keys: their tones go to the far end. ``keys`` have been checked."""

    call_id: str
    keys: str


@dataclass(frozen=True, slots=True)
class HoldRequested:
    """The agent puts the caller on hold, for ``longest_s`` at most."""

    call_id: str
    longest_s: float


@dataclass(frozen=True, slots=True)
class ResumeRequested:
    """The agent ends the hold."""

    call_id: str


@dataclass(frozen=True, slots=True)
class KeysWanted:
    """A tool wants the caller's keys for itself: ``most`` of them, or until ``ends_with``."""

    call_id: str
    most: int
    ends_with: str
    within_s: float


@dataclass(frozen=True, slots=True)
class Advised:
    """The bridge has a word for the agent, such as to come to an end."""

    text: str


@dataclass(frozen=True, slots=True)
class GoodbyeRequested:
    """The call is to end, for ``reason``, once the agent has said what ``words`` instruct.

    ``at_once`` stops what is being said first, and lets nobody interrupt any more.
    """

    reason: EndReason
    words: str
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class ShutdownRequested:
    """The bridge is going down; the call is to end in good manners."""


@dataclass(frozen=True, slots=True)
class DeadlineReached:
    """The time that ``Call.next_deadline`` named has come."""


Event = (
    StreamStarted
    | MarkEchoed
    | DigitPressed
    | StreamEnded
    | ModelReady
    | ModelLost
    | SpeechStarted
    | SpeechStopped
    | CallerTranscribed
    | ResponseCreated
    | AudioReceived
    | TranscriptReceived
    | AudioFinished
    | ToolCalled
    | ApprovalAsked
    | ResponseDone
    | RequestRejected
    | ToolFinished
    | HangUpRequested
    | TransferRequested
    | HandOverRequested
    | KeysToSend
    | HoldRequested
    | ResumeRequested
    | KeysWanted
    | Advised
    | GoodbyeRequested
    | ShutdownRequested
    | DeadlineReached
)
