"""A reader in the background that calls handlers, for programs built of callbacks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self, TypeAlias

from voicebridge.realtime.conn import Conn
from voicebridge.realtime.errors import RealtimeError
from voicebridge.realtime.logger import Logger, NopLogger
from voicebridge.realtime.server_events import ServerEvent

ServerEventHandler: TypeAlias = Callable[[ServerEvent], Awaitable[None] | None]
"""A plain or an async function that takes an event."""


class ConnHandler:
    """Reads a connection and calls its handlers with every event.

    The handlers are called in their order, one event after the other, so a slow one holds up the
    next event. A malformed event is logged and passed over. Nobody else may read meanwhile; the
    connection itself is the caller's to close.
    """

    def __init__(
        self, conn: Conn, *handlers: ServerEventHandler, logger: Logger | None = None
    ) -> None:
        self._conn, self._handlers = conn, handlers
        self._logger = logger or NopLogger()
        self._task: asyncio.Task[RealtimeError | None] | None = None
        self._stopping = False

    def start(self) -> None:
        """Begin to read; once only."""
        if self._task is not None:
            raise RuntimeError("a ConnHandler starts once")
        self._task = asyncio.create_task(self._run(), name="realtime-handler")

    async def stop(self) -> None:
        """Stop reading and wait until that is done. Raises what a handler raised."""
        task, self._stopping = self._task, True
        if task is None or task is asyncio.current_task():
            return  # never begun; or asked for by a handler, which is let finish
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            task.result()

    async def err(self) -> RealtimeError | None:
        """Wait for the end and give the permanent error that caused it, None after ``stop``.

        Raises what a handler raised.
        """
        if self._task is None:
            raise RuntimeError("a ConnHandler that was not started has no end")
        await asyncio.wait({self._task})
        return None if self._task.cancelled() else self._task.result()

    async def __aenter__(self) -> Self:
        """Start."""
        self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Stop."""
        await self.stop()

    async def _run(self) -> RealtimeError | None:
        while not self._stopping:
            try:
                event = await self._conn.read_message()
            except RealtimeError as error:
                if error.permanent:
                    return error
                self._logger.warning("passed over a malformed event: %s", error)
                continue
            for handler in self._handlers:
                waiting = handler(event)
                if waiting is not None:
                    await waiting
        return None
