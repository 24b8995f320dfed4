"""A user's program that names every model and takes every kind of event apart.

``mypy --strict`` must pass on it. It is the other half of ``realtime_user.py``.
"""

from __future__ import annotations

from typing import assert_type

from voicebridge import realtime as rt

MODELS: tuple[str, ...] = (
    rt.DEFAULT_MODEL, rt.GPT_REALTIME_2_1_MINI, rt.GPT_REALTIME_2, rt.GPT_REALTIME_1_5,
    rt.GPT_REALTIME, rt.GPT_REALTIME_20250828, rt.GPT_REALTIME_MINI,
    rt.GPT_REALTIME_MINI_20251006, rt.GPT_REALTIME_MINI_20251215,
    rt.GPT_AUDIO_1_5, rt.GPT_AUDIO_MINI, rt.GPT_AUDIO_MINI_20251006, rt.GPT_AUDIO_MINI_20251215,
    rt.GPT_LIVE_TRANSCRIBE, rt.GPT_REALTIME_WHISPER, rt.WHISPER_1, rt.GPT_4O_TRANSCRIBE,
    rt.GPT_4O_TRANSCRIBE_DIARIZE, rt.GPT_4O_MINI_TRANSCRIBE, rt.GPT_4O_MINI_TRANSCRIBE_20251215,
    rt.DEFAULT_BETA_MODEL, rt.GPT_4O_REALTIME_PREVIEW, rt.GPT_4O_REALTIME_PREVIEW_20241001,
    rt.GPT_4O_REALTIME_PREVIEW_20241217, rt.GPT_4O_REALTIME_PREVIEW_20250603,
    rt.GPT_4O_MINI_REALTIME_PREVIEW, rt.GPT_4O_MINI_REALTIME_PREVIEW_20241217,
)  # fmt: skip

# The Go library's names for what has one form here are types like any other.
GO_SESSION: rt.ClientSession | rt.ServerSession | rt.CreateSessionRequest = rt.Session()
GO_EVENT: rt.EventBase = rt.ResponseCreateEvent()
GO_PARTS: list[rt.MessageContentPart] = [rt.input_text("a")]
GO_TRANSCRIPTION = rt.InputAudioTranscription(model=rt.GPT_TRANSCRIBE)
GO_CHOICE: rt.ServerToolChoice = rt.ToolFunction(name="f")
CHOICE = rt.ToolChoiceFunction(name="f")
GO_STRINGS: list[str] = [
    rt.ToolChoiceString.REQUIRED, rt.MessageItemType.MESSAGE, rt.MessageContentType.INPUT_AUDIO,
]  # fmt: skip
GO_DETECTION: tuple[rt.ClientTurnDetection, rt.ServerTurnDetection] = (
    rt.ServerVad(threshold=0.5, silence_duration_ms=400),
    rt.SemanticVad(),
)

ENUMS: list[str] = [
    rt.Voice.MARIN, rt.ItemStatus.COMPLETED, rt.ItemType.MESSAGE, rt.MessageRole.ASSISTANT,
    rt.ContentType.OUTPUT_AUDIO, rt.ResponseStatus.CANCELLED, rt.TurnDetectionType.SEMANTIC_VAD,
    rt.ToolType.FUNCTION, rt.ClientEventType.SESSION_UPDATE, rt.ServerEventType.ERROR,
    rt.AZURE_PREVIEW_API_VERSION, rt.OPENAI_API_URL_V1, rt.OPENAI_REALTIME_API_URL_V1,
]  # fmt: skip

DELTAS = (
    rt.ResponseOutputTextDeltaEvent, rt.ResponseTextDeltaEvent,
    rt.ResponseOutputAudioTranscriptDeltaEvent, rt.ResponseAudioTranscriptDeltaEvent,
    rt.ResponseFunctionCallArgumentsDeltaEvent, rt.ResponseMcpCallArgumentsDeltaEvent,
    rt.ResponseAudioDeltaEvent,
)  # fmt: skip
WITH_AN_ITEM = (
    rt.ConversationItemCreatedEvent, rt.ConversationItemAddedEvent, rt.ConversationItemDoneEvent,
    rt.ConversationItemRetrievedEvent, rt.ResponseOutputItemAddedEvent,
    rt.ResponseOutputItemDoneEvent,
)  # fmt: skip
WITH_AN_ITEM_ID = (
    rt.ConversationItemDeletedEvent, rt.InputAudioBufferCommittedEvent,
    rt.InputAudioBufferTimeoutTriggeredEvent, rt.ResponseContentPartAddedEvent,
    rt.ResponseOutputTextDoneEvent, rt.ResponseTextDoneEvent, rt.ResponseOutputAudioDoneEvent,
    rt.ResponseAudioDoneEvent, rt.ResponseOutputAudioTranscriptDoneEvent,
    rt.ResponseAudioTranscriptDoneEvent, rt.ResponseMcpCallInProgressEvent,
    rt.ResponseMcpCallArgumentsDoneEvent, rt.ResponseMcpCallCompletedEvent,
    rt.ResponseMcpCallFailedEvent, rt.McpListToolsInProgressEvent, rt.McpListToolsCompletedEvent,
    rt.McpListToolsFailedEvent,
    rt.ConversationItemInputAudioTranscriptionSegmentEvent,
)  # fmt: skip
OTHERS: tuple[type[rt.ServerEventBase], ...] = (
    rt.InputAudioBufferClearedEvent, rt.InputAudioBufferDtmfEventReceivedEvent,
    rt.OutputAudioBufferStartedEvent, rt.OutputAudioBufferStoppedEvent,
    rt.OutputAudioBufferClearedEvent,
)  # fmt: skip


def look_into(event: rt.ServerEvent) -> object:
    """Take every kind of event apart."""
    match event:
        case rt.ConversationItemInputAudioTranscriptionCompletedEvent(usage=usage):
            languages: list[rt.TranscriptionLanguage] = event.languages or []
            return [each.code for each in languages] or _cost(usage, event.logprobs)
        case rt.ConversationItemInputAudioTranscriptionDeltaEvent(delta=delta):
            return delta
        case rt.ConversationItemInputAudioTranscriptionFailedEvent(error=error):
            assert_type(error, rt.Error)
            return error.code
        case rt.ConversationCreatedEvent(conversation=conversation):
            assert_type(conversation, rt.Conversation)
            return conversation.id
        case rt.ConversationItemTruncatedEvent(audio_end_ms=at_ms):
            return at_ms
        case rt.InputAudioBufferSpeechStartedEvent(audio_start_ms=at_ms):
            return at_ms
        case rt.InputAudioBufferSpeechStoppedEvent(audio_end_ms=at_ms):
            return at_ms
        case rt.ResponseContentPartDoneEvent(part=part):
            return part.type if isinstance(part, rt.ContentPart) else part
        case rt.ResponseCreatedEvent(response=response):
            return _cost_of_response(response)
    if isinstance(event, DELTAS):
        return assert_type(event.delta, str)
    if isinstance(event, WITH_AN_ITEM):
        return _look_into_item(event.item)
    if isinstance(event, WITH_AN_ITEM_ID):
        return event.item_id
    return isinstance(event, OTHERS)


def _cost(usage: rt.TranscriptionUsage | None, logprobs: list[rt.LogProb] | None) -> object:
    details = usage.input_token_details if usage else None
    if isinstance(details, rt.TranscriptionTokenDetails):
        return details.audio_tokens
    return [each.token for each in logprobs or []]


def _cost_of_response(response: rt.Response) -> object:
    status: rt.StatusDetails | None = response.status_details
    usage: rt.Usage | None = response.usage
    if usage is None or status is not None:
        return rt.is_inf(response.max_output_tokens)
    asked: rt.InputTokenDetails | None = usage.input_token_details
    said: rt.OutputTokenDetails | None = usage.output_token_details
    cached: rt.CachedTokensDetails | None = asked.cached_tokens_details if asked else None
    return said, cached


def _look_into_item(item: rt.Item) -> object:
    match item:
        case rt.McpListTools(tools=[rt.McpToolDescription(name=name), *_]):
            return name
        case rt.McpToolCall(error=rt.McpError(message=message)):
            return message
        case rt.McpApprovalRequest(id=id_):
            return id_
        case rt.SystemMessage(content=parts):
            return assert_type(parts, list[rt.Part])
        case _:
            return None


def rewritten(text: bytes) -> bytes:
    """Read an event in one dialect and write it in another, as a proxy does."""
    event = rt.unmarshal_server_event(text, rt.BETA)
    assert event.type in {*rt.SERVER_EVENTS, rt.ResponseOutputAudioDeltaEvent.type}
    return rt.marshal_server_event(event, rt.GA)


def sent(value: rt.ToolChoice, tool: rt.Tool, most: rt.IntOrInf) -> bytes:
    """Write an event without a connection."""
    params = rt.ResponseCreateParams(tool_choice=value, tools=[tool], max_output_tokens=most)
    event = rt.ResponseCreateEvent(response=params)
    assert event.type in rt.CLIENT_EVENTS
    return rt.marshal_client_event(event, rt.GA, strict=True)


def formats(session: rt.AnySession, detection: rt.TurnDetection, format_: rt.Format) -> object:
    """Take a session apart."""
    silence = detection.silence_duration_ms if isinstance(detection, rt.ServerVad) else None
    return session.input_format, silence, rt.neutral_format(format_)
