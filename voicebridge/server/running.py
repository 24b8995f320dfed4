"""A bridge that runs: from settings to a listening server, and down again in good manners."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from voicebridge.errors import ConfigError
from voicebridge.personas.loader import PersonaBook, load_personas
from voicebridge.realtime import Client, ClientConfig
from voicebridge.server.app import create_app
from voicebridge.server.switchboard import Switchboard
from voicebridge.settings import Settings
from voicebridge.tools.registry import ToolRegistry

SHUTDOWN_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True)
class RunningBridge:
    """A bridge that listens; ``url`` is its address here, without a path."""

    url: str
    switchboard: Switchboard


def load_switchboard(settings: Settings) -> Switchboard:
    """Load personas and tools and make a switchboard of them; raises ``ConfigError``."""
    personas = load_personas(settings.config_dir / "personas", settings.default_persona)
    return Switchboard(settings, personas, _tools(personas), _client(settings))


def _tools(personas: PersonaBook) -> ToolRegistry:
    """Make sure before the first call that every tool a persona names is there."""
    tools = ToolRegistry.with_builtins()
    for persona in personas.values():
        tools.for_persona(persona.tools)
    return tools


def _client(settings: Settings) -> Client:
    key = settings.openai_api_key
    return Client(
        ClientConfig(
            auth_token=key.get_secret_value() if key else "",
            base_url=settings.realtime.url,
            dialect=settings.realtime.dialect,
        )
    )


@asynccontextmanager
async def running_bridge(switchboard: Switchboard) -> AsyncIterator[RunningBridge]:
    """Listen for the length of the context; calls come to their end before it closes."""
    wanted = switchboard.settings.server
    runner = web.AppRunner(
        create_app(switchboard), access_log=None, shutdown_timeout=SHUTDOWN_WITHIN_S
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
        yield RunningBridge(f"http://{wanted.host}:{port}", switchboard)
        await switchboard.drain()
    finally:
        await runner.cleanup()
