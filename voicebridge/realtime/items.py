"""Conversation items and their content parts (OpenAI Realtime, section 2.3).

An item or part of an unknown type is an ``UnknownObject``: it never makes its event malformed.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from voicebridge.realtime.enums import ContentType
from voicebridge.realtime.wire import (
    Bool,
    Int,
    TaggedModel,
    UnknownObject,
    WireModel,
    field_of,
    tag_by_type,
)


class ContentPart(WireModel):
    """One part of a message: text, audio with its transcript, or an image.

    ``audio`` is base64, ``image_url`` a data URL. Which fields belong to which ``type``: see
    ``ContentType``.
    """

    type: str | None = None
    text: str | None = None
    audio: str | None = None
    transcript: str | None = None
    image_url: str | None = None
    detail: str | None = None


_tag_part = tag_by_type(*ContentType)

Part: TypeAlias = Annotated[
    Annotated[ContentPart, Tag("known")] | Annotated[UnknownObject, Tag("unknown")],
    Discriminator(lambda value: "known" if _tag_part(value) != "unknown" else "unknown"),
]


def input_text(text: str) -> ContentPart:
    """Make the text part of a user's or system message."""
    return ContentPart(type="input_text", text=text)


def input_audio(audio: str) -> ContentPart:
    """Make the audio part of a user's message from base64 text in the session's input format."""
    return ContentPart(type="input_audio", audio=audio)


def input_image(image_url: str) -> ContentPart:
    """Make the image part of a user's message from a ``data:`` URL."""
    return ContentPart(type="input_image", image_url=image_url)


def output_text(text: str) -> ContentPart:
    """Make the text part of an assistant message, as used to replay history."""
    return ContentPart(type="output_text", text=text)


class SystemMessage(TaggedModel):
    """Words of the operator in mid-conversation."""

    always_written = ("type", "role")

    type: Literal["message"] = "message"
    role: Literal["system"] = "system"
    content: list[Part]
    id: str | None = None
    object: str | None = None
    status: str | None = None


class UserMessage(TaggedModel):
    """Words, audio or images of the caller."""

    always_written = ("type", "role")

    type: Literal["message"] = "message"
    role: Literal["user"] = "user"
    content: list[Part]
    id: str | None = None
    object: str | None = None
    status: str | None = None


class AssistantMessage(TaggedModel):
    """What the model said; audio of it cannot be created by a client, text can."""

    always_written = ("type", "role")

    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    content: list[Part]
    id: str | None = None
    object: str | None = None
    status: str | None = None


class FunctionCall(TaggedModel):
    """The model's wish to have a function called.

    ``arguments`` is JSON text, cut short where ``status`` is ``incomplete``.
    """

    type: Literal["function_call"] = "function_call"
    name: str | None = None
    arguments: str = ""
    call_id: str | None = None
    id: str | None = None
    object: str | None = None
    status: str | None = None


class FunctionCallOutput(TaggedModel):
    """Our answer to a function call; ``output`` is free text, JSON by custom."""

    type: Literal["function_call_output"] = "function_call_output"
    call_id: str
    output: str
    id: str | None = None
    object: str | None = None
    status: str | None = None


class McpToolDescription(WireModel):
    """A tool as an MCP server lists it."""

    name: str
    input_schema: Any = None
    annotations: Any = None
    description: str | None = None


class McpListTools(TaggedModel):
    """The tools of one MCP server."""

    type: Literal["mcp_list_tools"] = "mcp_list_tools"
    server_label: str
    tools: list[McpToolDescription] = Field(default_factory=list)
    id: str | None = None


class McpError(WireModel):
    """Why an MCP call failed: ``protocol_error``, ``tool_execution_error`` or ``http_error``."""

    type: str | None = None
    code: Int | None = None
    message: str | None = None


class McpToolCall(TaggedModel):
    """A call that the server itself makes to an MCP server."""

    type: Literal["mcp_call"] = "mcp_call"
    id: str | None = None
    server_label: str
    name: str
    arguments: str
    approval_request_id: str | None = None
    output: str | None = None
    error: McpError | None = None


class McpApprovalRequest(TaggedModel):
    """The server asks whether it may call an MCP tool."""

    type: Literal["mcp_approval_request"] = "mcp_approval_request"
    id: str
    server_label: str
    name: str
    arguments: str


class McpApprovalResponse(TaggedModel):
    """Our answer to an approval request."""

    type: Literal["mcp_approval_response"] = "mcp_approval_response"
    id: str
    approval_request_id: str
    approve: Bool
    reason: str | None = None


class ItemReference(TaggedModel):
    """An item that the conversation has already, named in the input of a response."""

    type: Literal["item_reference"] = "item_reference"
    id: str


_ROLES = frozenset({"system", "user", "assistant"})
_tag_other_item = tag_by_type(
    "function_call", "function_call_output", "mcp_list_tools", "mcp_call",
    "mcp_approval_request", "mcp_approval_response", "item_reference",
)  # fmt: skip


def _tag_item(value: Any) -> str:
    """Name the kind of an item; one with null where its kind has a value is kept raw."""
    if isinstance(value, UnknownObject):
        return "unknown"
    kind = field_of(value, "type")
    if kind == "message":
        role = field_of(value, "role")
        known = isinstance(role, str) and role in _ROLES and field_of(value, "content") is not None
        return role if known else "unknown"
    if kind == "function_call" and isinstance(value, dict):
        return "unknown" if value.get("arguments", "") is None else kind
    if kind == "function_call_output":
        answered = None not in (field_of(value, "call_id"), field_of(value, "output"))
        return kind if answered else "unknown"
    return _tag_other_item(value)


Item: TypeAlias = Annotated[
    Annotated[SystemMessage, Tag("system")]
    | Annotated[UserMessage, Tag("user")]
    | Annotated[AssistantMessage, Tag("assistant")]
    | Annotated[FunctionCall, Tag("function_call")]
    | Annotated[FunctionCallOutput, Tag("function_call_output")]
    | Annotated[McpListTools, Tag("mcp_list_tools")]
    | Annotated[McpToolCall, Tag("mcp_call")]
    | Annotated[McpApprovalRequest, Tag("mcp_approval_request")]
    | Annotated[McpApprovalResponse, Tag("mcp_approval_response")]
    | Annotated[ItemReference, Tag("item_reference")]
    | Annotated[UnknownObject, Tag("unknown")],
    Discriminator(_tag_item),
]
