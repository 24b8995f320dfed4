"""The personas of a folder as they are now: a changed file is taken up by the next call."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import structlog

from voicebridge.errors import ConfigError
from voicebridge.personas.loader import PersonaBook, load_personas

log = structlog.get_logger(__name__)

CHECK_EVERY_S = 1.0

_Stamp = frozenset[tuple[str, int, int, int]]


def _accept(_book: PersonaBook) -> None:
    return None


class PersonaLibrary:
    """Read the personas, and read them again when a file has changed.

    A change that cannot be used is refused as a whole: it is logged once, with what is wrong, and
    the personas stay as they were. A file that is removed is a change, too.
    """

    def __init__(
        self,
        directory: Path,
        default: str | None = None,
        *,
        routing: Path | None = None,
        accept: Callable[[PersonaBook], None] = _accept,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Load what is there; raises ConfigError.

        ``accept`` raises ConfigError for personas that cannot be used for a reason of its own.
        """
        self._directory, self._default, self._routing = directory, default, routing
        self._accept, self._clock = accept, clock
        self._lock = threading.Lock()
        self._checked_at = clock()
        self._stamp = self._stamped()
        self._book = self._load()

    @property
    def book(self) -> PersonaBook:
        """Return the personas as they were last read."""
        return self._book

    def current(self) -> PersonaBook:
        """Return the personas as they are now; looks at the files at most once a second.

        Blocks while it reads: call it in a thread. It may be called in several at once.
        """
        with self._lock:
            if self._clock() - self._checked_at >= CHECK_EVERY_S:
                self._checked_at = self._clock()
                self._take_up_changes()
            return self._book

    def _take_up_changes(self) -> None:
        stamp = self._stamped()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._book = self._load()
        except ConfigError as error:
            log.error("personas_refused", error=str(error))  # noqa: TRY400 - a file, not a bug
        else:
            log.info("personas_taken_up", personas=sorted(self._book))

    def _load(self) -> PersonaBook:
        book = load_personas(self._directory, self._default, self._routing)
        self._accept(book)
        return book

    def _stamped(self) -> _Stamp:
        """Tell by size and times, without reading them, which files are there."""
        files = [*self._directory.rglob("*.y*ml"), *filter(None, [self._routing])]
        stamps = []
        for file in files:
            try:
                stat = file.stat()
            except OSError:  # removed meanwhile, or not there
                continue
            stamps.append((str(file), stat.st_mtime_ns, stat.st_size, stat.st_ino))
        return frozenset(stamps)
