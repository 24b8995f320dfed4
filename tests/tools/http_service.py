"""A service for HTTP tools to call, and a resolver that tells names as a test wishes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import SecretStr

from voicebridge.personas.yaml_lines import load_model
from voicebridge.tools.context import CallContext
from voicebridge.tools.http import HttpSender
from voicebridge.tools.http_file import HttpToolFile
from voicebridge.tools.loading import http_tool
from voicebridge.tools.tool import Tool

CONTEXT = CallContext(
    call_id="CA1", caller="+15550100001", called="+15550100002", persona="desk", hang_up=print
)


class Names(AbstractResolver):
    """Answer names from a table; each answer is a list, and the last one stays."""

    def __init__(self, table: Mapping[str, list[list[str]]] | None = None) -> None:
        self.table = {name: list(answers) for name, answers in (table or {}).items()}
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        if host not in self.table:  # numbers in any notation, as the system reads them
            return await self._system(host, port)
        answers = self.table[host]
        now = answers.pop(0) if len(answers) > 1 else answers[0]
        return [_result(host, port, address) for address in now]

    async def _system(self, host: str, port: int) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        numeric = socket.AI_NUMERICHOST
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=numeric)
        except socket.gaierror:
            # Whatever name is left leads home: a guard that trusts names would be seen.
            return [_result(host, port, "127.0.0.1")]
        return [_result(host, port, str(each[4][0])) for each in found]

    async def close(self) -> None:
        pass


def _result(host: str, port: int, address: str) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(
        hostname=host, host=address, port=port, family=family, proto=0, flags=socket.AI_NUMERICHOST
    )


@asynccontextmanager
async def served(
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]], host: str = "127.0.0.1"
) -> AsyncIterator[int]:
    """Serve every path with ``handler``; yields the port."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", r"/{path:[\s\S]*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def made(
    folder: Path, text: str, sender: HttpSender, secrets: Mapping[str, str] | None = None
) -> Tool:
    """Make the tool ``lookup`` of a file with this text."""
    file = folder / "lookup.yaml"
    file.write_text(text)
    kept: dict[str, SecretStr] = {name: SecretStr(value) for name, value in (secrets or {}).items()}
    return http_tool("lookup", load_model(file, HttpToolFile), sender, kept)


async def invoked(tool: Tool, arguments: str, sender: HttpSender, context: Any = CONTEXT) -> str:
    """Invoke a tool with its connections open."""
    async with sender.running():
        return await tool.invoke(arguments, context)
