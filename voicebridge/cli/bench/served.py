"""``voicebridge serve`` as a process of its own, on a core of its own, for a bench."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from voicebridge.errors import ConfigError
from voicebridge.settings import process_environment

AUTH_TOKEN = "bench-auth-token"  # noqa: S105 - both ends are ours
API_KEY = "bench-api-key"
START_WITHIN_S = 20.0
END_WITHIN_S = 20.0
LOG_NAME = "bridge.log"
"""Where in its configuration's folder the bridge's log goes."""

_FOREIGN = ("OPENAI_", "VOICEBRIDGE_", "TWILIO_")


def spare_core() -> int | None:
    """Choose a core for the bridge; None where there is no other, or nothing can be pinned."""
    if not hasattr(os, "sched_setaffinity"):
        return None
    cores = sorted(os.sched_getaffinity(0))
    return cores[-1] if len(cores) > 1 else None


@contextmanager
def beside(core: int | None) -> Iterator[None]:
    """Keep this process off the bridge's core meanwhile."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, before - {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def write_config(folder: Path, personas: dict[str, dict[str, object]], max_calls: int) -> Path:
    """Write a configuration: settings and personas (JSON is YAML); records go beside them."""
    config = folder / "config"
    (config / "personas").mkdir(parents=True)
    settings = {
        "server": {"shutdown_grace_s": 0, "max_calls": max_calls},
        "records": {"directory": str(folder / "records")},
        "log": {"level": "warning"},
        "default_persona": min(personas),
    }
    (config / "voicebridge.yaml").write_text(json.dumps(settings), encoding="utf-8")
    for name, persona in personas.items():
        path = config / "personas" / f"{name}.yaml"
        path.write_text(json.dumps(persona), encoding="utf-8")
    return config


@asynccontextmanager
async def served(
    config: Path, model_url: str, core: int | None, times: Path | None = None
) -> AsyncIterator[str]:
    """Serve a configuration and give the address; the process ends with the context.

    With ``times`` it has a stopwatch (see ``timed_serve``), and its times are there afterwards.
    Raises ``ConfigError`` if it does not begin to serve.
    """
    if times is None:
        program = ["voicebridge", "serve", "--config", str(config), "--port", "0"]
    else:
        program = ["voicebridge.cli.bench.timed_serve", str(config), str(times)]
    ours = {key: v for key, v in process_environment().items() if not key.startswith(_FOREIGN)}
    theirs = {
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "OPENAI_API_KEY": API_KEY,
        "VOICEBRIDGE_REALTIME_URL": model_url,
    }
    with (config / LOG_NAME).open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *program),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env={**ours, **theirs},
        )
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    try:
        url = await _address(process)
        if url is None:
            said = await asyncio.to_thread((config / LOG_NAME).read_text, "utf-8", "replace")
            why = said.strip().splitlines()[-1:] or ["no word of it"]
            raise ConfigError(f"the bridge did not start: {why[0]}")
        yield url
    finally:
        await _end(process)


async def _address(process: asyncio.subprocess.Process) -> str | None:
    if process.stdout is None:
        return None
    async with asyncio.timeout(START_WITHIN_S):
        while line := (await process.stdout.readline()).decode():
            if found := re.search(r"listens on (http://\S+)", line):
                return found[1]
    return None


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(END_WITHIN_S):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
