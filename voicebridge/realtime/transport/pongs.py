"""Pings that wait for their pongs, for transports whose library leaves that to us."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count


class Pongs:
    """The pongs that somebody waits for, by what they must say."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._awaited: dict[bytes, asyncio.Future[None]] = {}

    @contextmanager
    def awaited(self) -> Iterator[tuple[bytes, asyncio.Future[None]]]:
        """Give what to ping with, and what is done when its pong has come."""
        payload = b"vb%d" % next(self._numbers)
        pong = self._awaited[payload] = asyncio.get_running_loop().create_future()
        try:
            yield payload, pong
        finally:
            del self._awaited[payload]

    def seen(self, payload: bytes) -> bool:
        """Take a pong; False if nobody waits for it."""
        pong = self._awaited.get(payload)
        if pong is None:
            return False
        if not pong.done():
            pong.set_result(None)
        return True

    def end(self, error: Exception) -> None:
        """Let all who wait know that no pong will come."""
        for pong in self._awaited.values():
            if not pong.done():
                pong.set_exception(error)
