"""Keep the promises of calls: dial each when it is due, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from voicebridge.outbound.callback_book import Callback, CallbackBook, State
from voicebridge.outbound.carrier_actions import RestError
from voicebridge.outbound.dialler import Dialler, Urls, Wish
from voicebridge.outbound.rules import CallRefused

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 10.0
ABOUT = "callback_about"
"""The custom parameter by which the persona's words may tell what the call is about."""

_NOT_YET = {"rate"}
"""Rules that forbid a call now, and not a little later."""


class CallbackDialler:
    """Places the calls of a book; ``free`` tells whether there is a line for one more."""

    def __init__(
        self,
        book: CallbackBook,
        dialler: Dialler,
        urls: Urls,
        free: Callable[[], bool],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._book, self._dialler, self._urls = book, dialler, urls
        self._free, self._now = free, now

    async def run(self) -> None:
        """Look every few seconds whether a call is due; never returns."""
        told = False
        while True:
            try:
                told = told or await self._tell_doubts()
                await self.dial_due()
            except OSError as error:  # a disk that is full now may have room later
                log.error("callbacks_not_read", error=str(error))  # noqa: TRY400 - not a bug
            await asyncio.sleep(LOOK_EVERY_S)

    async def _tell_doubts(self) -> bool:
        """Name in the log what somebody should look at: such calls are not placed."""
        uncertain, unreadable = await asyncio.to_thread(self._book.doubtful)
        if uncertain or unreadable:
            log.warning("callbacks_doubtful", uncertain=uncertain, unreadable_lines=unreadable)
        return True

    async def dial_due(self) -> int:
        """Dial what is due, as far as there are lines for it; returns how many were dialled."""
        dialled = 0
        while self._free():
            callback = await asyncio.to_thread(self._book.claim, self._now())
            if callback is None or not await self._dial(callback):
                break
            dialled += 1
        return dialled

    async def _dial(self, callback: Callback) -> bool:
        """Dial a promise that is ours; False if there is no use in dialling another one now."""
        settle = self._book.settle
        wish = Wish(
            to=callback.number,
            persona=callback.persona,
            consent=True,  # the person has asked for this call
            params={ABOUT: callback.about},
        )
        try:
            call_id = await self._dialler.place(wish, self._urls)
        except CallRefused as refused:
            not_yet = refused.rule in _NOT_YET
            state: State = "waiting" if not_yet else "refused"
            await asyncio.to_thread(settle, callback, state, rule=refused.rule)
            log.warning("callback_not_placed", rule=refused.rule, again=not_yet)
            return not not_yet
        except RestError as error:
            # Too many is the one answer after which nothing has been dialled for certain.
            state = "waiting" if error.status == 429 else "failed"
            await asyncio.to_thread(settle, callback, state, error=str(error))
            log.warning("callback_not_placed", error=str(error), code=error.code)
            return False
        await asyncio.to_thread(settle, callback, "placed", call_id=call_id)
        return True
