"""The model, dialled while the carrier still connects its stream: it saves the caller the wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import structlog

from voicebridge.bridge.model_leg import ModelLeg
from voicebridge.errors import RealtimeError

log = structlog.get_logger(__name__)

UNUSED_S = 10.0
"""How long a model that was dialled early waits for its call's stream."""

Dial = Callable[[], Coroutine[Any, Any, ModelLeg]]


class EarlyDial:
    """One model that is being dialled; to be taken once, or dropped."""

    def __init__(self, dial: Dial) -> None:
        self._dialling = asyncio.create_task(dial())

    async def take(self) -> ModelLeg:
        """Wait for the model and hand it over; raises what dialling raises."""
        try:
            return await asyncio.shield(self._dialling)
        except asyncio.CancelledError:
            await self.drop()
            raise

    async def drop(self) -> None:
        """Stop dialling, or close the model if it is there already."""
        self._dialling.cancel()
        await asyncio.wait({self._dialling})
        if self._dialling.cancelled():
            return
        error = self._dialling.exception()
        if error is None:
            await self._dialling.result().close()
        elif not isinstance(error, RealtimeError):
            raise error


class EarlyDials:
    """Models that wait for their calls' streams, by the call: each holds a line of this bridge."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[EarlyDial, asyncio.TimerHandle]] = {}
        self._dropping: set[asyncio.Task[None]] = set()
        self.on_change: Callable[[], None] = _nothing

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, call_id: str) -> bool:
        return call_id in self._waiting

    def start(self, call_id: str, dial: Dial) -> EarlyDial:
        """Dial for a call; an earlier dial for the same call is dropped."""
        self._drop(call_id)
        early = EarlyDial(dial)
        timer = asyncio.get_running_loop().call_later(UNUSED_S, self._drop, call_id)
        self._waiting[call_id] = early, timer
        self.on_change()
        return early

    def claim(
        self, call_id: str, early: EarlyDial | None
    ) -> Callable[[], Awaitable[ModelLeg]] | None:
        """Take a call's model out; None if it was dropped meanwhile.

        Its line is not free by that: the call takes it over.
        """
        waiting, timer = self._waiting.get(call_id, (None, None))
        if waiting is None or timer is None or waiting is not early:
            return None
        timer.cancel()
        del self._waiting[call_id]
        return waiting.take

    async def close(self) -> None:
        """Drop all that wait."""
        for call_id in list(self._waiting):
            self._drop(call_id)
        if self._dropping:
            await asyncio.wait(self._dropping)

    def _drop(self, call_id: str) -> None:
        if call_id not in self._waiting:
            return
        early, timer = self._waiting.pop(call_id)
        timer.cancel()
        self.on_change()
        log.info("early_model_dropped", call_id=call_id)
        dropping = asyncio.create_task(early.drop())
        self._dropping.add(dropping)
        dropping.add_done_callback(self._dropping.discard)


def _nothing() -> None:
    return None
