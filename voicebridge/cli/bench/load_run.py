"""One run under load: a generator on one core, what it measures on another, one line of figures."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import yaml

from voicebridge.errors import VoicebridgeError
from voicebridge.rehearsal.load_figures import LoadFigures, figures_from
from voicebridge.rehearsal.load_generator import DIAL_EVERY_S, Order
from voicebridge.rehearsal.load_process import memory_kb
from voicebridge.settings import FILE_NAME, process_environment

START_WITHIN_S = 30.0
END_WITHIN_S = 20.0
IDLE_AFTER_S = 0.5
CERTIFICATE_DAYS = 2
_OURS = ("OPENAI_", "VOICEBRIDGE_", "TWILIO_")


class BenchError(VoicebridgeError):
    """A run that could not be made."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """A program to be measured; ``{model_url}`` in its command is put in."""

    name: str
    command: Sequence[str]
    with_environment: bool = True


@dataclass(frozen=True, slots=True)
class Ground:
    """Where the runs are made: a folder for what they leave, the cores, a certificate for TLS."""

    folder: Path
    bridge_core: int
    generator_core: int
    certificate: Path | None = None


def bridge(folder: Path, config_dir: Path, most_calls: int) -> Contestant:
    """Make a contestant of our own bridge, with a configuration that takes that many calls."""
    config = folder / "config"
    shutil.copytree(config_dir / "personas", config / "personas", dirs_exist_ok=True)
    written = yaml.safe_load((config_dir / FILE_NAME).read_text(encoding="utf-8")) or {}
    server = written.setdefault("server", {})
    server |= {"max_calls": max(most_calls, server.get("max_calls", 0)), "shutdown_grace_s": 0}
    (config / FILE_NAME).write_text(yaml.safe_dump(written), encoding="utf-8")
    serve = (sys.executable, "-m", "voicebridge", "serve", "--insecure", "--port", "0")
    return Contestant("voicebridge", (*serve, "--config", str(config)))


async def run_once(one: Contestant, ground: Ground, calls: int, seconds: float) -> LoadFigures:
    """Measure a contestant once; raises ``BenchError`` if it or the generator cannot be run."""
    generator = _generator(ground)
    log = (ground.folder / f"{one.name}.log").open("wb")
    with log:
        async with _running(generator, {}, log.fileno()) as playing:
            model_url = json.loads(await _line(playing, START_WITHIN_S))["model_url"]
            command = [part.replace("{model_url}", model_url) for part in one.command]
            environment = {"VOICEBRIDGE_REALTIME_URL": model_url, "OPENAI_API_KEY": "bench"}
            if ground.certificate is not None:
                environment["SSL_CERT_FILE"] = str(ground.certificate)
            async with _running(command, environment, log.fileno()) as measured:
                os.sched_setaffinity(measured.pid, {ground.bridge_core})
                port = await _port(measured)
                await asyncio.sleep(IDLE_AFTER_S)
                order = Order(calls, seconds, port, measured.pid, memory_kb(measured.pid))
                if playing.stdin is not None:
                    playing.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
                within_s = seconds + calls * DIAL_EVERY_S * 3 + END_WITHIN_S
                return figures_from(json.loads(await _line(playing, within_s)))


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


def _generator(ground: Ground) -> list[str]:
    command = [sys.executable, "-m", "voicebridge.rehearsal.load_generator"]
    certificate = [str(ground.certificate)] if ground.certificate else []
    return [*command, str(ground.generator_core), *certificate]


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


async def _line(process: Process, within_s: float) -> bytes:
    line = b""
    try:
        async with asyncio.timeout(within_s):
            if process.stdout is not None:
                line = await process.stdout.readline()
    except TimeoutError:
        raise BenchError(f"a process of the bench said nothing within {within_s:g} s") from None
    if not line:
        raise BenchError("a process of the bench ended before its time; see the logs in --out")
    return line


async def _port(process: Process) -> int:
    while True:
        found = re.search(rb"listens on http://\S+:(\d+)", await _line(process, START_WITHIN_S))
        if found:
            return int(found[1])
