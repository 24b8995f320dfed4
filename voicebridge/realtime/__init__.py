"""A client for the OpenAI Realtime API and its compatible servers; usable on its own.

::

    client = Client(default_config("sk-..."))
    async with client.connect(model="gpt-realtime-2.1") as conn:
        await conn.send_message(SessionUpdateEvent(session=Session(instructions="Be brief.")))
        async for event in conn:
            ...

Events are typed by their GA names, whatever dialect the server speaks.
"""

from __future__ import annotations

from voicebridge.realtime.audio import (
    Audio,
    AudioFormatObject,
    AudioInput,
    AudioOutput,
    AudioTranscription,
    Format,
    NoiseReduction,
    SemanticVad,
    ServerVad,
    TurnDetection,
    VoiceId,
    neutral_format,
)
from voicebridge.realtime.client import (
    Client,
    Connecting,
)
from voicebridge.realtime.client_events import (
    CLIENT_EVENTS,
    ClientEvent,
    ClientEventType,
    ConversationItemCreateEvent,
    ConversationItemDeleteEvent,
    ConversationItemRetrieveEvent,
    ConversationItemTruncateEvent,
    InputAudioBufferAppendEvent,
    InputAudioBufferClearEvent,
    InputAudioBufferCommitEvent,
    OutputAudioBufferClearEvent,
    ResponseCancelEvent,
    ResponseCreateEvent,
    SessionUpdateEvent,
)
from voicebridge.realtime.codec import (
    marshal_client_event,
    marshal_server_event,
    unmarshal_server_event,
)
from voicebridge.realtime.config import (
    ClientConfig,
    default_azure_config,
    default_config,
)
from voicebridge.realtime.conn import (
    Conn,
    ConnOptions,
)
from voicebridge.realtime.dialects import (
    AZURE_GA,
    AZURE_PREVIEW,
    BETA,
    GA,
    Credentials,
    Dialect,
    Target,
)
from voicebridge.realtime.enums import (
    AZURE_PREVIEW_API_VERSION,
    DEFAULT_BETA_MODEL,
    DEFAULT_MODEL,
    GPT_4O_MINI_REALTIME_PREVIEW,
    GPT_4O_MINI_REALTIME_PREVIEW_20241217,
    GPT_4O_MINI_TRANSCRIBE,
    GPT_4O_MINI_TRANSCRIBE_20251215,
    GPT_4O_REALTIME_PREVIEW,
    GPT_4O_REALTIME_PREVIEW_20241001,
    GPT_4O_REALTIME_PREVIEW_20241217,
    GPT_4O_REALTIME_PREVIEW_20250603,
    GPT_4O_TRANSCRIBE,
    GPT_4O_TRANSCRIBE_DIARIZE,
    GPT_AUDIO_1_5,
    GPT_AUDIO_MINI,
    GPT_AUDIO_MINI_20251006,
    GPT_AUDIO_MINI_20251215,
    GPT_LIVE_TRANSCRIBE,
    GPT_REALTIME,
    GPT_REALTIME_1_5,
    GPT_REALTIME_2,
    GPT_REALTIME_2_1,
    GPT_REALTIME_2_1_MINI,
    GPT_REALTIME_20250828,
    GPT_REALTIME_MINI,
    GPT_REALTIME_MINI_20251006,
    GPT_REALTIME_MINI_20251215,
    GPT_REALTIME_WHISPER,
    GPT_TRANSCRIBE,
    OPENAI_API_URL_V1,
    OPENAI_REALTIME_API_URL_V1,
    WHISPER_1,
    APIType,
    AudioFormat,
    ContentType,
    Eagerness,
    ItemStatus,
    ItemType,
    MessageRole,
    Modality,
    NoiseReductionType,
    ReasoningEffort,
    ResponseStatus,
    ToolChoiceMode,
    ToolType,
    TurnDetectionType,
    Voice,
)
from voicebridge.realtime.errors import (
    ConnClosed,
    ConnectError,
    DeadlineExceeded,
    PermanentError,
    RealtimeError,
    RealtimeProtocolError,
    RequestError,
    ServerRejected,
    SessionMismatch,
    UnsupportedMessageType,
    UnsupportedParameter,
    WebhookSignatureError,
    is_permanent,
    permanent,
)
from voicebridge.realtime.handler import (
    ConnHandler,
    ServerEventHandler,
)
from voicebridge.realtime.http import (
    http_do,
)
from voicebridge.realtime.ids import (
    generate_id,
)
from voicebridge.realtime.items import (
    AssistantMessage,
    ContentPart,
    FunctionCall,
    FunctionCallOutput,
    Item,
    ItemReference,
    McpApprovalRequest,
    McpApprovalResponse,
    McpError,
    McpListTools,
    McpToolCall,
    McpToolDescription,
    Part,
    SystemMessage,
    UserMessage,
    input_audio,
    input_image,
    input_text,
    output_text,
)
from voicebridge.realtime.logger import (
    Logger,
    NopLogger,
    StdLogger,
)
from voicebridge.realtime.responses import (
    CachedTokensDetails,
    Conversation,
    Error,
    InputTokenDetails,
    OutputTokenDetails,
    RateLimit,
    Response,
    ResponseCreateParams,
    StatusDetails,
    Usage,
)
from voicebridge.realtime.rest import (
    CreateSessionResponse,
    Rest,
)
from voicebridge.realtime.server_events import (
    SERVER_EVENTS,
    ConversationCreatedEvent,
    ConversationItemAddedEvent,
    ConversationItemCreatedEvent,
    ConversationItemDeletedEvent,
    ConversationItemDoneEvent,
    ConversationItemInputAudioTranscriptionCompletedEvent,
    ConversationItemInputAudioTranscriptionDeltaEvent,
    ConversationItemInputAudioTranscriptionFailedEvent,
    ConversationItemInputAudioTranscriptionSegmentEvent,
    ConversationItemRetrievedEvent,
    ConversationItemTruncatedEvent,
    ErrorEvent,
    InputAudioBufferClearedEvent,
    InputAudioBufferCommittedEvent,
    InputAudioBufferDtmfEventReceivedEvent,
    InputAudioBufferSpeechStartedEvent,
    InputAudioBufferSpeechStoppedEvent,
    InputAudioBufferTimeoutTriggeredEvent,
    LogProb,
    McpListToolsCompletedEvent,
    McpListToolsFailedEvent,
    McpListToolsInProgressEvent,
    OutputAudioBufferClearedEvent,
    OutputAudioBufferStartedEvent,
    OutputAudioBufferStoppedEvent,
    RateLimitsUpdatedEvent,
    ResponseAudioDeltaEvent,
    ResponseAudioDoneEvent,
    ResponseAudioTranscriptDeltaEvent,
    ResponseAudioTranscriptDoneEvent,
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseCreatedEvent,
    ResponseDoneEvent,
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseMcpCallArgumentsDeltaEvent,
    ResponseMcpCallArgumentsDoneEvent,
    ResponseMcpCallCompletedEvent,
    ResponseMcpCallFailedEvent,
    ResponseMcpCallInProgressEvent,
    ResponseOutputAudioDeltaEvent,
    ResponseOutputAudioDoneEvent,
    ResponseOutputAudioTranscriptDeltaEvent,
    ResponseOutputAudioTranscriptDoneEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseOutputTextDeltaEvent,
    ResponseOutputTextDoneEvent,
    ResponseTextDeltaEvent,
    ResponseTextDoneEvent,
    ServerEvent,
    ServerEventBase,
    ServerEventType,
    SessionCreatedEvent,
    SessionUpdatedEvent,
    TranscriptionLanguage,
    TranscriptionTokenDetails,
    TranscriptionUsage,
    UnknownEvent,
)
from voicebridge.realtime.session import (
    INF,
    AnySession,
    ClientSecret,
    IntOrInf,
    Prompt,
    Reasoning,
    RetentionRatio,
    Session,
    TokenLimits,
    TracingConfiguration,
    TranscriptionSession,
    is_inf,
)
from voicebridge.realtime.tooling import (
    FunctionTool,
    McpApprovalFilter,
    McpTool,
    McpToolFilter,
    Tool,
    ToolChoice,
    ToolChoiceFunction,
    ToolChoiceMcp,
)
from voicebridge.realtime.transport import (
    MemoryDialer,
    MemoryTransport,
    MessageType,
    WebSocketConn,
    WebSocketDialer,
    WebsocketsConn,
    WebsocketsDialer,
    WebsocketsOptions,
    default_dialer,
)
from voicebridge.realtime.webhooks import (
    IncomingCall,
    SipHeader,
    WebhookEvent,
    verify_webhook,
)
from voicebridge.realtime.wire import (
    UnknownObject,
)

# The seed library's names for what has one form here.
ClientSession = Session
ServerSession = Session
CreateSessionRequest = Session
EventBase = ClientEvent
InputAudioTranscription = AudioTranscription
MessageContentPart = ContentPart
MessageContentType = ContentType
MessageItemType = ItemType
ToolFunction = ToolChoiceFunction
ToolChoiceString = ToolChoiceMode
ServerToolChoice = ToolChoice
ClientTurnDetection = TurnDetection
ServerTurnDetection = TurnDetection

# fmt: off
__all__ = [
    "AZURE_GA", "AZURE_PREVIEW", "AZURE_PREVIEW_API_VERSION", "BETA", "CLIENT_EVENTS",
    "DEFAULT_BETA_MODEL", "DEFAULT_MODEL", "GA", "GPT_4O_MINI_REALTIME_PREVIEW",
    "GPT_4O_MINI_REALTIME_PREVIEW_20241217", "GPT_4O_MINI_TRANSCRIBE",
    "GPT_4O_MINI_TRANSCRIBE_20251215", "GPT_4O_REALTIME_PREVIEW",
    "GPT_4O_REALTIME_PREVIEW_20241001", "GPT_4O_REALTIME_PREVIEW_20241217",
    "GPT_4O_REALTIME_PREVIEW_20250603", "GPT_4O_TRANSCRIBE", "GPT_4O_TRANSCRIBE_DIARIZE",
    "GPT_AUDIO_1_5", "GPT_AUDIO_MINI", "GPT_AUDIO_MINI_20251006", "GPT_AUDIO_MINI_20251215",
    "GPT_LIVE_TRANSCRIBE", "GPT_REALTIME", "GPT_REALTIME_1_5", "GPT_REALTIME_2",
    "GPT_REALTIME_2_1", "GPT_REALTIME_2_1_MINI", "GPT_REALTIME_20250828", "GPT_REALTIME_MINI",
    "GPT_REALTIME_MINI_20251006", "GPT_REALTIME_MINI_20251215", "GPT_REALTIME_WHISPER",
    "GPT_TRANSCRIBE", "INF", "OPENAI_API_URL_V1", "OPENAI_REALTIME_API_URL_V1", "SERVER_EVENTS",
    "WHISPER_1", "APIType", "AnySession", "AssistantMessage", "Audio", "AudioFormat",
    "AudioFormatObject", "AudioInput", "AudioOutput", "AudioTranscription",
    "CachedTokensDetails", "Client", "ClientConfig", "ClientEvent", "ClientEventType",
    "ClientSecret", "ClientSession", "ClientTurnDetection", "Conn", "ConnClosed", "ConnHandler",
    "ConnOptions", "ConnectError", "Connecting", "ContentPart", "ContentType", "Conversation",
    "ConversationCreatedEvent", "ConversationItemAddedEvent", "ConversationItemCreateEvent",
    "ConversationItemCreatedEvent", "ConversationItemDeleteEvent",
    "ConversationItemDeletedEvent", "ConversationItemDoneEvent",
    "ConversationItemInputAudioTranscriptionCompletedEvent",
    "ConversationItemInputAudioTranscriptionDeltaEvent",
    "ConversationItemInputAudioTranscriptionFailedEvent",
    "ConversationItemInputAudioTranscriptionSegmentEvent", "ConversationItemRetrieveEvent",
    "ConversationItemRetrievedEvent", "ConversationItemTruncateEvent",
    "ConversationItemTruncatedEvent", "CreateSessionRequest", "CreateSessionResponse",
    "Credentials", "DeadlineExceeded", "Dialect", "Eagerness", "Error", "ErrorEvent",
    "EventBase", "Format", "FunctionCall", "FunctionCallOutput", "FunctionTool", "IncomingCall",
    "InputAudioBufferAppendEvent", "InputAudioBufferClearEvent", "InputAudioBufferClearedEvent",
    "InputAudioBufferCommitEvent", "InputAudioBufferCommittedEvent",
    "InputAudioBufferDtmfEventReceivedEvent", "InputAudioBufferSpeechStartedEvent",
    "InputAudioBufferSpeechStoppedEvent", "InputAudioBufferTimeoutTriggeredEvent",
    "InputAudioTranscription", "InputTokenDetails", "IntOrInf", "Item", "ItemReference",
    "ItemStatus", "ItemType", "LogProb", "Logger", "McpApprovalFilter", "McpApprovalRequest",
    "McpApprovalResponse", "McpError", "McpListTools", "McpListToolsCompletedEvent",
    "McpListToolsFailedEvent", "McpListToolsInProgressEvent", "McpTool", "McpToolCall",
    "McpToolDescription", "McpToolFilter", "MemoryDialer", "MemoryTransport",
    "MessageContentPart", "MessageContentType", "MessageItemType", "MessageRole", "MessageType",
    "Modality", "NoiseReduction", "NoiseReductionType", "NopLogger",
    "OutputAudioBufferClearEvent", "OutputAudioBufferClearedEvent",
    "OutputAudioBufferStartedEvent", "OutputAudioBufferStoppedEvent", "OutputTokenDetails",
    "Part", "PermanentError", "Prompt", "RateLimit", "RateLimitsUpdatedEvent", "RealtimeError",
    "RealtimeProtocolError", "Reasoning", "ReasoningEffort", "RequestError", "Response",
    "ResponseAudioDeltaEvent", "ResponseAudioDoneEvent", "ResponseAudioTranscriptDeltaEvent",
    "ResponseAudioTranscriptDoneEvent", "ResponseCancelEvent", "ResponseContentPartAddedEvent",
    "ResponseContentPartDoneEvent", "ResponseCreateEvent", "ResponseCreateParams",
    "ResponseCreatedEvent", "ResponseDoneEvent", "ResponseFunctionCallArgumentsDeltaEvent",
    "ResponseFunctionCallArgumentsDoneEvent", "ResponseMcpCallArgumentsDeltaEvent",
    "ResponseMcpCallArgumentsDoneEvent", "ResponseMcpCallCompletedEvent",
    "ResponseMcpCallFailedEvent", "ResponseMcpCallInProgressEvent",
    "ResponseOutputAudioDeltaEvent", "ResponseOutputAudioDoneEvent",
    "ResponseOutputAudioTranscriptDeltaEvent", "ResponseOutputAudioTranscriptDoneEvent",
    "ResponseOutputItemAddedEvent", "ResponseOutputItemDoneEvent",
    "ResponseOutputTextDeltaEvent", "ResponseOutputTextDoneEvent", "ResponseStatus",
    "ResponseTextDeltaEvent", "ResponseTextDoneEvent", "Rest", "RetentionRatio", "SemanticVad",
    "ServerEvent", "ServerEventBase", "ServerEventHandler", "ServerEventType", "ServerRejected",
    "ServerSession", "ServerToolChoice", "ServerTurnDetection", "ServerVad", "Session",
    "SessionCreatedEvent", "SessionMismatch", "SessionUpdateEvent", "SessionUpdatedEvent",
    "SipHeader", "StatusDetails", "StdLogger", "SystemMessage", "Target", "TokenLimits", "Tool",
    "ToolChoice", "ToolChoiceFunction", "ToolChoiceMcp", "ToolChoiceMode", "ToolChoiceString",
    "ToolFunction", "ToolType", "TracingConfiguration", "TranscriptionLanguage",
    "TranscriptionSession", "TranscriptionTokenDetails", "TranscriptionUsage", "TurnDetection",
    "TurnDetectionType", "UnknownEvent", "UnknownObject", "UnsupportedMessageType",
    "UnsupportedParameter", "Usage", "UserMessage", "Voice", "VoiceId", "WebSocketConn",
    "WebSocketDialer", "WebhookEvent", "WebhookSignatureError", "WebsocketsConn",
    "WebsocketsDialer", "WebsocketsOptions", "default_azure_config", "default_config",
    "default_dialer", "generate_id", "http_do", "input_audio", "input_image", "input_text",
    "is_inf", "is_permanent", "marshal_client_event", "marshal_server_event", "neutral_format",
    "output_text", "permanent", "unmarshal_server_event", "verify_webhook",
]
# fmt: on
