"""The process that minds a node's workers: it starts them, starts crashed ones again, stops all.

It answers no call and runs no event loop: it sleeps until a worker dies, a signal comes or a worker
is due to be started. Workers are forked from it, so that what it has loaded is in memory once, and
one that crashed is back at once. It tries again with growing patience; only when no worker is left
that answers calls, and one could not be started so many times in a row, does it give up.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import structlog

from voicebridge.errors import VoicebridgeError
from voicebridge.server.crew.board import Board, State
from voicebridge.server.crew.handover import make_inbox
from voicebridge.server.crew.worker import MOST_REPORT_BYTES, Crew, Worker

log = structlog.get_logger(__name__)

STEADY_S = 10.0
"""A worker that has lived so long was no failure: it is started again at once."""

FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
MOST_FAILED_STARTS = 5
STOPPED_WITHIN_S = 25.0
"""How long workers may take to end, besides the grace of their calls."""

EXIT_CONFIG = 2
_STOPS = (signal.SIGTERM, signal.SIGINT)
_HEARD = (*_STOPS, signal.SIGCHLD)


def make_crew(listeners: tuple[socket.socket, ...], workers: int) -> Crew:
    """Make what the workers have in common."""
    return Crew(
        listeners,
        Board.shared(workers),
        tuple(make_inbox() for _ in range(workers)),
        socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM),
        socket.socketpair(),
    )


@dataclass(slots=True)
class Post:
    """A worker as its supervisor sees it; ``failures`` counts starts in a row that came to nothing.

    ``up`` tells whether this time it got as far as to answer calls; ``due`` is when it is to be
    started, which is only looked at while it has no process.
    """

    index: int
    pid: int = 0
    up: bool = False
    begun_at: float = 0.0
    due: float = 0.0
    failures: int = 0


class Supervisor:
    """Minds the workers of a crew, whose calls have ``grace_s`` to end when it is to stop.

    ``say`` hears what the first worker has to say, when all are up, and of the stop.
    """

    def __init__(self, crew: Crew, grace_s: float, say: Callable[[str], None]) -> None:
        self._crew, self._grace_s, self._say = crew, grace_s, say
        self._slots = crew.board.slots
        self._posts = [Post(slot.index) for slot in self._slots]
        self._rung, self._bell = socket.socketpair()
        self._stopping_by: float | None = None
        self._signals: list[int] = []
        self._words: str | None = None
        self._announced = False

    def run(self) -> Worker | int:
        """Return a worker in each worker's process, and here the exit status when all is over.

        Raises ``VoicebridgeError`` when no worker can be started.
        """
        outcome = self._mind()
        if isinstance(outcome, int):
            self.close()
        return outcome

    def close(self) -> None:
        """Let go of what the crew had in common."""
        signal.set_wakeup_fd(-1)
        for end in (self._rung, self._bell):
            end.close()
        self._crew.close()

    def _mind(self) -> Worker | int:
        self._listen()
        while True:
            if (worker := self._start_due()) is not None:
                return worker
            self._sleep()
            self._heed_signals()
            self._hear_reports()
            for post in self._posts:
                status = _ended(post.pid) if post.pid else None
                if status is not None and self._buried(post, status):
                    return EXIT_CONFIG
            if self._stopping_by is not None and not any(post.pid for post in self._posts):
                return 0 if len(self._signals) < 2 else 128 + self._signals[-1]

    # --- starting -----------------------------------------------------------------------------

    def _start_due(self) -> Worker | None:
        """Start who is due; the first alone at first: what it cannot do none of them can."""
        posts = self._posts if self._words is not None else self._posts[:1]
        for post in posts:
            if self._stopping_by is None and not post.pid and post.due <= time.monotonic():
                slot = self._slots[post.index]
                slot.state, slot.starts = State.STARTING, slot.starts + 1
                post.up, post.begun_at = False, time.monotonic()
                if (worker := self._fork(post)) is not None:
                    return worker
                slot.pid = post.pid
        return None

    def _fork(self, post: Post) -> Worker | None:
        """Return a worker in its own process, and None here."""
        with _held_back():
            try:
                post.pid = os.fork()
            except OSError as error:  # no memory, or too many processes
                self._slots[post.index].clear()
                self._put_off(post, str(error))
                return None
            return None if post.pid else self._become(post.index)

    def _become(self, index: int) -> Worker:
        """Leave the supervisor behind: this process is a worker from now on."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # At a terminal it reaches all processes, but it is the supervisor's to say what is done.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for end in (self._rung, self._bell, self._crew.lifeline[1], self._crew.reports[0]):
            end.close()
        structlog.contextvars.bind_contextvars(worker=index)
        return Worker(self._crew, index)

    def _buried(self, post: Post, status: int) -> bool:
        """Take note of a worker's death; True if a setting is wrong, which it has told already.

        Raises ``VoicebridgeError`` if it is time to give up.
        """
        slot, now = self._slots[post.index], time.monotonic()
        calls, how = slot.live, _told(status)
        post.pid = 0
        with self._crew.board.lock:
            slot.clear()
        if self._stopping_by is not None:
            return False
        if status == EXIT_CONFIG and self._words is None:
            return True
        log.error("worker_died", worker=post.index, how=how, calls=calls)
        if post.up and now - post.begun_at >= STEADY_S:
            post.failures, post.due = 0, now
            return False
        self._put_off(post, how)
        any_up = any(each.state == State.UP for each in self._slots)
        if not post.up and post.failures >= MOST_FAILED_STARTS and not any_up:
            self._send(signal.SIGTERM)
            raise VoicebridgeError(
                f"no worker can be started: worker {post.index} ended {post.failures} times in a "
                f"row, at last by {how}; the log above says why"
            )
        return False

    def _put_off(self, post: Post, why: str) -> None:
        """Start a worker a little later, and later each time that it comes to nothing."""
        wait_s = min(FIRST_WAIT_S * 2 ** min(post.failures, 10), LONGEST_WAIT_S)
        post.failures += 1
        post.due = time.monotonic() + wait_s
        log.warning("worker_put_off", worker=post.index, why=why, wait_s=wait_s)

    # --- hearing ------------------------------------------------------------------------------

    def _listen(self) -> None:
        for end in (self._rung, self._bell, self._crew.reports[0]):
            end.setblocking(False)
        signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
        for number in _STOPS:
            signal.signal(number, lambda number, _: self._signals.append(number))
        signal.signal(signal.SIGCHLD, lambda *_: None)  # one of Python's, so that it wakes us

    def _sleep(self) -> None:
        """Wait until there is something to do; a worker that is up has nothing that is due."""
        times = [post.due for post in self._waited_for()]
        if self._stopping_by is not None:
            times = [self._stopping_by]
        wait_s = max(0.0, min(times) - time.monotonic()) if times else None
        select.select([self._rung, self._crew.reports[0]], [], [], wait_s)
        with suppress(BlockingIOError):
            while self._rung.recv(4096):
                pass

    def _waited_for(self) -> Iterator[Post]:
        posts = self._posts if self._words is not None else self._posts[:1]
        return (post for post in posts if not post.pid)

    def _hear_reports(self) -> None:
        with suppress(BlockingIOError):
            while words := self._crew.reports[0].recv(MOST_REPORT_BYTES):
                self._words = self._words or words.decode()
        for post, slot in zip(self._posts, self._slots, strict=True):
            post.up = post.up or slot.state == State.UP
        if not self._announced and all(slot.state == State.UP for slot in self._slots):
            self._announced = True
            self._say(self._words or "")

    # --- stopping -----------------------------------------------------------------------------

    def _heed_signals(self) -> None:
        """Stop in good manners when first told to; at once when told again, or when it lasts."""
        if self._signals and self._stopping_by is None:
            self._stopping_by = time.monotonic() + self._grace_s + STOPPED_WITHIN_S
            calls = sum(slot.live for slot in self._slots)
            self._say(f"stopping: {calls} calls go on to their end")
            self._send(signal.SIGTERM)
        if len(self._signals) > 1:
            self._send(signal.SIGKILL)
        elif self._stopping_by is not None and time.monotonic() >= self._stopping_by:
            log.error("workers_did_not_end", count=sum(1 for post in self._posts if post.pid))
            self._stopping_by += STOPPED_WITHIN_S
            self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        for post in self._posts:
            if post.pid:
                os.kill(post.pid, number)


@contextmanager
def _held_back() -> Iterator[None]:
    """Hold signals back while it is not clear yet whose they are."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HEARD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ended(pid: int) -> int | None:
    """Return the exit status of a child that has ended; a signal's number is negative."""
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def _told(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
