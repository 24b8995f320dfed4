"""A bridge that runs: from settings to a listening server, and down again in good manners."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from voicebridge.bridge.caller_keys import check_keys
from voicebridge.errors import ConfigError
from voicebridge.outbound.set_up import (
    UntilTheEnd,
    add_outbound_tools,
    carrier_for,
    faults,
    key_faults,
)
from voicebridge.personas.library import PersonaLibrary
from voicebridge.personas.loader import PersonaBook
from voicebridge.personas.persona import Persona
from voicebridge.personas.routing import ROUTING_FILE
from voicebridge.realtime import Client, ClientConfig
from voicebridge.server.app import create_app
from voicebridge.server.colleagues import Colleagues
from voicebridge.server.crew.board import Slot
from voicebridge.server.crew.worker import Worker
from voicebridge.server.door import BACKLOG, DoorRunner
from voicebridge.server.keys import PENDING
from voicebridge.server.switchboard import Switchboard
from voicebridge.settings import Server, Settings
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


def load_switchboard(settings: Settings, slot: Slot | None = None) -> Switchboard:
    """Load personas and tools and make a switchboard of them; raises ``ConfigError``.

    ``slot`` is what it shares with other workers, if there are any.
    """
    tools = tools_of(settings.config_dir, settings.tools.plugins, settings.tool_secrets)
    carrier = carrier_for(settings)
    add_outbound_tools(tools, settings, carrier)
    library = PersonaLibrary(
        settings.config_dir / "personas",
        settings.default_persona,
        routing=settings.config_dir / ROUTING_FILE,
        accept=partial(_check_tools, settings, tools),
    )
    switchboard = Switchboard(settings, library, tools, client_for(settings), slot)
    if carrier is not None:
        switchboard.colleagues = Colleagues(carrier)
        tools.keep_running(UntilTheEnd(switchboard.colleagues))
    return switchboard


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
    for error in (*faults(persona, settings), *key_faults(persona, settings)):
        raise error
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


async def _listen(runner: DoorRunner, wanted: Server, worker: Worker | None) -> None:
    if worker is not None:
        for listener in worker.listeners:
            await web.SockSite(runner, listener, backlog=BACKLOG).start()
        return
    try:
        await web.TCPSite(runner, wanted.host, wanted.port, backlog=BACKLOG).start()
    except OSError as error:
        raise cannot_listen(wanted, error) from None


def cannot_listen(wanted: Server, error: OSError) -> ConfigError:
    """Say why the port is not to be had."""
    return ConfigError(
        f"cannot listen on {wanted.host}:{wanted.port}: {error.strerror}; "
        "is another bridge running? Choose another --port",
        key="server.port",
    )


@asynccontextmanager
async def running_bridge(
    switchboard: Switchboard, worker: Worker | None = None
) -> AsyncIterator[RunningBridge]:
    """Listen for the length of the context; calls come to their end before it closes.

    A worker listens where its crew does, and takes in what the others hand over.
    """
    app, wanted = create_app(switchboard, worker), switchboard.settings.server
    runner = DoorRunner(
        app,
        app[PENDING],
        access_log=None,
        shutdown_timeout=SHUTDOWN_WITHIN_S,
        keepalive_timeout=KEEPALIVE_S,
    )
    await runner.setup()
    try:
        await _listen(runner, wanted, worker)
        port = runner.addresses[0][1]
        async with AsyncExitStack() as stack:
            if worker is not None:
                await stack.enter_async_context(worker.taking_in(runner.handlers))
            await stack.enter_async_context(switchboard.tools.running())
            await stack.enter_async_context(switchboard.recordings.sweeping())
            yield RunningBridge(f"http://{wanted.host}:{port}", switchboard)
            if worker is not None:
                worker.leave()
            await switchboard.drain()
            if worker is not None:
                for site in list(runner.sites):
                    await site.stop()
                await worker.see_off(app[PENDING])
    finally:
        await switchboard.early.close()
        await switchboard.greetings.close()
        await runner.cleanup()
        switchboard.recordings.close()
