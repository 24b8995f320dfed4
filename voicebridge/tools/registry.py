"""Know the tools by name, and find those that a persona lists."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Protocol

import structlog

from voicebridge import __version__
from voicebridge.errors import ConfigError
from voicebridge.tools.builtin.call_actions import CALL_ACTIONS
from voicebridge.tools.builtin.hang_up import hang_up
from voicebridge.tools.builtin.opening_hours import opening_hours_tool
from voicebridge.tools.plugins import Found, Origin, load_dotted, unknown
from voicebridge.tools.tool import Tool

log = structlog.get_logger(__name__)


class Running(Protocol):
    """Something that tools need and that lives as long as the bridge, such as connections."""

    def running(self) -> AbstractAsyncContextManager[None]: ...


class ToolServer(Running, Protocol):
    """A server whose tools come and go with its connection."""

    name: str
    version: str
    missing: tuple[str, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all its tools, whether they can be had now or not."""

    def tool(self, name: str) -> Tool | None:
        """Return one of them, or None while it cannot be had."""

    async def until_connected(self) -> bool:
        """Wait a bounded time for the tools; tells whether they are there."""


class ToolRegistry:
    """Hold tools by name; a dotted path ``package.module:function`` is loaded when it is named."""

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, tuple[Tool, Origin]] = {}
        self._servers: dict[str, ToolServer] = {}
        self._dotted: dict[str, Found] = {}
        self._lives: list[Running] = []
        for tool in tools:
            self.add(tool)

    @classmethod
    def with_builtins(cls) -> ToolRegistry:
        """Make a registry of the tools that come with the package."""
        registry = cls()
        for tool in (hang_up, opening_hours_tool(), *CALL_ACTIONS):
            registry.add(tool, Origin("voicebridge", __version__))
        return registry

    def add(self, tool: Tool, origin: Origin | None = None) -> None:
        """Add a tool; raises ConfigError when another one has its name."""
        self._check_free(tool.name)
        self._tools[tool.name] = (tool, origin or Origin(tool.function.__module__))

    def add_server(self, server: ToolServer) -> None:
        """Add a server's tools; raises ConfigError when one of the names is taken."""
        for name in server.names:
            self._check_free(name)
            self._servers[name] = server
        self.keep_running(server)

    def keep_running(self, life: Running) -> None:
        """Add something that is to live as long as the tools are used."""
        self._lives.append(life)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep connections that tools need for the length of the context."""
        async with AsyncExitStack() as stack:
            for life in self._lives:
                await stack.enter_async_context(life.running())
            servers = dict.fromkeys(self._servers.values())
            await asyncio.gather(*(server.until_connected() for server in servers))
            yield

    def names(self) -> list[str]:
        """Return the names of all tools, sorted."""
        return sorted({*self._tools, *self._servers})

    def origin_of(self, name: str) -> Origin:
        """Say where a tool of this name or dotted path comes from."""
        if ":" in name:
            return self._load(name)[0][1]
        if name in self._servers:
            server = self._servers[name]
            return Origin(f"mcp {server.name}", server.version)
        return self._tools[name][1]

    def get(self, name: str) -> Tool | None:
        """Return the tool of this name or dotted path, or None while its server is away.

        Raises ConfigError with the nearest name when there is none.
        """
        if ":" in name:
            return self._load(name)[0][0]
        if name in self._servers:
            return self._servers[name].tool(name)
        if name not in self._tools:
            raise ConfigError(unknown("tool", name, self.names()))
        return self._tools[name][0]

    def missing(self, names: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
        """Return the variables that tools need and that are not set, by the tool's name."""
        needs: dict[str, tuple[str, ...]] = {}
        for name in names:
            tool = None if name in self._servers else self.get(name)
            needs[name] = self._servers[name].missing if tool is None else tool.missing
        return {name: variables for name, variables in needs.items() if variables}

    def for_persona(self, names: Iterable[str]) -> tuple[Tool, ...]:
        """Return the tools that a persona lists, without those whose server is away now.

        The ConfigError's key is as in ``tools[1]``.
        """
        found, errors = self._find(names)
        if errors:
            raise errors[0][1]
        away = [name for name, tool in found.items() if tool is None]
        if away:
            log.warning("tools_left_out", tools=away)
        return tuple(tool for tool in found.values() if tool is not None)

    def errors_of(self, names: Iterable[str]) -> list[tuple[int, ConfigError]]:
        """Return everything that is wrong with a persona's list, with the place in the list."""
        return self._find(names)[1]

    def _find(
        self, names: Iterable[str]
    ) -> tuple[dict[str, Tool | None], list[tuple[int, ConfigError]]]:
        found: dict[str, Tool | None] = {}
        errors: list[tuple[int, ConfigError]] = []
        for index, name in enumerate(names):
            key = f"tools[{index}]"
            try:
                tool = self.get(name)
            except ConfigError as error:
                errors.append((index, ConfigError(error.message, key=key)))
                continue
            known_as = name if tool is None else tool.name
            if known_as in found:
                twice = f"the tool '{known_as}' is listed twice"
                errors.append((index, ConfigError(twice, key=key)))
            found.setdefault(known_as, tool)
        return found, errors

    def _load(self, dotted: str) -> Found:
        if dotted not in self._dotted:
            self._dotted[dotted] = load_dotted(dotted)
        return self._dotted[dotted]

    def _check_free(self, name: str) -> None:
        if name in self._tools or name in self._servers:
            raise ConfigError(f"there are two tools named '{name}'; rename one")
