"""Greetings that were spoken before: said at once while the model connects.

Only a greeting of fixed words can be said twice. It is kept after it was heard whole for the first
time, by what it depends on: the voice, the model, the speed and the words.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections import OrderedDict
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from voicebridge.call.greeting import LONGEST_BYTES, SpokenGreeting
from voicebridge.personas.outside import names_in
from voicebridge.personas.persona import Persona

log = structlog.get_logger(__name__)

MOST_KEPT = 64


@dataclass(frozen=True, slots=True)
class GreetingKey:
    """What the sound of a greeting depends on."""

    voice: str
    model: str
    speed: float | None
    words: str

    @property
    def file_name(self) -> str:
        """The name under which it is kept on disk."""
        told = json.dumps([self.voice, self.model, self.speed, self.words])
        return hashlib.sha256(told.encode()).hexdigest()[:32] + ".ulaw"


def greeting_key(persona: Persona, model: str) -> GreetingKey | None:
    """Return the key of a persona's greeting; None if it has no words of its own.

    Words with a value that a call brings are said to one caller only.
    """
    if persona.greeting is None or persona.greeting.say is None:
        return None
    if names_in(persona.greeting.say):
        return None
    return GreetingKey(persona.voice, model, persona.speed, persona.greeting.say)


class GreetingCache:
    """Greetings in memory, and in ``directory`` if there is one."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._kept: OrderedDict[GreetingKey, bytes] = OrderedDict()
        self._busy: set[asyncio.Task[None]] = set()

    def find(self, key: GreetingKey) -> SpokenGreeting | None:
        """Return a greeting from memory, without waiting."""
        audio = self._kept.get(key)
        if audio is None:
            return None
        self._kept.move_to_end(key)
        return SpokenGreeting(key.words, audio)

    def prefetch(self, key: GreetingKey) -> None:
        """Begin to bring a greeting from disk into memory, for a call whose stream is to come."""
        if self._directory is not None and key not in self._kept:
            self._start(self._load(key, self._directory / key.file_name))

    async def _load(self, key: GreetingKey, path: Path) -> None:
        if audio := await asyncio.to_thread(_read, path):
            self._keep(key, audio)

    def keep(self, key: GreetingKey, audio: bytes) -> None:
        """Keep a greeting for later calls."""
        self._keep(key, audio)
        if self._directory is not None:
            path = self._directory / key.file_name
            self._start(asyncio.to_thread(_write, path, audio))

    async def close(self) -> None:
        """Wait until all is read and written."""
        if self._busy:
            await asyncio.wait(self._busy)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    def _keep(self, key: GreetingKey, audio: bytes) -> None:
        self._kept[key] = audio
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            audio = file.read(LONGEST_BYTES + 1)
    except FileNotFoundError:
        return b""
    except OSError as error:
        log.warning("greeting_not_read", error=str(error))
        return b""
    return audio if len(audio) <= LONGEST_BYTES else b""


def _write(path: Path, audio: bytes) -> None:
    """Write a file whole or not at all: another process may read it."""
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(audio)
        part.replace(path)
    except OSError as error:
        log.warning("greeting_not_kept", error=str(error))
