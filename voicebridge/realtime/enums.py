"""Closed lists of the Realtime API: models, voices, formats, states.

Every enum is a ``str``, so a member and its wire spelling are interchangeable. Fields of events
are plain ``str``: a value that this page does not know yet is passed on, never refused.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Final

OPENAI_REALTIME_API_URL_V1: Final = "wss://api.openai.com/v1/realtime"
OPENAI_API_URL_V1: Final = "https://api.openai.com/v1"
AZURE_PREVIEW_API_VERSION: Final = "2024-10-01-preview"

# Models (OpenAI Realtime, section 1.6). Any other string is as good.
GPT_REALTIME_2_1: Final = "gpt-realtime-2.1"
GPT_REALTIME_2_1_MINI: Final = "gpt-realtime-2.1-mini"
GPT_REALTIME_2: Final = "gpt-realtime-2"
GPT_REALTIME_1_5: Final = "gpt-realtime-1.5"
GPT_REALTIME: Final = "gpt-realtime"
GPT_REALTIME_20250828: Final = "gpt-realtime-2025-08-28"
GPT_REALTIME_MINI: Final = "gpt-realtime-mini"
GPT_REALTIME_MINI_20251006: Final = "gpt-realtime-mini-2025-10-06"
GPT_REALTIME_MINI_20251215: Final = "gpt-realtime-mini-2025-12-15"
GPT_AUDIO_1_5: Final = "gpt-audio-1.5"
GPT_AUDIO_MINI: Final = "gpt-audio-mini"
GPT_AUDIO_MINI_20251006: Final = "gpt-audio-mini-2025-10-06"
GPT_AUDIO_MINI_20251215: Final = "gpt-audio-mini-2025-12-15"
# Transcription models.
GPT_LIVE_TRANSCRIBE: Final = "gpt-live-transcribe"
GPT_REALTIME_WHISPER: Final = "gpt-realtime-whisper"
GPT_TRANSCRIBE: Final = "gpt-transcribe"
WHISPER_1: Final = "whisper-1"
GPT_4O_TRANSCRIBE: Final = "gpt-4o-transcribe"
GPT_4O_TRANSCRIBE_DIARIZE: Final = "gpt-4o-transcribe-diarize"
GPT_4O_MINI_TRANSCRIBE: Final = "gpt-4o-mini-transcribe"
GPT_4O_MINI_TRANSCRIBE_20251215: Final = "gpt-4o-mini-transcribe-2025-12-15"
# Shut down at OpenAI; kept for servers that still speak the beta dialect.
GPT_4O_REALTIME_PREVIEW: Final = "gpt-4o-realtime-preview"
GPT_4O_REALTIME_PREVIEW_20241001: Final = "gpt-4o-realtime-preview-2024-10-01"
GPT_4O_REALTIME_PREVIEW_20241217: Final = "gpt-4o-realtime-preview-2024-12-17"
GPT_4O_REALTIME_PREVIEW_20250603: Final = "gpt-4o-realtime-preview-2025-06-03"
GPT_4O_MINI_REALTIME_PREVIEW: Final = "gpt-4o-mini-realtime-preview"
GPT_4O_MINI_REALTIME_PREVIEW_20241217: Final = "gpt-4o-mini-realtime-preview-2024-12-17"

DEFAULT_MODEL: Final = GPT_REALTIME_2_1
DEFAULT_BETA_MODEL: Final = GPT_4O_REALTIME_PREVIEW


class APIType(Enum):
    """Whose URL and headers are used."""

    OPENAI = "OPEN_AI"
    AZURE = "AZURE"


class AudioFormat(StrEnum):
    """Audio encodings by their neutral names; each dialect spells them its own way."""

    PCM16 = "pcm16"
    """24 kHz, 16 bit little-endian, mono."""
    G711_ULAW = "g711_ulaw"
    """8 kHz, one byte a sample, mono; what telephones speak."""
    G711_ALAW = "g711_alaw"


FORMAT_TYPES: Final = {
    "audio/pcm": AudioFormat.PCM16,
    "audio/pcmu": AudioFormat.G711_ULAW,
    "audio/pcma": AudioFormat.G711_ALAW,
}
"""GA's types of format objects, by their neutral names."""


class Modality(StrEnum):
    """What a response is made of. GA takes one of them; audio always brings its transcript."""

    TEXT = "text"
    AUDIO = "audio"


class Voice(StrEnum):
    """Built-in voices (section 1.6); ``MARIN`` and ``CEDAR`` exist in GA only."""

    ALLOY = "alloy"
    ASH = "ash"
    BALLAD = "ballad"
    CORAL = "coral"
    ECHO = "echo"
    SAGE = "sage"
    SHIMMER = "shimmer"
    VERSE = "verse"
    MARIN = "marin"
    CEDAR = "cedar"


class ItemStatus(StrEnum):
    """How far an item has got."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"


class ItemType(StrEnum):
    """Kinds of conversation items."""

    MESSAGE = "message"
    FUNCTION_CALL = "function_call"
    FUNCTION_CALL_OUTPUT = "function_call_output"
    MCP_LIST_TOOLS = "mcp_list_tools"
    MCP_CALL = "mcp_call"
    MCP_APPROVAL_REQUEST = "mcp_approval_request"
    MCP_APPROVAL_RESPONSE = "mcp_approval_response"
    ITEM_REFERENCE = "item_reference"


class MessageRole(StrEnum):
    """Who speaks in a message."""

    SYSTEM = "system"
    ASSISTANT = "assistant"
    USER = "user"


class ContentType(StrEnum):
    """Kinds of content parts.

    Items use the ``input_``/``output_`` names; ``part.type`` of the content part events is
    ``text`` or ``audio`` in both dialects.
    """

    INPUT_TEXT = "input_text"
    INPUT_AUDIO = "input_audio"
    INPUT_IMAGE = "input_image"
    OUTPUT_TEXT = "output_text"
    OUTPUT_AUDIO = "output_audio"
    TEXT = "text"
    AUDIO = "audio"
    TRANSCRIPT = "transcript"


class ResponseStatus(StrEnum):
    """How far a response has got, or how it ended."""

    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    INCOMPLETE = "incomplete"
    FAILED = "failed"


class TurnDetectionType(StrEnum):
    """Who finds the end of a turn. ``NONE`` appears in server objects only: to switch turn
    detection off, send null.
    """

    NONE = "none"
    SERVER_VAD = "server_vad"
    SEMANTIC_VAD = "semantic_vad"


class Eagerness(StrEnum):
    """How soon semantic turn detection takes a pause for the end."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    AUTO = "auto"


class NoiseReductionType(StrEnum):
    """Where the microphone is: at the mouth or in the room."""

    NEAR_FIELD = "near_field"
    FAR_FIELD = "far_field"


class ToolType(StrEnum):
    """Kinds of tools."""

    FUNCTION = "function"
    MCP = "mcp"


class ToolChoiceMode(StrEnum):
    """How the model chooses a tool when none is named."""

    AUTO = "auto"
    NONE = "none"
    REQUIRED = "required"


class ReasoningEffort(StrEnum):
    """How hard a reasoning model thinks."""

    MINIMAL = "minimal"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"
