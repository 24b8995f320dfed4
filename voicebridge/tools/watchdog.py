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
from collections.abc import Awaitable, Callable, Generator
from types import FrameType
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import structlog

log = structlog.get_logger(__name__)

BLOCKED_AFTER_S = 0.25
LOOK_EVERY_S = 0.1

T = TypeVar("T")
_watches: WeakKeyDictionary[asyncio.AbstractEventLoop, _Watch] = WeakKeyDictionary()


async def watched(tool: str, function: Callable[..., Any], work: Awaitable[T]) -> T:
    """Await the work of a tool under the watchdog of the running loop.

    ``function`` is the tool's own, by whose module work that it has started as tasks is known.
    """
    loop = asyncio.get_running_loop()
    watch = _watches.get(loop)
    if watch is None:
        watch = _watches[loop] = _Watch(loop)
    watch.began(tool, function)
    try:
        return await _Stepped(tool, work, watch)
    finally:
        watch.ended(tool, function)


class _Stepped(Generator[Any, Any, T]):
    """Run an awaitable step by step, telling the watch whose step it is."""

    def __init__(self, tool: str, work: Awaitable[T], watch: _Watch) -> None:
        self._tool, self._watch = tool, watch
        self._steps: Any = work.__await__()

    def __await__(self) -> Generator[Any, Any, T]:
        return self

    def send(self, value: Any) -> Any:
        self._watch.stepping = self._tool
        try:
            # A future's iterator knows no send().
            return next(self._steps) if value is None else self._steps.send(value)
        finally:
            self._watch.stepping = None

    def throw(self, *error: Any) -> Any:
        self._watch.stepping = self._tool
        try:
            return self._steps.throw(*error)
        finally:
            self._watch.stepping = None

    def close(self) -> None:
        self._steps.close()


class _Watch:
    """The watch over one loop; its thread lives for as long as tools run there."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.stepping: str | None = None
        self._thread_id = threading.get_ident()
        self._running: Counter[tuple[str, Callable[..., Any]]] = Counter()
        self._idle = threading.Event()
        self._is_closed = loop.is_closed
        self._call_later = loop.call_later
        self._beat_at = 0.0
        self._beating: asyncio.TimerHandle | None = None

    def began(self, tool: str, function: Callable[..., Any]) -> None:
        self._running[tool, function] += 1
        if self._beating is None:
            self._idle = threading.Event()
            self._beat()
            threading.Thread(
                target=self._look, args=(self._idle,), name="tool watchdog", daemon=True
            ).start()

    def ended(self, tool: str, function: Callable[..., Any]) -> None:
        self._running[tool, function] -= 1
        self._running = +self._running
        if not self._running and self._beating is not None:
            self._beating.cancel()
            self._beating = None
            self._idle.set()

    def _beat(self) -> None:
        self._beat_at = time.monotonic()
        self._beating = self._call_later(LOOK_EVERY_S, self._beat)

    def _look(self, idle: threading.Event) -> None:
        told = 0.0
        while not idle.wait(LOOK_EVERY_S) and not self._is_closed():
            beat_at = self._beat_at
            blocked_s = time.monotonic() - beat_at - LOOK_EVERY_S
            if blocked_s > BLOCKED_AFTER_S and told != beat_at:
                told = beat_at
                self._tell(blocked_s)

    def _tell(self, blocked_s: float) -> None:
        frames = list(_frames(sys._current_frames().get(self._thread_id)))
        tool = self.stepping or self._by_module(frames)
        where = f"{frames[0].f_code.co_filename}:{frames[0].f_lineno}" if frames else ""
        blocked_ms = round(blocked_s * 1000)
        if tool is None:
            log.warning("event_loop_blocked", blocked_ms=blocked_ms, where=where)
        else:
            advice = "make it a plain function, or await what takes long"
            log.error(
                "tool_blocks_event_loop", tool=tool, blocked_ms=blocked_ms, where=where, fix=advice
            )

    def _by_module(self, frames: list[FrameType]) -> str | None:
        """Find a tool whose module's code is running: a task that the tool has started."""
        modules = {frame.f_globals.get("__name__") for frame in frames}
        running = list(self._running)
        return next((tool for tool, function in running if function.__module__ in modules), None)


def _frames(frame: FrameType | None) -> Generator[FrameType, None, None]:
    while frame is not None:
        yield frame
        frame = frame.f_back
