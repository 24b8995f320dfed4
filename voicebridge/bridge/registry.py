"""The calls of this process: those that go on, and how those ended that are over."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import structlog

from voicebridge.bridge.call_runner import CLOSE_WITHIN_S, CallRunner
from voicebridge.call import events as ev
from voicebridge.call.reasons import EndReason

log = structlog.get_logger(__name__)

TELL_WITHIN_S = 2.0
"""How long a carrier may take to ask what comes after a stream that we have closed."""

_GONE = {EndReason.CALLER_HUNG_UP, EndReason.CARRIER_LOST}
"""Ends after which no carrier asks what comes next."""

REMEMBERED = 10_000
"""How many ended calls are remembered for the carrier's question of what comes next."""


class CallRegistry:
    """Live and ended calls by the carrier's id of the call."""

    def __init__(self) -> None:
        self._live: dict[str, CallRunner] = {}
        self._ended: OrderedDict[str, EndReason] = OrderedDict()
        self._empty = asyncio.Event()
        self._empty.set()
        self._told: set[str] = set()
        self._telling = asyncio.Event()

    def __len__(self) -> int:
        return len(self._live)

    def opened(self, call_id: str, runner: CallRunner) -> None:
        """Take note of a call that runs."""
        self._live[call_id] = runner
        self._empty.clear()

    def closed(self, call_id: str, reason: EndReason) -> None:
        """Take note of how a call ended."""
        self._live.pop(call_id, None)
        self._ended[call_id] = reason
        while len(self._ended) > REMEMBERED:
            self._told.discard(self._ended.popitem(last=False)[0])
        if not self._live:
            self._empty.set()

    def is_live(self, call_id: str) -> bool:
        """Tell whether a call goes on."""
        return call_id in self._live

    def how_ended(self, call_id: str) -> EndReason | None:
        """Tell how a call ended; None for one that goes on or was never here.

        The carrier may ask while the call's legs are still being closed.
        """
        runner = self._live.get(call_id)
        return runner.ended if runner else self._ended.get(call_id)

    def tell_next(self, call_id: str) -> EndReason | None:
        """Answer the carrier's question of what comes next: how the call ended."""
        reason = self.how_ended(call_id)
        if reason is not None:
            self._told.add(call_id)
            self._telling.set()
        return reason

    async def drain(self, grace_s: float, goodbye_s: float) -> None:
        """Let calls end by themselves for a while, then ask those left to, then end them.

        Returns when the carrier knows what comes next for each: a bridge that is gone by then
        would have the caller hear of an application error.
        """
        leaving = set(self._live)
        await self._end_all(grace_s, goodbye_s)
        try:
            async with asyncio.timeout(TELL_WITHIN_S):
                while any(self._must_tell(call_id) for call_id in leaving):
                    self._telling.clear()
                    await self._telling.wait()
        except TimeoutError:
            log.info("carrier_did_not_ask", calls=len(leaving - self._told))

    def _must_tell(self, call_id: str) -> bool:
        return call_id not in self._told and self.how_ended(call_id) not in _GONE

    async def _end_all(self, grace_s: float, goodbye_s: float) -> None:
        steps: tuple[tuple[float, ev.Event], ...] = (
            (grace_s, ev.ShutdownRequested()),
            (goodbye_s, ev.StreamEnded(EndReason.SHUTDOWN)),
        )
        for wait_s, event in steps:
            if await self._emptied_within(wait_s):
                return
            for runner in list(self._live.values()):
                runner.feed(event)
        await self._emptied_within(CLOSE_WITHIN_S)

    async def _emptied_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True
