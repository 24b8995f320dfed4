"""One run under load: a generator on one core, what it measures on another, one line of figures."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from voicebridge.errors import VoicebridgeError
from voicebridge.rehearsal.load_figures import LoadFigures, figures_from
from voicebridge.rehearsal.load_generator import DIAL_EVERY_S, Order
from voicebridge.rehearsal.load_process import memory
from voicebridge.settings import process_environment

START_WITHIN_S = 30.0
END_WITHIN_S = 20.0
IDLE_AFTER_S = 0.5
CERTIFICATE_DAYS = 2
GENERATOR = "voicebridge.rehearsal.load_generator"
_OURS = ("OPENAI_", "VOICEBRIDGE_", "TWILIO_")


class BenchError(VoicebridgeError):
    """A run that could not be made."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A program to be measured; ``{model_url}`` in its command is put in."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the runs are made: a folder for what they leave, the cores, a certificate for TLS."""

    folder: Path
    bridge_core: int
    generator_core: int
    certificate: Path | None = None


async def run_once(one: Contestant, ground: Ground, calls: int, seconds: float) -> LoadFigures:
    """Measure a contestant once; raises ``BenchError`` if it or the generator cannot be run."""
    async with at_work(one, ground, GENERATOR) as (playing, measured, port):
        await asyncio.sleep(IDLE_AFTER_S)
        order = Order(calls, seconds, port, measured.pid, memory(measured.pid))
        if playing.stdin is not None:
            playing.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        within_s = seconds + calls * DIAL_EVERY_S * 3 + END_WITHIN_S
        return figures_from(json.loads(await line_of(playing, within_s)))


@asynccontextmanager
async def at_work(
    one: Contestant, ground: Ground, generator: str
) -> AsyncIterator[tuple[Process, Process, int]]:
    """Run a generator, and beside it a contestant: gives both, and the contestant's port.

    ``generator`` is the module of its process. Raises ``BenchError``.
    """
    certificate = [str(ground.certificate)] if ground.certificate else []
    command = [sys.executable, "-m", generator, str(ground.generator_core), *certificate]
    path = ground.folder / f"{one.name}.log"
    with path.open("wb") as log, _with_last_words(path):
        async with _running(command, {}, log.fileno()) as playing:
            model_url = json.loads(await line_of(playing, START_WITHIN_S))["model_url"]
            command = [part.replace("{model_url}", model_url) for part in one.command]
            environment = {"VOICEBRIDGE_REALTIME_URL": model_url, "OPENAI_API_KEY": "bench"}
            environment |= one.environment
            if ground.certificate is not None:
                environment["SSL_CERT_FILE"] = str(ground.certificate)
            async with _running(command, environment, log.fileno()) as measured:
                os.sched_setaffinity(measured.pid, {ground.bridge_core})
                yield playing, measured, await _port(measured)


@contextmanager
def _with_last_words(log: Path) -> Iterator[None]:
    """Add to a ``BenchError`` what the processes have written last."""
    try:
        yield
    except BenchError as error:
        lines = log.read_text("utf-8", "replace").strip().splitlines()
        raise BenchError(f"{error}: {lines[-1] if lines else 'no word of it'}") from None


async def certificate_in(folder: Path) -> Path:
    """Make a certificate for the model server, key and all; raises ``BenchError``."""
    made = folder / "model.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-days", str(CERTIFICATE_DAYS)]
    command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    try:
        made_by = await asyncio.create_subprocess_exec(*command, stderr=PIPE)
        async with asyncio.timeout(START_WITHIN_S):
            _, said = await made_by.communicate()
    except (OSError, TimeoutError) as error:
        raise BenchError(f"--tls needs openssl to make a certificate: {error}") from None
    if made_by.returncode:
        raise BenchError(f"openssl made no certificate: {said.decode(errors='replace')[-200:]}")
    made.write_bytes((folder / "key.pem").read_bytes() + (folder / "cert.pem").read_bytes())
    return made


@asynccontextmanager
async def _running(
    command: Sequence[str], environment: Mapping[str, str], log: int | None
) -> AsyncIterator[Process]:
    """Run a process for the length of the context, without settings of whoever starts us."""
    inherited = {
        name: value for name, value in process_environment().items() if not name.startswith(_OURS)
    }
    process = await asyncio.create_subprocess_exec(
        *command, stdin=PIPE, stdout=PIPE, stderr=log, env={**inherited, **environment}
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                async with asyncio.timeout(END_WITHIN_S):
                    await process.wait()
            except TimeoutError:
                process.kill()
                await process.wait()


async def line_of(process: Process, within_s: float) -> bytes:
    """Read a line of a process; raises ``BenchError`` if none comes in time, or none at all."""
    line = b""
    try:
        async with asyncio.timeout(within_s):
            if process.stdout is not None:
                line = await process.stdout.readline()
    except TimeoutError:
        raise BenchError(f"a process of the bench said nothing within {within_s:g} s") from None
    if not line:
        raise BenchError("a process of the bench ended before its time")
    return line


async def _port(process: Process) -> int:
    while True:
        found = re.search(rb"listens on http://\S+:(\d+)", await line_of(process, START_WITHIN_S))
        if found:
            return int(found[1])
