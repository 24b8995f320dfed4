"""The calls of this process: those that go on, and how those ended that are over."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call's stream ended, and the number to which the caller is to be connected now."""

    reason: EndReason
    dial_next: str | None = None


class CallRegistry:
    """Live and ended calls by the carrier's id of the call; ``on_change`` hears how many run."""

    def __init__(self) -> None:
        self._live: dict[str, CallRunner] = {}
        self._ended: OrderedDict[str, Ended] = OrderedDict()
        self._empty = asyncio.Event()
        self._empty.set()
        self._told: set[str] = set()
        self._telling = asyncio.Event()
        self.on_change: Callable[[], None] = _nothing

    def __len__(self) -> int:
        return len(self._live)

    def opened(self, call_id: str, runner: CallRunner) -> None:
        """Take note of a call that runs."""
        self._live[call_id] = runner
        self._empty.clear()
        self.on_change()

    def closed(
        self,
        call_id: str,
        reason: EndReason,
        *,
        dial_next: str | None = None,
        runner: CallRunner | None = None,
    ) -> None:
        """Take note of how a call ended.

        ``runner`` tells apart streams of one call: the call may have a new one by now.
        """
        if runner is None or self._live.get(call_id) is runner:
            self._live.pop(call_id, None)
        self._ended[call_id] = Ended(reason, dial_next)
        self._ended.move_to_end(call_id)
        while len(self._ended) > REMEMBERED:
            self._told.discard(self._ended.popitem(last=False)[0])
        if not self._live:
            self._empty.set()
        self.on_change()

    def live(self, call_id: str) -> CallRunner | None:
        """Return the runner of a call that goes on."""
        runner = self._live.get(call_id)
        return runner if runner is not None and runner.ended is None else None

    def is_live(self, call_id: str) -> bool:
        """Tell whether a call goes on; its legs may still be closing when it does not."""
        return self.live(call_id) is not None

    def how_ended(self, call_id: str) -> Ended | None:
        """Tell how a call ended; None for one that goes on or was never here.

        The carrier may ask while the call's legs are still being closed.
        """
        runner = self._live.get(call_id)
        if runner is None:
            return self._ended.get(call_id)
        return Ended(runner.ended, runner.hands.dial_next) if runner.ended else None

    def tell_next(self, call_id: str) -> Ended | None:
        """Answer the carrier's question of what comes next: how the call ended.

        It asks when the stream is over. So a call that we believe to go on has lost its stream.
        """
        if runner := self.live(call_id):
            runner.feed(
                ev.StreamEnded(EndReason.CARRIER_LOST, "the carrier asks what comes after the call")
            )
        ended = self.how_ended(call_id)
        if ended is not None:
            self._told.add(call_id)
            self._telling.set()
        return ended

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
        ended = self.how_ended(call_id)
        return call_id not in self._told and (ended is None or ended.reason not in _GONE)

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


def _nothing() -> None:
    return None
