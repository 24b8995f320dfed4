"""What a client may send in the GA dialect, read strictly (OpenAI Realtime, section 2)."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from voicebridge.rehearsal.session_config import (
    AudioFormat,
    CustomVoice,
    Modalities,
    Strict,
    TokenLimit,
    Tool,
    ToolChoice,
)

ItemId = Annotated[str, Field(min_length=1, max_length=32)]


class InputText(Strict):
    """Written words of the user or the system."""

    type: Literal["input_text"]
    text: str


class InputAudio(Strict):
    """Spoken words of the user, base64."""

    type: Literal["input_audio"]
    audio: str
    transcript: str | None = None


class InputImage(Strict):
    """A picture by data URL."""

    type: Literal["input_image"]
    image_url: str
    detail: Literal["auto", "low", "high"] = "auto"


class OutputText(Strict):
    """Words of the assistant from before; its audio cannot be put in by a client."""

    type: Literal["output_text"]
    text: str


class _NewItem(Strict):
    id: ItemId | None = None
    object: Literal["realtime.item"] | None = None
    status: Literal["completed", "incomplete", "in_progress"] | None = None


class _Message(_NewItem):
    type: Literal["message"]


class SystemMessage(_Message):
    """What the system says."""

    role: Literal["system"]
    content: list[InputText]


class UserMessage(_Message):
    """What the user says."""

    role: Literal["user"]
    content: list[
        Annotated[InputText | InputAudio | InputImage, Field(discriminator="type")]
    ]  # fmt: skip


class AssistantMessage(_Message):
    """What the assistant has said."""

    role: Literal["assistant"]
    content: list[OutputText]


class FunctionCall(_NewItem):
    """A call from before."""

    type: Literal["function_call"]
    name: str
    arguments: str
    call_id: ItemId | None = None


class FunctionCallOutput(_NewItem):
    """What a tool gave back."""

    type: Literal["function_call_output"]
    call_id: str
    output: str


class ItemReference(Strict):
    """An item that the conversation has already."""

    type: Literal["item_reference"]
    id: str


Message = Annotated[SystemMessage | UserMessage | AssistantMessage, Field(discriminator="role")]
NewItem = Annotated[Message | FunctionCall | FunctionCallOutput, Field(discriminator="type")]
ContextItem = Annotated[
    Message | FunctionCall | FunctionCallOutput | ItemReference, Field(discriminator="type")
]


class ResponseOutput(Strict):
    """How one response sounds."""

    format: AudioFormat | None = None
    voice: str | CustomVoice | None = None


class ResponseAudio(Strict):
    """The audio part of a response's own settings."""

    output: ResponseOutput = ResponseOutput()


class ResponseParams(Strict):
    """What one response does otherwise than the session."""

    conversation: Literal["auto", "none"] = "auto"
    input: list[ContextItem] | None = None
    instructions: str | None = None
    output_modalities: Modalities | None = None
    audio: ResponseAudio = ResponseAudio()
    max_output_tokens: TokenLimit | None = None
    metadata: dict[str, Annotated[str, Field(max_length=512)]] | None = Field(
        default=None, max_length=16
    )
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    prompt: dict[str, Any] | None = None
    reasoning: dict[str, Any] | None = None


class _ClientEvent(Strict):
    type: str
    event_id: str | None = None


class SessionUpdate(_ClientEvent):
    """``session.update``; the session itself is read by session_config."""

    session: dict[str, Any]


class Bare(_ClientEvent):
    """An event that says nothing but its type."""


class ItemCreate(_ClientEvent):
    """``conversation.item.create``."""

    item: NewItem
    previous_item_id: str | None = None


class ItemNamed(_ClientEvent):
    """``conversation.item.delete`` and ``conversation.item.retrieve``."""

    item_id: str


class ItemTruncate(_ClientEvent):
    """``conversation.item.truncate``."""

    item_id: str
    content_index: Annotated[int, Field(ge=0)]
    audio_end_ms: Annotated[int, Field(ge=0)]


class ResponseCreate(_ClientEvent):
    """``response.create``."""

    response: ResponseParams = ResponseParams()


class ResponseCancel(_ClientEvent):
    """``response.cancel``."""

    response_id: str | None = None
