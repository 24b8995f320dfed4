"""Tools a session offers to the model, and how the model chooses among them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Tag

from voicebridge.realtime.wire import Bool, TaggedModel, UnknownObject, WireModel, tag_by_type


class FunctionTool(TaggedModel):
    """A function of ours; ``parameters`` is a JSON schema."""

    type: Literal["function"] = "function"
    name: str | None = None
    description: str | None = None
    parameters: Any = None


class McpToolFilter(WireModel):
    """Tools of an MCP server, by name or by being read-only."""

    read_only: Bool | None = None
    tool_names: list[str] | None = None


class McpApprovalFilter(WireModel):
    """Which tools of an MCP server need our approval."""

    always: McpToolFilter | None = None
    never: McpToolFilter | None = None


class McpTool(TaggedModel):
    """An MCP server whose tools the realtime server calls by itself."""

    type: Literal["mcp"] = "mcp"
    server_label: str
    server_url: str | None = None
    connector_id: str | None = None
    tunnel_id: str | None = None
    server_description: str | None = None
    authorization: str | None = None
    headers: dict[str, str] | None = None
    allowed_tools: list[str] | McpToolFilter | None = None
    allowed_callers: list[str] | None = None
    require_approval: str | McpApprovalFilter | None = None
    defer_loading: Bool | None = None


Tool: TypeAlias = Annotated[
    Annotated[FunctionTool, Tag("function")]
    | Annotated[McpTool, Tag("mcp")]
    | Annotated[UnknownObject, Tag("unknown")],
    Discriminator(tag_by_type("function", "mcp")),
]


class ToolChoiceFunction(TaggedModel):
    """Make the model call this function."""

    type: Literal["function"] = "function"
    name: str


class ToolChoiceMcp(TaggedModel):
    """Make the model call a tool of this MCP server."""

    type: Literal["mcp"] = "mcp"
    server_label: str
    name: str | None = None


ToolChoice: TypeAlias = Annotated[
    Annotated[str, Tag("text")]
    | Annotated[ToolChoiceFunction, Tag("function")]
    | Annotated[ToolChoiceMcp, Tag("mcp")]
    | Annotated[UnknownObject, Tag("unknown")],
    Discriminator(tag_by_type("function", "mcp")),
]
"""A ``ToolChoiceMode`` or a named tool; the same union in what we send and what we get."""
