"""``voicebridge serve`` as a process of its own, with a configuration and records of its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
START_WITHIN_S = 20.0
END_WITHIN_S = 30.0
OURS = ("OPENAI_", "VOICEBRIDGE_", "TWILIO_")

Environment = dict[str, str]


class ServeProcess:
    """A process that serves; ``url`` is the address it has printed."""

    def __init__(self, process: asyncio.subprocess.Process, config: Path) -> None:
        self._process, self._config = process, config
        self.url = ""
        self.printed: list[str] = []

    @property
    def pid(self) -> int:
        return self._process.pid

    async def until_listening(self) -> None:
        """Read what it prints until it names its address and what to do next."""
        assert self._process.stdout is not None
        async with asyncio.timeout(START_WITHIN_S):
            while not (self.printed and self.printed[-1].startswith("  next")):
                line = (await self._process.stdout.readline()).decode()
                assert line, f"ended without serving: {self.printed}"
                self.printed.append(line)
                if found := re.search(r"listens on (http://\S+)", line):
                    self.url = found[1]

    async def next_line(self) -> str:
        """Read the next line that it prints."""
        assert self._process.stdout is not None
        async with asyncio.timeout(START_WITHIN_S):
            return (await self._process.stdout.readline()).decode()

    def terminate(self) -> None:
        """Ask it to stop, as a supervisor does."""
        self._process.send_signal(signal.SIGTERM)

    async def end(self) -> tuple[int, str, str]:
        """Wait for its end; return the exit code, all that it printed, and its log."""
        async with asyncio.timeout(END_WITHIN_S):
            printed, log = await self._process.communicate()
        assert self._process.returncode is not None
        return self._process.returncode, "".join(self.printed) + printed.decode(), log.decode()

    def records(self) -> list[dict[str, Any]]:
        """Read all records that it has written."""
        files = sorted((self._config / "records").glob("*/record.json"))
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]


def write_config(folder: Path, server: str = "shutdown_grace_s: 0") -> Path:
    """Write a configuration with the shipped personas and records beside it."""
    config = folder / "config"
    shutil.copytree(ROOT / "config" / "personas", config / "personas")
    (config / "voicebridge.yaml").write_text(
        f"server: {{{server}}}\nrecords: {{directory: {json.dumps(str(config / 'records'))}}}\n",
        encoding="utf-8",
    )
    return config


@asynccontextmanager
async def started(
    config: Path, *arguments: str, environment: Environment | None = None
) -> AsyncIterator[ServeProcess]:
    """Start ``voicebridge serve``; it is ended with the context in any case."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "voicebridge", "serve", "--config", str(config), *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**inherited, **(environment or {})},
        cwd=ROOT,
        limit=2**20,
    )
    try:
        yield ServeProcess(process, config)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@asynccontextmanager
async def serving(
    config: Path, *arguments: str, environment: Environment | None = None
) -> AsyncIterator[ServeProcess]:
    """Start ``voicebridge serve`` on a free port and wait until it listens."""
    async with started(config, "--port", "0", *arguments, environment=environment) as serve:
        await serve.until_listening()
        yield serve
