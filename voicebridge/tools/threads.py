"""Threads for plain functions: each tool has its own few, so that one which hangs starves no other.

The threads are daemons and not a shared pool: a thread that never comes back takes one place of
its own tool, and holds up neither another tool nor the end of the process.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from voicebridge.errors import ToolFailed

MOST_AT_ONCE = 8
"""Threads that one tool may have."""

MOST_WAITING = 64
"""Calls of one tool that may wait for a thread; their deadlines run meanwhile."""

T = TypeVar("T")


class ToolThreads:
    """The threads of one tool."""

    def __init__(self, most: int = MOST_AT_ONCE) -> None:
        self._most, self._running = most, 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def run(self, tool: str, work: Callable[[], T]) -> T:
        """Run ``work`` in a thread and return its result.

        A cancelled call leaves its thread to finish, which keeps its place until then. Raises
        ToolFailed when too many are waiting, and what ``work`` raises.
        """
        await self._enter(tool)
        outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        context = contextvars.copy_context()
        thread = threading.Thread(
            target=self._work, args=(context, work, outcome), name=f"tool {tool}", daemon=True
        )
        try:
            thread.start()
        except RuntimeError as error:  # the machine gives no more threads
            self._leave()
            raise ToolFailed(f"{tool} is too busy. Tell the caller, or try again.") from error
        return await outcome

    async def _enter(self, tool: str) -> None:
        if self._running < self._most:
            self._running += 1
            return
        if len(self._waiting) >= MOST_WAITING:
            raise ToolFailed(f"{tool} is too busy. Tell the caller, or try again.")
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # the turn came in the same moment
                self._leave()
            raise

    def _leave(self) -> None:
        """Hand the place to the call that has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done() and not turn.get_loop().is_closed():
                turn.set_result(None)
                return
        self._running -= 1

    def _work(
        self, context: contextvars.Context, work: Callable[[], T], outcome: asyncio.Future[T]
    ) -> None:
        with _Settling(outcome, self._leave) as settling:
            settling.result = context.run(work)


class _Settling:
    """Carry how a thread ended, well or by any exception, to the loop that waits for it."""

    def __init__(self, outcome: asyncio.Future[Any], leave: Callable[[], None]) -> None:
        self._outcome, self._leave = outcome, leave
        self.result: Any = None

    def __enter__(self) -> _Settling:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> bool:
        try:
            self._outcome.get_loop().call_soon_threadsafe(self._settle, error)
        except RuntimeError:  # the loop is closed: nobody waits any more
            self._leave()
        return True

    def _settle(self, error: BaseException | None) -> None:
        self._leave()
        if self._outcome.done():  # cancelled
            return
        if error is None:
            self._outcome.set_result(self.result)
        elif isinstance(error, Exception) and not isinstance(error, StopIteration):
            self._outcome.set_exception(error)
        else:  # what would end the process, or what a future cannot carry
            self._outcome.set_exception(ToolFailed(f"the tool ended with {type(error).__name__}"))
