"""``voicebridge serve``: answers real calls until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from voicebridge import __version__, log
from voicebridge.errors import ConfigError
from voicebridge.server.crew.worker import Worker, open_listeners
from voicebridge.server.running import (
    RunningBridge,
    cannot_listen,
    load_switchboard,
    running_bridge,
)
from voicebridge.server.webhooks import VOICE_PATH
from voicebridge.settings import MOST_WORKERS, OPENAI_REALTIME_URL, Settings, load_settings


def run_serve(
    config_dir: Path,
    host: str | None,
    port: int | None,
    *,
    insecure: bool,
    workers: int | None = None,
) -> int:
    """Serve until SIGINT or SIGTERM; raises ``ConfigError`` for settings that cannot be served."""
    settings = _overlaid(load_settings(config_dir), host, port, workers)
    check_security(settings, insecure=insecure)
    log.configure(settings.log.level, settings.log.format, settings.secret_values())
    log.catch_uncaught()
    worker = _one_of_many(settings) if settings.server.workers > 1 else None
    if isinstance(worker, int):
        return worker
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(settings, worker))
    return 0


def _one_of_many(settings: Settings) -> Worker | int:
    """Return a worker in each worker's process, and in the first one the exit status of all."""
    if not hasattr(os, "fork"):
        raise ConfigError("this system cannot have more than one", key="server.workers")
    from voicebridge.server.crew.supervisor import Supervisor, make_crew

    wanted = settings.server
    try:
        crew = make_crew(open_listeners(wanted.host, wanted.port), wanted.workers)
    except OSError as error:
        raise cannot_listen(wanted, error) from None
    _loop_factory()  # loaded here, it is in memory once
    gc.collect()
    gc.freeze()
    return Supervisor(crew, wanted.shutdown_grace_s, partial(print, flush=True)).run()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Choose uvloop where it is: it costs half of asyncio's own loop."""
    try:
        import uvloop
    except ImportError:  # it is not made for Windows
        return None
    return uvloop.new_event_loop


def check_security(settings: Settings, *, insecure: bool) -> None:
    """Refuse to serve strangers: where the carrier cannot be checked, loopback only, on demand."""
    if settings.twilio_auth_token is not None:
        return
    if not insecure:
        raise ConfigError(
            "without it nobody could tell the carrier from a stranger; set it to the account's "
            "auth token, or use --insecure to try the bridge out on this machine",
            key="TWILIO_AUTH_TOKEN",
        )
    if not _is_loopback(settings.server.host):
        raise ConfigError(
            f"--insecure serves this machine only, not {settings.server.host}; "
            "use --host 127.0.0.1",
            key="server.host",
        )


def _overlaid(
    settings: Settings, host: str | None, port: int | None, workers: int | None
) -> Settings:
    told = {"host": host, "port": port, "workers": workers}
    changes = {name: value for name, value in told.items() if value is not None}
    if port is not None and not 0 <= port <= 65535:
        raise ConfigError(f"expected a port from 0 to 65535, got {port}", key="--port")
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise ConfigError(f"expected 1 to {MOST_WORKERS} workers, got {workers}", key="--workers")
    return settings.model_copy(update={"server": settings.server.model_copy(update=changes)})


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _serve(settings: Settings, worker: Worker | None = None) -> None:
    """Serve until told to stop; a worker leaves it to its supervisor to say so."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    if worker is None:
        loop.add_signal_handler(signal.SIGINT, stop.set)
    else:
        worker.watch(stop.set)
    async with _model_for(settings) as dialled:
        switchboard = load_switchboard(dialled, None if worker is None else worker.slot)
        async with running_bridge(switchboard, worker) as bridge:
            # What is loaded now stays: no collection need look at it again.
            gc.collect()
            gc.freeze()
            say = partial(print, flush=True) if worker is None else worker.report
            say(_greeting(settings, bridge))
            await stop.wait()
            if worker is None:
                say(f"stopping: {len(switchboard.calls)} calls go on to their end")


@asynccontextmanager
async def _model_for(settings: Settings) -> AsyncIterator[Settings]:
    """Yield settings that name a model to dial: the embedded one where there is no key."""
    if not _is_embedded(settings):
        yield settings
        return
    from voicebridge.rehearsal.realtime_server import RealtimeServer
    from voicebridge.rehearsal.scenario import standing_agent
    from voicebridge.rehearsal.voice import Voice

    async with RealtimeServer(standing_agent(), Voice(variant="f3")) as server:
        realtime = settings.realtime.model_copy(update={"url": server.url, "dialect": "ga"})
        yield settings.model_copy(update={"realtime": realtime})


def _is_embedded(settings: Settings) -> bool:
    return settings.openai_api_key is None and settings.realtime.url == OPENAI_REALTIME_URL


def _greeting(settings: Settings, bridge: RunningBridge) -> str:
    personas = bridge.switchboard.personas
    names = [f"{name} (default)" if name == personas.default_name else name for name in personas]
    if _is_embedded(settings):
        model = "embedded, with a local voice: OPENAI_API_KEY is not set"
    else:
        model = f"{settings.realtime.shown_url} ({settings.realtime.dialect})"
    checked = settings.twilio_auth_token is not None
    public = settings.public_url or bridge.url
    if checked and settings.public_url:
        step = f"set your number's voice webhook to POST {public}{VOICE_PATH}"
    elif checked:
        step = f"set VOICEBRIDGE_PUBLIC_URL to the address that leads to {bridge.url}"
    else:
        step = "set TWILIO_AUTH_TOKEN and VOICEBRIDGE_PUBLIC_URL to take calls from a real number"
    return "\n".join(
        (
            f"voicebridge {__version__} listens on {bridge.url}",
            f"  model     {model}",
            f"  personas  {', '.join(names)}",
            *([f"  workers   {workers}"] if (workers := settings.server.workers) > 1 else []),
            f"  carrier   {'signatures checked' if checked else 'NOT checked (--insecure)'}",
            f"  next      {step}",
        )
    )
