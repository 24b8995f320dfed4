"""The events the server sends, by their GA names (OpenAI Realtime, section 2.2).

All but two are pydantic models. Audio comes as ``ResponseOutputAudioDeltaEvent``, a plain object
made without validation of a model since there are many of them, and an event of a type that this
page does not know as ``UnknownEvent``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Literal, TypeAlias

from pydantic import BaseModel

from voicebridge.realtime.items import Item, Part
from voicebridge.realtime.responses import Conversation, Error, RateLimit, Response
from voicebridge.realtime.session import AnySession
from voicebridge.realtime.wire import WIRE, Int, JsonObject, Number, WireModel


class ServerEventType(StrEnum):
    """The wire names of the server events; the beta dialect's differing names are aliases."""

    ERROR = "error"
    SESSION_CREATED = "session.created"
    SESSION_UPDATED = "session.updated"
    CONVERSATION_CREATED = "conversation.created"
    CONVERSATION_ITEM_CREATED = "conversation.item.created"
    CONVERSATION_ITEM_ADDED = "conversation.item.added"
    CONVERSATION_ITEM_DONE = "conversation.item.done"
    CONVERSATION_ITEM_RETRIEVED = "conversation.item.retrieved"
    CONVERSATION_ITEM_TRUNCATED = "conversation.item.truncated"
    CONVERSATION_ITEM_DELETED = "conversation.item.deleted"
    CONVERSATION_ITEM_INPUT_AUDIO_TRANSCRIPTION_DELTA = (
        "conversation.item.input_audio_transcription.delta"
    )
    CONVERSATION_ITEM_INPUT_AUDIO_TRANSCRIPTION_COMPLETED = (
        "conversation.item.input_audio_transcription.completed"
    )
    CONVERSATION_ITEM_INPUT_AUDIO_TRANSCRIPTION_SEGMENT = (
        "conversation.item.input_audio_transcription.segment"
    )
    CONVERSATION_ITEM_INPUT_AUDIO_TRANSCRIPTION_FAILED = (
        "conversation.item.input_audio_transcription.failed"
    )
    INPUT_AUDIO_BUFFER_COMMITTED = "input_audio_buffer.committed"
    INPUT_AUDIO_BUFFER_CLEARED = "input_audio_buffer.cleared"
    INPUT_AUDIO_BUFFER_SPEECH_STARTED = "input_audio_buffer.speech_started"
    INPUT_AUDIO_BUFFER_SPEECH_STOPPED = "input_audio_buffer.speech_stopped"
    INPUT_AUDIO_BUFFER_TIMEOUT_TRIGGERED = "input_audio_buffer.timeout_triggered"
    INPUT_AUDIO_BUFFER_DTMF_EVENT_RECEIVED = "input_audio_buffer.dtmf_event_received"
    OUTPUT_AUDIO_BUFFER_STARTED = "output_audio_buffer.started"
    OUTPUT_AUDIO_BUFFER_STOPPED = "output_audio_buffer.stopped"
    OUTPUT_AUDIO_BUFFER_CLEARED = "output_audio_buffer.cleared"
    RESPONSE_CREATED = "response.created"
    RESPONSE_DONE = "response.done"
    RESPONSE_OUTPUT_ITEM_ADDED = "response.output_item.added"
    RESPONSE_OUTPUT_ITEM_DONE = "response.output_item.done"
    RESPONSE_CONTENT_PART_ADDED = "response.content_part.added"
    RESPONSE_CONTENT_PART_DONE = "response.content_part.done"
    RESPONSE_OUTPUT_TEXT_DELTA = "response.output_text.delta"
    RESPONSE_OUTPUT_TEXT_DONE = "response.output_text.done"
    RESPONSE_OUTPUT_AUDIO_TRANSCRIPT_DELTA = "response.output_audio_transcript.delta"
    RESPONSE_OUTPUT_AUDIO_TRANSCRIPT_DONE = "response.output_audio_transcript.done"
    RESPONSE_OUTPUT_AUDIO_DONE = "response.output_audio.done"
    RESPONSE_FUNCTION_CALL_ARGUMENTS_DELTA = "response.function_call_arguments.delta"
    RESPONSE_FUNCTION_CALL_ARGUMENTS_DONE = "response.function_call_arguments.done"
    RESPONSE_MCP_CALL_ARGUMENTS_DELTA = "response.mcp_call_arguments.delta"
    RESPONSE_MCP_CALL_ARGUMENTS_DONE = "response.mcp_call_arguments.done"
    RESPONSE_MCP_CALL_IN_PROGRESS = "response.mcp_call.in_progress"
    RESPONSE_MCP_CALL_COMPLETED = "response.mcp_call.completed"
    RESPONSE_MCP_CALL_FAILED = "response.mcp_call.failed"
    MCP_LIST_TOOLS_IN_PROGRESS = "mcp_list_tools.in_progress"
    MCP_LIST_TOOLS_COMPLETED = "mcp_list_tools.completed"
    MCP_LIST_TOOLS_FAILED = "mcp_list_tools.failed"
    RATE_LIMITS_UPDATED = "rate_limits.updated"
    RESPONSE_OUTPUT_AUDIO_DELTA = "response.output_audio.delta"
    RESPONSE_TEXT_DELTA = "response.output_text.delta"
    RESPONSE_TEXT_DONE = "response.output_text.done"
    RESPONSE_AUDIO_DELTA = "response.output_audio.delta"
    RESPONSE_AUDIO_DONE = "response.output_audio.done"
    RESPONSE_AUDIO_TRANSCRIPT_DELTA = "response.output_audio_transcript.delta"
    RESPONSE_AUDIO_TRANSCRIPT_DONE = "response.output_audio_transcript.done"


class ServerEventBase(BaseModel):
    """Base of the events that are models."""

    model_config = WIRE

    type: str
    event_id: str | None = None


class LogProb(WireModel):
    """How sure a transcription is of one token."""

    token: str
    logprob: Number
    bytes: list[Int] | None = None


class TranscriptionLanguage(WireModel):
    """A language that was heard."""

    code: str


class TranscriptionTokenDetails(WireModel):
    """Input tokens of a transcription by kind."""

    audio_tokens: Int | None = None
    text_tokens: Int | None = None


class TranscriptionUsage(WireModel):
    """What a transcription cost: ``tokens`` or, for some models, a ``duration`` in seconds."""

    type: str | None = None
    total_tokens: Int | None = None
    input_tokens: Int | None = None
    output_tokens: Int | None = None
    input_token_details: TranscriptionTokenDetails | None = None
    seconds: Number | None = None


class ErrorEvent(ServerEventBase):
    """Something was refused or failed; most errors leave the session open (section 7)."""

    type: Literal["error"] = "error"
    error: Error


class SessionCreatedEvent(ServerEventBase):
    """The session is open; always the first event at OpenAI."""

    type: Literal["session.created"] = "session.created"
    session: AnySession


class SessionUpdatedEvent(ServerEventBase):
    """The session as it is after an update of ours."""

    type: Literal["session.updated"] = "session.updated"
    session: AnySession


class ConversationCreatedEvent(ServerEventBase):
    """The conversation is open; beta and compatible servers only."""

    type: Literal["conversation.created"] = "conversation.created"
    conversation: Conversation


class ConversationItemCreatedEvent(ServerEventBase):
    """An item is in the conversation; the beta dialect's only notice of it."""

    type: Literal["conversation.item.created"] = "conversation.item.created"
    item: Item
    previous_item_id: str | None = None


class ConversationItemAddedEvent(ServerEventBase):
    """An item is in the conversation, maybe still empty."""

    type: Literal["conversation.item.added"] = "conversation.item.added"
    item: Item
    previous_item_id: str | None = None


class ConversationItemDoneEvent(ServerEventBase):
    """An item is complete."""

    type: Literal["conversation.item.done"] = "conversation.item.done"
    item: Item
    previous_item_id: str | None = None


class ConversationItemRetrievedEvent(ServerEventBase):
    """The item we asked for."""

    type: Literal["conversation.item.retrieved"] = "conversation.item.retrieved"
    item: Item


class ConversationItemTruncatedEvent(ServerEventBase):
    """An assistant item now ends at what was heard."""

    type: Literal["conversation.item.truncated"] = "conversation.item.truncated"
    item_id: str
    content_index: Int = 0
    audio_end_ms: Int


class ConversationItemDeletedEvent(ServerEventBase):
    """An item is gone."""

    type: Literal["conversation.item.deleted"] = "conversation.item.deleted"
    item_id: str


class ConversationItemInputAudioTranscriptionDeltaEvent(ServerEventBase):
    """More of what the caller said; may come at any time."""

    type: Literal["conversation.item.input_audio_transcription.delta"] = (
        "conversation.item.input_audio_transcription.delta"
    )
    item_id: str
    content_index: Int | None = None
    delta: str | None = None
    logprobs: list[LogProb] | None = None


class ConversationItemInputAudioTranscriptionCompletedEvent(ServerEventBase):
    """All that the caller said in this item."""

    type: Literal["conversation.item.input_audio_transcription.completed"] = (
        "conversation.item.input_audio_transcription.completed"
    )
    item_id: str
    content_index: Int = 0
    transcript: str
    usage: TranscriptionUsage | None = None
    languages: list[TranscriptionLanguage] | None = None
    logprobs: list[LogProb] | None = None


class ConversationItemInputAudioTranscriptionSegmentEvent(ServerEventBase):
    """A stretch of one speaker's words; times in seconds."""

    type: Literal["conversation.item.input_audio_transcription.segment"] = (
        "conversation.item.input_audio_transcription.segment"
    )
    item_id: str
    content_index: Int = 0
    id: str
    speaker: str
    start: Number
    end: Number
    text: str


class ConversationItemInputAudioTranscriptionFailedEvent(ServerEventBase):
    """The caller's words could not be written down."""

    type: Literal["conversation.item.input_audio_transcription.failed"] = (
        "conversation.item.input_audio_transcription.failed"
    )
    item_id: str
    content_index: Int = 0
    error: Error


class InputAudioBufferCommittedEvent(ServerEventBase):
    """The buffer has become a user item."""

    type: Literal["input_audio_buffer.committed"] = "input_audio_buffer.committed"
    item_id: str
    previous_item_id: str | None = None


class InputAudioBufferClearedEvent(ServerEventBase):
    """The buffer is empty."""

    type: Literal["input_audio_buffer.cleared"] = "input_audio_buffer.cleared"


class InputAudioBufferSpeechStartedEvent(ServerEventBase):
    """The caller speaks; the time counts appended audio, padding included."""

    type: Literal["input_audio_buffer.speech_started"] = "input_audio_buffer.speech_started"
    item_id: str
    audio_start_ms: Int


class InputAudioBufferSpeechStoppedEvent(ServerEventBase):
    """The caller has stopped; the time counts appended audio."""

    type: Literal["input_audio_buffer.speech_stopped"] = "input_audio_buffer.speech_stopped"
    item_id: str
    audio_end_ms: Int


class InputAudioBufferTimeoutTriggeredEvent(ServerEventBase):
    """The caller has been silent for ``idle_timeout_ms``."""

    type: Literal["input_audio_buffer.timeout_triggered"] = "input_audio_buffer.timeout_triggered"
    item_id: str
    audio_start_ms: Int
    audio_end_ms: Int


class InputAudioBufferDtmfEventReceivedEvent(ServerEventBase):
    """A key was pressed (SIP only); ``received_at`` is unix seconds."""

    type: Literal["input_audio_buffer.dtmf_event_received"] = (
        "input_audio_buffer.dtmf_event_received"
    )
    event: str
    received_at: Int


class OutputAudioBufferStartedEvent(ServerEventBase):
    """The server plays a response out (WebRTC and SIP only)."""

    type: Literal["output_audio_buffer.started"] = "output_audio_buffer.started"
    response_id: str


class OutputAudioBufferStoppedEvent(ServerEventBase):
    """The server has played a response out (WebRTC and SIP only)."""

    type: Literal["output_audio_buffer.stopped"] = "output_audio_buffer.stopped"
    response_id: str


class OutputAudioBufferClearedEvent(ServerEventBase):
    """The server has dropped unplayed audio (WebRTC and SIP only)."""

    type: Literal["output_audio_buffer.cleared"] = "output_audio_buffer.cleared"
    response_id: str


class ResponseCreatedEvent(ServerEventBase):
    """A response has begun."""

    type: Literal["response.created"] = "response.created"
    response: Response


class ResponseDoneEvent(ServerEventBase):
    """A response is over, whatever its outcome; always sent."""

    type: Literal["response.done"] = "response.done"
    response: Response


class ResponseOutputItemAddedEvent(ServerEventBase):
    """A response has begun an item."""

    type: Literal["response.output_item.added"] = "response.output_item.added"
    item: Item
    response_id: str
    output_index: Int = 0


class ResponseOutputItemDoneEvent(ServerEventBase):
    """A response has finished an item, or was cut in it: see its status."""

    type: Literal["response.output_item.done"] = "response.output_item.done"
    item: Item
    response_id: str
    output_index: Int = 0


class ResponseContentPartAddedEvent(ServerEventBase):
    """An item has begun a part; its type is ``text`` or ``audio``."""

    type: Literal["response.content_part.added"] = "response.content_part.added"
    part: Part
    response_id: str
    item_id: str
    output_index: Int = 0
    content_index: Int = 0


class ResponseContentPartDoneEvent(ServerEventBase):
    """An item has finished a part; its type is ``text`` or ``audio``."""

    type: Literal["response.content_part.done"] = "response.content_part.done"
    part: Part
    response_id: str
    item_id: str
    output_index: Int = 0
    content_index: Int = 0


class ResponseOutputTextDeltaEvent(ServerEventBase):
    """More text of a written answer."""

    type: Literal["response.output_text.delta"] = "response.output_text.delta"
    response_id: str
    item_id: str
    output_index: Int = 0
    content_index: Int = 0
    delta: str


class ResponseOutputTextDoneEvent(ServerEventBase):
    """The whole text of a written answer."""

    type: Literal["response.output_text.done"] = "response.output_text.done"
    response_id: str
    item_id: str
    output_index: Int = 0
    content_index: Int = 0
    text: str


class ResponseOutputAudioTranscriptDeltaEvent(ServerEventBase):
    """More of what the model says; runs ahead of the audio."""

    type: Literal["response.output_audio_transcript.delta"] = (
        "response.output_audio_transcript.delta"
    )
    response_id: str
    item_id: str
    output_index: Int = 0
    content_index: Int = 0
    delta: str


class ResponseOutputAudioTranscriptDoneEvent(ServerEventBase):
    """All that the model says in this part."""

    type: Literal["response.output_audio_transcript.done"] = "response.output_audio_transcript.done"
    response_id: str
    item_id: str
    output_index: Int = 0
    content_index: Int = 0
    transcript: str


class ResponseOutputAudioDoneEvent(ServerEventBase):
    """The audio of this part is complete, or was cut."""

    type: Literal["response.output_audio.done"] = "response.output_audio.done"
    response_id: str
    item_id: str
    output_index: Int = 0
    content_index: Int = 0


class ResponseFunctionCallArgumentsDeltaEvent(ServerEventBase):
    """More of a function call's arguments."""

    type: Literal["response.function_call_arguments.delta"] = (
        "response.function_call_arguments.delta"
    )
    response_id: str
    item_id: str
    output_index: Int = 0
    call_id: str | None = None
    delta: str


class ResponseFunctionCallArgumentsDoneEvent(ServerEventBase):
    """The arguments are complete, or were cut: see the item's status before acting.

    ``name`` is None where a server leaves it out: it stands in the item that was added.
    """

    type: Literal["response.function_call_arguments.done"] = "response.function_call_arguments.done"
    response_id: str
    item_id: str
    output_index: Int = 0
    call_id: str
    name: str | None = None
    arguments: str


class ResponseMcpCallArgumentsDeltaEvent(ServerEventBase):
    """More of an MCP call's arguments."""

    type: Literal["response.mcp_call_arguments.delta"] = "response.mcp_call_arguments.delta"
    response_id: str
    item_id: str
    output_index: Int = 0
    delta: str
    obfuscation: str | None = None


class ResponseMcpCallArgumentsDoneEvent(ServerEventBase):
    """The arguments of an MCP call are complete."""

    type: Literal["response.mcp_call_arguments.done"] = "response.mcp_call_arguments.done"
    response_id: str
    item_id: str
    output_index: Int = 0
    arguments: str


class ResponseMcpCallInProgressEvent(ServerEventBase):
    """The server calls an MCP tool."""

    type: Literal["response.mcp_call.in_progress"] = "response.mcp_call.in_progress"
    item_id: str
    output_index: Int = 0


class ResponseMcpCallCompletedEvent(ServerEventBase):
    """An MCP tool has answered."""

    type: Literal["response.mcp_call.completed"] = "response.mcp_call.completed"
    item_id: str
    output_index: Int = 0


class ResponseMcpCallFailedEvent(ServerEventBase):
    """An MCP call failed."""

    type: Literal["response.mcp_call.failed"] = "response.mcp_call.failed"
    item_id: str
    output_index: Int = 0


class McpListToolsInProgressEvent(ServerEventBase):
    """The server asks an MCP server for its tools."""

    type: Literal["mcp_list_tools.in_progress"] = "mcp_list_tools.in_progress"
    item_id: str


class McpListToolsCompletedEvent(ServerEventBase):
    """An MCP server's tools are known."""

    type: Literal["mcp_list_tools.completed"] = "mcp_list_tools.completed"
    item_id: str


class McpListToolsFailedEvent(ServerEventBase):
    """An MCP server did not tell its tools."""

    type: Literal["mcp_list_tools.failed"] = "mcp_list_tools.failed"
    item_id: str


class RateLimitsUpdatedEvent(ServerEventBase):
    """What is left of the rate limits."""

    type: Literal["rate_limits.updated"] = "rate_limits.updated"
    rate_limits: list[RateLimit]


@dataclass(slots=True)
class ResponseOutputAudioDeltaEvent:
    """A piece of audio: ``delta`` is base64 text of raw samples, of any length.

    ``extra`` keeps the fields that this version does not know, None if there were none.
    """

    type: ClassVar[str] = "response.output_audio.delta"

    response_id: str
    item_id: str
    output_index: int
    content_index: int
    delta: str
    event_id: str | None = None
    extra: JsonObject | None = None


@dataclass(slots=True)
class UnknownEvent:
    """An event of a type that this version does not know, whole and as it came."""

    type: str
    raw: JsonObject

    @property
    def event_id(self) -> str | None:
        """The event's id, where it has one."""
        value = self.raw.get("event_id")
        return value if isinstance(value, str) else None


ServerEvent: TypeAlias = ServerEventBase | ResponseOutputAudioDeltaEvent | UnknownEvent

SERVER_EVENTS: dict[str, type[ServerEventBase]] = {
    event.model_fields["type"].default: event for event in ServerEventBase.__subclasses__()
}
"""The events that are models, by type; audio deltas are not among them."""

# The beta dialect's names.
ResponseTextDeltaEvent = ResponseOutputTextDeltaEvent
ResponseTextDoneEvent = ResponseOutputTextDoneEvent
ResponseAudioDeltaEvent = ResponseOutputAudioDeltaEvent
ResponseAudioDoneEvent = ResponseOutputAudioDoneEvent
ResponseAudioTranscriptDeltaEvent = ResponseOutputAudioTranscriptDeltaEvent
ResponseAudioTranscriptDoneEvent = ResponseOutputAudioTranscriptDoneEvent
