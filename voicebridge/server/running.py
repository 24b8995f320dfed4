"""A bridge that runs: from settings to a listening server, and down again in good manners."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from voicebridge.bridge.caller_keys import check_keys
from voicebridge.errors import ConfigError
from voicebridge.outbound.tool import add_opt_out
from voicebridge.personas.library import PersonaLibrary
from voicebridge.personas.loader import PersonaBook
from voicebridge.personas.persona import Persona
from voicebridge.personas.routing import ROUTING_FILE
from voicebridge.realtime import Client, ClientConfig
from voicebridge.server.app import create_app
from voicebridge.server.door import DoorRunner
from voicebridge.server.keys import PENDING
from voicebridge.server.switchboard import Switchboard
from voicebridge.settings import Settings
from voicebridge.tools.loading import tools_of
from voicebridge.tools.registry import ToolRegistry

SHUTDOWN_WITHIN_S = 5.0
KEEPALIVE_S = 75.0
"""How long a connection may lie idle between two requests; longer than a proxy lets it."""


@dataclass(frozen=True, slots=True)
class RunningBridge:
    """A bridge that listens; ``url`` is its address here, without a path."""

    url: str
    switchboard: Switchboard


def load_switchboard(settings: Settings) -> Switchboard:
    """Load personas and tools and make a switchboard of them; raises ``ConfigError``."""
    tools = tools_of(settings.config_dir, settings.tools.plugins, settings.tool_secrets)
    add_opt_out(tools, settings.outbound.opt_out_file)
    library = PersonaLibrary(
        settings.config_dir / "personas",
        settings.default_persona,
        routing=settings.config_dir / ROUTING_FILE,
        accept=partial(_check_tools, settings, tools),
    )
    return Switchboard(settings, library, tools, client_for(settings))


def _check_tools(settings: Settings, tools: ToolRegistry, personas: PersonaBook) -> None:
    """Make sure before the next call that every tool a persona names is there, and set up."""
    for stem, persona in personas.items():
        try:
            _check_set_up(settings, tools, persona)
        except ConfigError as error:
            raise ConfigError(error.message, file=f"{stem}.yaml", key=error.key) from error


def _check_set_up(settings: Settings, tools: ToolRegistry, persona: Persona) -> None:
    for _, error in tools.errors_of(persona.tools):
        raise error
    check_keys(persona, tools)
    for name, variables in tools.missing(persona.tools).items():
        raise ConfigError(f"the tool '{name}' needs {_not_set(variables)}", key="tools")
    if persona.mcp_servers and settings.realtime.dialect == "beta":
        raise ConfigError("the beta dialect knows no MCP servers", key="mcp_servers")
    for server in persona.mcp_servers:
        missing = [name for name in server.variables if name not in settings.tool_secrets]
        if missing:
            words = f"the server '{server.label}' needs {_not_set(missing)}"
            raise ConfigError(words, key="mcp_servers")


def _not_set(variables: Iterable[str]) -> str:
    return f"{', '.join(variables)}, which the environment does not have"


def client_for(settings: Settings) -> Client:
    """Make the client that dials the realtime server of the settings."""
    key = settings.openai_api_key
    return Client(
        ClientConfig(
            auth_token=key.get_secret_value() if key else "",
            base_url=settings.realtime.url,
            dialect=settings.realtime.dialect,
            transport=settings.realtime.transport,
        )
    )


@asynccontextmanager
async def running_bridge(switchboard: Switchboard) -> AsyncIterator[RunningBridge]:
    """Listen for the length of the context; calls come to their end before it closes."""
    wanted = switchboard.settings.server
    app = create_app(switchboard)
    runner = DoorRunner(
        app,
        app[PENDING],
        access_log=None,
        shutdown_timeout=SHUTDOWN_WITHIN_S,
        keepalive_timeout=KEEPALIVE_S,
    )
    await runner.setup()
    try:
        site = web.TCPSite(runner, wanted.host, wanted.port)
        try:
            await site.start()
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {wanted.host}:{wanted.port}: {error.strerror}; "
                "is another bridge running? Choose another --port",
                key="server.port",
            ) from None
        port = runner.addresses[0][1]
        async with switchboard.tools.running():
            yield RunningBridge(f"http://{wanted.host}:{port}", switchboard)
            await switchboard.drain()
    finally:
        await switchboard.early.close()
        await switchboard.greetings.close()
        await runner.cleanup()
