"""The calls of this process: those that go on, and how those ended that are over."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from voicebridge.bridge.call_runner import CallRunner
from voicebridge.call import events as ev
from voicebridge.call.reasons import EndReason

REMEMBERED = 10_000
"""How many ended calls are remembered for the carrier's question of what comes next."""


class CallRegistry:
    """Live and ended calls by the carrier's id of the call."""

    def __init__(self) -> None:
        self._live: dict[str, CallRunner] = {}
        self._ended: OrderedDict[str, EndReason] = OrderedDict()
        self._empty = asyncio.Event()
        self._empty.set()

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
            self._ended.popitem(last=False)
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

    async def drain(self, grace_s: float, goodbye_s: float) -> None:
        """Let calls end by themselves for a while, then ask those left to, then stop waiting."""
        if await self._emptied_within(grace_s):
            return
        for runner in list(self._live.values()):
            runner.feed(ev.ShutdownRequested())
        await self._emptied_within(goodbye_s)

    async def _emptied_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._empty.wait()
        except TimeoutError:
            return False
        return True
