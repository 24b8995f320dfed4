"""Name the tool that blocks the event loop, while it does.

An async tool shares the loop with the audio of every call: one that waits without ``await`` stops
them all. While async tools run on a loop, and only then, a thread looks every tenth of a second
whether the loop still turns. Frames of audio cost nothing more by it.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import suppress
from types import FrameType
from typing import Any, TypeVar

import structlog

log = structlog.get_logger(__name__)

BLOCKED_AFTER_S = 0.25
LOOK_EVERY_S = 0.1

LEAVE = "left behind"
"""The message of a cancellation that a tool cannot ignore: no more steps are taken with it."""

T = TypeVar("T")
_Running = tuple[str, Callable[..., Any]]
_watches: dict[asyncio.AbstractEventLoop, _Watch] = {}


async def watched(tool: str, function: Callable[..., Any], work: Awaitable[T]) -> T:
    """Await the work of a tool under the watchdog of the running loop.

    ``function`` is the tool's own, by whose module work that it has started as tasks is known.
    """
    loop = asyncio.get_running_loop()
    if loop not in _watches:
        _watches[loop] = _Watch(loop)
    watch = _watches[loop]
    running = (tool, function)
    watch.running[running] += 1
    try:
        return await _Stepped(running, work, watch)
    finally:
        watch.running = +(watch.running - Counter([running]))
        if not watch.running:
            watch.stop()
            del _watches[loop]


class _Stepped(Generator[Any, Any, T]):
    """Run an awaitable step by step, telling the watch whose step it is."""

    def __init__(self, running: _Running, work: Awaitable[T], watch: _Watch) -> None:
        self._running, self._watch = running, watch
        self._steps: Any = work.__await__()

    def __await__(self) -> Generator[Any, Any, T]:
        return self

    def send(self, value: Any) -> Any:
        self._watch.stepping = self._running
        try:
            # An iterator that is no generator knows no send().
            return next(self._steps) if value is None else self._steps.send(value)
        finally:
            self._watch.stepping = None

    def throw(self, *error: Any) -> Any:
        self._watch.stepping = self._running
        try:
            if any(
                isinstance(each, asyncio.CancelledError) and LEAVE in each.args for each in error
            ):
                self._leave()
                raise asyncio.CancelledError
            return self._steps.throw(*error)
        finally:
            self._watch.stepping = None

    def close(self) -> None:
        self._steps.close()

    def _leave(self) -> None:
        """Close the work; it is left as it is if it ignores even that."""
        with suppress(RuntimeError):
            self.close()


class _Watch:
    """The watch over one loop, from the first tool that runs there to the last."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.running: Counter[_Running] = Counter()
        self.stepping: _Running | None = None
        self._loop, self._loops_thread = loop, threading.get_ident()
        self._over = threading.Event()
        self._beat()
        threading.Thread(target=self._look, name="tool watchdog", daemon=True).start()

    def stop(self) -> None:
        self._beating.cancel()
        self._over.set()

    def _beat(self) -> None:
        self._beat_at = time.monotonic()
        self._beating = self._loop.call_later(LOOK_EVERY_S, self._beat)

    def _look(self) -> None:
        told = 0.0
        while not self._over.wait(LOOK_EVERY_S) and not self._loop.is_closed():
            beat_at = self._beat_at
            blocked_s = time.monotonic() - beat_at - LOOK_EVERY_S
            if blocked_s > BLOCKED_AFTER_S and told != beat_at:
                told = beat_at
                self._tell(round(blocked_s * 1000))

    def _tell(self, blocked_ms: int) -> None:
        frames = list(_frames(sys._current_frames().get(self._loops_thread)))
        tool, function = self.stepping or self._by_module(frames) or (None, None)
        own = [frame for frame in frames if function and _module(frame) == function.__module__]
        frame = next(iter(own or frames), None)
        where = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""
        if tool is None:
            log.warning("event_loop_blocked", blocked_ms=blocked_ms, where=where)
            return
        advice = "make it a plain function, or await what takes long"
        log.error("tool_blocks_loop", tool=tool, blocked_ms=blocked_ms, where=where, remedy=advice)

    def _by_module(self, frames: list[FrameType]) -> _Running | None:
        """Find a tool whose module's code is running: in a task that the tool has started."""
        modules = {_module(frame) for frame in frames}
        return next((one for one in list(self.running) if one[1].__module__ in modules), None)


def _frames(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _module(frame: FrameType) -> object:
    return frame.f_globals.get("__name__")
