"""A bounded queue between code that must not wait and the one task that writes to a socket."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class OutboxFull(Exception):
    """More waits to be written than the bound allows: the other end has stopped reading."""


class Outbox(Generic[T]):
    """Take without waiting, hand out in order; ``limit`` bounds what may wait."""

    __slots__ = ("_filled", "_limit", "_waiting", "idle")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._waiting: deque[T] = deque()
        self._filled = asyncio.Event()
        self.idle = True
        """Whether all that was put in has been written, so that nothing can be overtaken."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, item: T) -> None:
        """Queue an item; raises ``OutboxFull`` over the limit."""
        if len(self._waiting) >= self._limit:
            raise OutboxFull(f"{self._limit} messages wait to be written")
        self._waiting.append(item)
        self.idle = False
        self._filled.set()

    async def take(self) -> list[T]:
        """Wait until there is something and return all of it, in order."""
        self.idle = not self._waiting
        await self._filled.wait()
        self._filled.clear()
        taken = list(self._waiting)
        self._waiting.clear()
        return taken
