"""What is asked of a carrier while nobody waits for the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import structlog

from voicebridge.outbound.carrier_actions import CarrierActions, RestError

log = structlog.get_logger(__name__)

T = TypeVar("T")
Asking = Callable[[CarrierActions], Coroutine[Any, Any, T]]


class Errands:
    """Requests under way. Each has a deadline of its own, so there is an end to ``close``."""

    def __init__(self, carrier: CarrierActions) -> None:
        self._carrier = carrier
        self._tasks: set[asyncio.Task[Any]] = set()

    def run(self, asking: Asking[T]) -> asyncio.Task[T]:
        """Begin a request; whoever wants its result, or its ``RestError``, awaits the task."""
        task = asyncio.create_task(asking(self._carrier))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def send(self, asking: Asking[object]) -> None:
        """Begin a request whose result nobody wants; the log tells if it fails."""
        self.run(lambda carrier: _logged(asking(carrier)))

    def end(self, dialling: asyncio.Task[str], how: Callable[[str], Asking[object]]) -> None:
        """End a call whose id may not be known yet; one that was never placed needs no end."""

        async def when_placed(carrier: CarrierActions) -> None:
            await asyncio.wait({dialling})
            if dialling.exception() is None:
                await how(dialling.result())(carrier)

        self.send(when_placed)

    async def close(self) -> None:
        """Wait for all that is under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)


async def _logged(asking: Coroutine[Any, Any, object]) -> None:
    try:
        await asking
    except RestError as error:
        log.warning("errand_failed", error=str(error), status=error.status, code=error.code)
