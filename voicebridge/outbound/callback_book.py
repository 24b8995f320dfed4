"""The calls that were promised: a file to which lines are added, and which outlives a restart.

A line notes a promise, or what became of one. Whoever places calls claims a promise first, in the
file, and only then dials: so it is dialled once at the most, by however many processes that share
the file, and whatever falls over in between. When there are many lines of promises that were kept,
the file is written anew without them.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Literal

import structlog
from pydantic import AwareDatetime, BaseModel, ConfigDict

from voicebridge.errors import VoicebridgeError

try:
    import fcntl
except ImportError:  # not on Windows, where one process serves
    fcntl = None  # type: ignore[assignment]

log = structlog.get_logger(__name__)

MOST_OPEN = 1000
MOST_LINES = 5000
"""With more lines than these, what is over is left out of the file."""

GRACE = timedelta(minutes=15)
"""How late a promised call may be, such as after a restart; later nobody waits for it any more."""

State = Literal["waiting", "dialling", "placed", "refused", "failed", "missed"]
Line = dict[str, object]


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


class TooManyCallbacks(VoicebridgeError):
    """The number, or everybody together, has been promised enough."""


@dataclass(slots=True)
class _Promises:
    """What a file says: every promise, and the state of those that do not wait, by id."""

    all: dict[str, Callback] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    lines: int = 0
    unreadable: int = 0

    @property
    def waiting(self) -> dict[str, Callback]:
        return {id_: one for id_, one in self.all.items() if id_ not in self.states}

    @property
    def uncertain(self) -> dict[str, Callback]:
        """Those of which nobody knows whether they were dialled."""
        return {id_: one for id_, one in self.all.items() if self.states.get(id_) == "dialling"}

    def take_in(self, line: bytes) -> None:
        """Read a line; one that was torn by a crash, or written by hand and wrong, says nothing."""
        self.lines += 1
        try:
            told = json.loads(line)
            id_ = told["id"]
            if "state" not in told:
                self.all[id_] = Callback.model_validate(told)
                self.states.pop(id_, None)
            elif told["state"] == "waiting":
                self.states.pop(id_, None)
            else:
                self.states[id_] = str(told["state"])
        except (ValueError, KeyError, TypeError):
            self.unreadable += 1


class CallbackBook:
    """A file of promises. Its methods block: call them in a thread."""

    def __init__(self, file: Path, per_number: int) -> None:
        self._file, self._per_number = file, per_number
        self._lock = threading.Lock()

    def add(self, callback: Callback) -> None:
        """Note a promise; one that is noted already stays one. Raises ``TooManyCallbacks``."""
        with self._opened() as file:
            promises = _read(file)
            waiting = promises.waiting
            if callback.id in waiting:
                return
            of_number = sum(one.number == callback.number for one in waiting.values())
            if of_number >= self._per_number or len(waiting) >= MOST_OPEN:
                raise TooManyCallbacks
            _write(file, _promise(callback))
            if promises.lines > MOST_LINES:
                self._write_anew(_read(file))

    def claim(self, now: datetime) -> Callback | None:
        """Take the first promise that is due: nobody else gets it, not even after a crash.

        Promises that nobody kept in time are given up.
        """
        with self._opened() as file:
            for callback in sorted(_read(file).waiting.values(), key=lambda one: one.at):
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
            return sorted(_read(file).waiting.values(), key=lambda one: one.at)

    def doubtful(self) -> tuple[int, int]:
        """Count the promises that may or may not have been dialled, and unreadable lines."""
        with self._opened() as file:
            promises = _read(file)
            return len(promises.uncertain), promises.unreadable

    @contextmanager
    def _opened(self) -> Iterator[IO[bytes]]:
        """Have the file to ourselves, among the threads and the processes of this machine."""
        with self._lock:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            # The lock is a file of its own: the book itself may be another file in a moment.
            with self._file.with_name(self._file.name + ".lock").open("ab") as lock:
                if fcntl is not None:
                    fcntl.flock(lock, fcntl.LOCK_EX)
                with self._file.open("a+b") as file:
                    yield file

    def _write_anew(self, promises: _Promises) -> None:
        """Write the file without what is over; at any moment it is whole, the old or the new."""
        part = self._file.with_name(self._file.name + ".new")
        with part.open("wb") as file:
            for callback in promises.waiting.values():
                file.write(_line(_promise(callback)))
            for callback in promises.uncertain.values():
                file.write(_line(_promise(callback)) + _line(_state(callback, "dialling")))
            file.flush()
            os.fsync(file.fileno())
        part.replace(self._file)


def _promise(callback: Callback) -> Line:
    return {"id": callback.id, **callback.model_dump(mode="json")}


def _state(callback: Callback, state: State) -> Line:
    return {"id": callback.id, "state": state}


def _line(told: Line) -> bytes:
    return json.dumps(told, ensure_ascii=False).encode() + b"\n"


def _read(file: IO[bytes]) -> _Promises:
    promises = _Promises()
    file.seek(0)
    for line in file:
        promises.take_in(line)
    return promises


def _write(file: IO[bytes], told: Line) -> None:
    """Add a line, after one that was torn as well; it is on the disk when this returns."""
    line = _line(told)
    if file.seek(0, os.SEEK_END):
        file.seek(-1, os.SEEK_END)
        line = line if file.read(1) == b"\n" else b"\n" + line
    file.write(line)
    file.flush()
    os.fsync(file.fileno())
