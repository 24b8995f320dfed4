"""The calls that were promised: a file to which lines are added, and which outlives a restart.

A line notes a promise, or what became of one. Whoever places calls claims a promise first, in the
file, and only then dials: so it is dialled once at the most, by however many processes that share
the file, and whatever falls over in between.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Literal

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

try:
    import fcntl
except ImportError:  # not on Windows, where one process serves
    fcntl = None  # type: ignore[assignment]

log = structlog.get_logger(__name__)

MOST_OPEN = 1000
GRACE = timedelta(minutes=15)
"""How late a promised call may be, such as after a restart; later nobody waits for it any more."""

State = Literal["waiting", "dialling", "placed", "refused", "failed", "missed"]


class Callback(BaseModel):
    """A promised call. ``id`` tells apart what was promised to a number for a time."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    number: str
    at: AwareDatetime
    persona: str
    about: str
    promised_in: str

    @property
    def id(self) -> str:
        """Name the promise: two of one number for one time are the same."""
        return f"{self.number}@{self.at.timestamp():.0f}"


class TooManyCallbacks(Exception):
    """The number, or everybody together, has been promised enough."""


class CallbackBook:
    """A file of promises. Its methods block: call them in a thread."""

    def __init__(self, file: Path, per_number: int) -> None:
        self._file, self._per_number = file, per_number
        self._lock = threading.Lock()

    def add(self, callback: Callback) -> None:
        """Note a promise; one that is noted already stays one. Raises ``TooManyCallbacks``."""
        with self._opened() as file:
            waiting = _read(file)[0]
            if callback.id in waiting:
                return
            of_number = sum(one.number == callback.number for one in waiting.values())
            if of_number >= self._per_number or len(waiting) >= MOST_OPEN:
                raise TooManyCallbacks
            _write(file, {"id": callback.id, **callback.model_dump(mode="json")})

    def claim(self, now: datetime) -> Callback | None:
        """Take the first promise that is due: nobody else gets it, not even after a crash.

        Promises that nobody kept in time are given up.
        """
        with self._opened() as file:
            waiting = _read(file)[0]
            for callback in sorted(waiting.values(), key=lambda one: one.at):
                if callback.at > now:
                    break
                if callback.at + GRACE < now:
                    _write(file, _state(callback, "missed"))
                    log.warning("callback_missed", at=callback.at.isoformat())
                    continue
                _write(file, _state(callback, "dialling"))
                return callback
        return None

    def settle(self, callback: Callback, state: State, **told: str) -> None:
        """Note what became of a promise; ``waiting`` is one that was claimed and not dialled."""
        with self._opened() as file:
            _write(file, {**_state(callback, state), **told})

    def waiting(self) -> list[Callback]:
        """Return the promises that are still to be kept, the next one first."""
        with self._opened() as file:
            return sorted(_read(file)[0].values(), key=lambda one: one.at)

    def uncertain(self) -> int:
        """Count the promises of which nobody knows whether they were dialled."""
        with self._opened() as file:
            return sum(state == "dialling" for state in _read(file)[1].values())

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        """Have the file to ourselves, among the threads and the processes of this machine."""
        with self._lock:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a+b") as file:
                if fcntl is not None:
                    fcntl.flock(file, fcntl.LOCK_EX)
                yield file


def _state(callback: Callback, state: State) -> dict[str, str]:
    return {"id": callback.id, "state": state}


def _read(file: IO[bytes]) -> tuple[dict[str, Callback], dict[str, str]]:
    """Return the promises that wait, and the state of all others by their id."""
    waiting: dict[str, Callback] = {}
    states: dict[str, str] = {}
    known: dict[str, Callback] = {}
    file.seek(0)
    for line in file:
        told = _parsed(line)
        id_ = str(told.get("id", ""))
        if "state" in told:
            waiting.pop(id_, None)
            states[id_] = str(told["state"])
            if told["state"] == "waiting" and id_ in known:
                waiting[id_] = known[id_]
        elif id_:
            try:
                waiting[id_] = known[id_] = Callback.model_validate(told)
            except ValidationError:
                log.warning("callback_unreadable", id=id_[:60])
    return waiting, states


def _parsed(line: bytes) -> dict[str, object]:
    """Read a line; one that was torn by a crash, or written by hand and wrong, says nothing."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) else {}


def _write(file: IO[bytes], told: dict[str, str]) -> None:
    """Add a line, after one that was torn as well; it is on the disk when this returns."""
    line = json.dumps(told, ensure_ascii=False).encode() + b"\n"
    if file.seek(0, os.SEEK_END):
        file.seek(-1, os.SEEK_END)
        line = line if file.read(1) == b"\n" else b"\n" + line
    file.write(line)
    file.flush()
    os.fsync(file.fileno())
