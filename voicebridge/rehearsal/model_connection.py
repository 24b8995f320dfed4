"""The socket of one simulated session: read, hand over, write; and drop it when told to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from voicebridge.rehearsal.faults import Faults
from voicebridge.rehearsal.model_session import ModelSession
from voicebridge.rehearsal.outbox import ClientTooSlowError, Outbox


class ModelConnection:
    """Own the tasks of one session; none outlives :meth:`serve`."""

    def __init__(self, socket: ServerConnection, outbox: Outbox, faults: Faults) -> None:
        self._socket, self._outbox, self._faults = socket, outbox, faults
        self._tasks = set[asyncio.Task[None]]()
        self._group = asyncio.TaskGroup()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run ``work`` for as long as the connection is there."""
        task = self._group.create_task(self._guarded(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except ClientTooSlowError:
            self._socket.transport.abort()

    async def serve(self, session: ModelSession) -> None:
        """Serve until either side closes."""
        async with self._group:
            self.spawn(self._outbox.write_to(self._socket))
            try:
                await self._converse(session)
            finally:
                for task in self._tasks:
                    task.cancel()
        session.log.closed_at = time.monotonic()
        session.log.close_code = self._socket.close_code

    async def _converse(self, session: ModelSession) -> None:
        """Read to the end. The websocket's own ping is the deadline for a client gone silent."""
        if self._faults.created_delay_s:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._faults.created_delay_s):
                    await self._socket.wait_closed()
        session.open(self._arm_drop)
        try:
            async for message in self._socket:
                session.receive(message)
                if session.log.append_count == self._faults.drop_after_appends:
                    await self._drop()
        except ConnectionClosed:
            return
        except ClientTooSlowError:
            self._socket.transport.abort()  # such a client would not read a farewell either

    def _arm_drop(self, _created_at: float) -> None:
        if self._faults.drop_after_ms is not None:
            self.spawn(self._drop_later(self._faults.drop_after_ms / 1000))

    async def _drop_later(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await self._drop()

    async def _drop(self) -> None:
        """End the connection: with a closing handshake when a code is set, else by cutting it."""
        if self._faults.drop_code is None:
            self._socket.transport.abort()
        else:
            await self._socket.close(self._faults.drop_code, "dropped for a test")
