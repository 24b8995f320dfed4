"""Offer tools of an MCP server, over a connection that is held for the process's life.

Connections belong to the bridge and not to a call: a caller does not wait for one. One that is
lost is opened again, at once and then ever less often; until then its tools are left out of new
calls, and a running call is told so in words.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import anyio
import httpx2
import structlog
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CONNECTION_CLOSED, CallToolResult, TextContent
from mcp.types import Tool as ServersTool
from pydantic import SecretStr

from voicebridge.errors import ToolFailed
from voicebridge.personas.references import filled_in
from voicebridge.personas.yaml_faults import did_you_mean
from voicebridge.tools.data import clean, cleaned
from voicebridge.tools.mcp_file import McpServerFile, offered_name
from voicebridge.tools.schema import AnyArguments
from voicebridge.tools.tool import Tool

log = structlog.get_logger(__name__)

CONNECT_WITHIN_S = 10.0
ANSWER_WITHIN_S = 120.0
LONGEST_PAUSE_S = 30.0
MOST_PAGES = 20
_LONGEST_DESCRIPTION, _LONGEST_ERROR = 1024, 500

# A server may hold a stream of events open for minutes without a word.
_HTTP_TIMEOUT = httpx2.Timeout(CONNECT_WITHIN_S, read=300.0)

# What a call raises when the connection goes away under it.
_GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, RuntimeError, TimeoutError)


class McpServer:
    """One MCP server and those of its tools that are offered."""

    def __init__(self, name: str, file: McpServerFile, secrets: Mapping[str, SecretStr]) -> None:
        self.name, self.version = name, ""
        self.missing = tuple(each for each in file.variables if each not in secrets)
        self._file, self._secrets = file, secrets
        self._tools: dict[str, Tool] = {}
        self._client: Client | None = None
        self._lost = asyncio.Event()
        self._connected = asyncio.Event()

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names by which personas list the tools, whether it is connected or not."""
        return tuple(offered_name(self.name, tool) for tool in self._file.tools)

    def tool(self, name: str) -> Tool | None:
        """Return a tool of ``names``, or None while it cannot be offered."""
        return self._tools.get(name) if self._client is not None else None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold the connection for the length of the context."""
        if self.missing:
            yield
            return
        holder = asyncio.create_task(self._hold(), name=f"mcp {self.name}")
        try:
            yield
        finally:
            holder.cancel()
            await asyncio.wait({holder})
            self._connected.clear()

    async def until_connected(self) -> bool:
        """Wait a bounded time for a connection; tells whether there is one."""
        if self.missing:
            return False
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                await self._connected.wait()
        except TimeoutError:
            return False
        return True

    async def call(self, tool: str, arguments: dict[str, Any]) -> Any:
        """Call a tool by the server's name for it; raises ToolFailed in words for the model."""
        if self._client is None:
            raise ToolFailed(f"{tool} cannot be reached now. Tell the caller, or try again.")
        try:
            result = await self._client.call_tool(tool, arguments, ANSWER_WITHIN_S)
        except MCPError as error:
            if error.code == CONNECTION_CLOSED:
                self._lost.set()
                raise self._gone(tool) from None
            raise ToolFailed(f"{tool} failed: {_short(error.message, _LONGEST_ERROR)}") from None
        except _GONE:
            self._lost.set()
            raise self._gone(tool) from None
        if result.is_error:
            raise ToolFailed(f"{tool} failed: {_short(_told_text(result), _LONGEST_ERROR)}")
        told = result.structured_content
        return _told_text(result) if told is None else told

    def _gone(self, tool: str) -> ToolFailed:
        return ToolFailed(
            f"{tool} went away before it answered, and may have done it or not. Tell the caller."
        )

    # --- the connection -----------------------------------------------------------------------

    async def _hold(self) -> None:
        """Connect again and again; each connection is a task, so that none can end the bridge."""
        pause_s = 0.0
        while True:
            connection = asyncio.create_task(self._connection(), name=f"mcp {self.name}")
            try:
                await asyncio.wait({connection})
            finally:
                connection.cancel()
                await asyncio.wait({connection})
            had_one = self._connected.is_set()
            self._connected.clear()
            fault = None if connection.cancelled() else connection.exception()
            log.warning("mcp_connection_lost", server=self.name, fault=_kind(fault))
            pause_s = 0.0 if had_one else min(LONGEST_PAUSE_S, max(0.5, 2 * pause_s))
            await asyncio.sleep(pause_s)

    async def _connection(self) -> None:
        self._lost = asyncio.Event()
        transport = _Noticed(self._transport(), self._lost)
        async with asyncio.timeout(CONNECT_WITHIN_S) as deadline, Client(transport) as client:
            await self._learn(client)
            deadline.reschedule(None)
            self._client = client
            self._connected.set()
            log.info("mcp_connected", server=self.name, tools=sorted(self._tools))
            try:
                await self._lost.wait()
            finally:
                self._client = None

    @asynccontextmanager
    async def _transport(self) -> AsyncIterator[Any]:
        file = self._file
        if file.command is not None:
            env = {name: filled_in(text, self._secrets) for name, text in file.env.items()}
            command = StdioServerParameters(
                command=file.command[0], args=list(file.command[1:]), env=env
            )
            async with stdio_client(command, errlog=sys.stderr) as streams:
                yield streams
            return
        headers = {name: filled_in(text, self._secrets) for name, text in file.headers.items()}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=_HTTP_TIMEOUT) as http,
            streamable_http_client(file.url or "", http_client=http) as streams,
        ):
            yield streams

    async def _learn(self, client: Client) -> None:
        """Take over what the server says of the tools that are offered."""
        known: dict[str, ServersTool] = {}
        cursor = None
        for _ in range(MOST_PAGES):
            page = await client.list_tools(cursor=cursor)
            known |= {tool.name: tool for tool in page.tools}
            cursor = page.next_cursor
            if cursor is None:
                break
        for name in self._file.tools.keys() - known.keys():
            log.error(
                "mcp_tool_unknown", server=self.name, tool=name, hint=did_you_mean(name, known)
            )
        self._tools = {
            offered_name(self.name, name): self._offer(known[name])
            for name in self._file.tools
            if name in known
        }
        self.version = client.server_info.version if client.server_info else ""

    def _offer(self, tool: ServersTool) -> Tool:
        name = offered_name(self.name, tool.name)
        schema: dict[str, Any] = cleaned(tool.input_schema)
        return Tool(
            name,
            _short(tool.description or tool.title or tool.name, _LONGEST_DESCRIPTION),
            _Call(self, tool.name).run,
            AnyArguments(name, schema),
            self._file.tools[tool.name],
        )


@dataclass(frozen=True, slots=True)
class _Call:
    """The function of one tool."""

    server: McpServer
    tool: str

    async def run(self, arguments: dict[str, Any]) -> Any:
        return await self.server.call(self.tool, arguments)


class _Noticed:
    """A transport that says when its stream has ended: a client would learn it by a call only."""

    def __init__(self, transport: AbstractAsyncContextManager[Any], lost: asyncio.Event) -> None:
        self._transport, self._lost = transport, lost

    async def __aenter__(self) -> Any:
        read, write = await self._transport.__aenter__()
        return _NoticedStream(read, self._lost), write

    async def __aexit__(self, *error: Any) -> bool | None:
        return await self._transport.__aexit__(*error)


class _NoticedStream:
    """The reading end of a transport."""

    def __init__(self, stream: Any, lost: asyncio.Event) -> None:
        self._stream, self._lost = stream, lost

    @property
    def last_context(self) -> Any:
        return getattr(self._stream, "last_context", None)

    async def receive(self) -> Any:
        try:
            return await self._stream.receive()
        except anyio.EndOfStream:
            self._lost.set()
            raise

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> _NoticedStream:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._stream.__anext__()
        except StopAsyncIteration:
            self._lost.set()
            raise

    async def __aenter__(self) -> _NoticedStream:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> bool | None:
        left: bool | None = await self._stream.__aexit__(*error)
        return left


def _told_text(result: CallToolResult) -> str:
    parts = [
        part.text if isinstance(part, TextContent) else f"[{part.type} left out]"
        for part in result.content
    ]
    return "\n".join(parts)


def _short(text: str, longest: int) -> str:
    text = clean(text[: 4 * longest])
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _kind(fault: BaseException | None) -> str:
    """Name what went wrong, without its message, which may hold a URL or a header."""
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    return "the stream ended" if fault is None else type(fault).__name__
