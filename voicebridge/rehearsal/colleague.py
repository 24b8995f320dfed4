"""Whom the bridge calls besides its caller: a colleague who takes a call over, or does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

import aiohttp

from voicebridge.rehearsal import twiml_verbs as twiml
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.placed_call import PlacedCall
from voicebridge.rehearsal.rooms import Rooms
from voicebridge.rehearsal.twiml_reader import read_twiml
from voicebridge.rehearsal.webhook import Subscriber, Webhook

ColleagueManner = Literal["takes", "declines", "ignores", "busy", "no-answer", "failed"]

RING_S, LISTEN_S, WITHIN_S = 0.3, 0.4, 30.0
_KEYS = {"takes": "1", "declines": "2"}
_UNREACHED = {"busy": "busy", "no-answer": "no-answer", "failed": "failed"}


class Colleague:
    """One call to a colleague.

    ``takes``: presses 1. ``declines``: presses another key. ``ignores``: presses none. The others
    are how the call does not come about. What is said and asked is noted in ``log``. ``over`` is
    set when the call has ended and the bridge was told.
    """

    def __init__(
        self,
        placed: PlacedCall,
        manner: ColleagueManner,
        rooms: Rooms,
        tell: Callable[[str], None],
    ) -> None:
        self.placed, self.log = placed, PhoneLog(call_sid=placed.call_sid)
        self._manner, self._rooms, self._tell = manner, rooms, tell
        self._hung_up = asyncio.Event()
        self.over = asyncio.Event()

    def hang_up(self, document: str = "") -> None:
        """End the call, after what a last document says."""
        if document:
            self._note(*map(str, read_twiml(document).verbs))
        self._hung_up.set()

    async def take(self, account_sid: str, auth_token: str) -> None:
        """Ring, and do what a colleague does."""
        placed = self.placed
        who = Subscriber(account_sid, placed.caller_id, placed.to, "outbound-api")
        async with aiohttp.ClientSession() as http:
            webhook = Webhook(http, self.log, who, auth_token)
            await self._status(webhook, "ringing", "ringing")
            await asyncio.sleep(RING_S)
            ended = "canceled" if self._hung_up.is_set() else _UNREACHED.get(self._manner, "")
            if not ended:
                await self._status(webhook, "answered", "in-progress")
                await self._talk(webhook)
                ended = "completed"
            self._tell(f"the colleague: {ended}")
            await self._status(webhook, "completed", ended)
            self.over.set()

    async def _talk(self, webhook: Webhook) -> None:
        """Follow the bridge's documents until one of both hangs up."""
        hung_up = asyncio.create_task(self._hung_up.wait())
        following = asyncio.create_task(self._follow(webhook))
        try:
            await asyncio.wait(
                {hung_up, following}, timeout=WITHIN_S, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            hung_up.cancel()
            following.cancel()
            await asyncio.gather(hung_up, following, return_exceptions=True)

    async def _follow(self, webhook: Webhook) -> None:
        document = await webhook.fetch(self.placed.url, self.placed.method)
        while document is not None:
            following = await self._act(document)
            if following is None:
                return
            document = await webhook.fetch(*following)

    async def _act(self, document: twiml.Document) -> tuple[str, str, dict[str, str]] | None:
        for verb in document.verbs:
            self._note(str(verb))
            match verb:
                case twiml.Gather(_, action, method):
                    await asyncio.sleep(LISTEN_S)
                    if key := _KEYS.get(self._manner):
                        self._tell(f"the colleague presses {key}")
                        return action or self.placed.url, method, {"Digits": key}
                case twiml.Dial(twiml.Conference() as room, action, method):
                    await self._rooms.join(room, leaves_first=True)
                    if action:
                        return action, method, {"DialCallStatus": "answered"}
                case twiml.Redirect(url, method):
                    return url, method, {}
                case twiml.Hangup():
                    return None
                case _:
                    continue
        return None

    async def _status(self, webhook: Webhook, event: str, status: str) -> None:
        if event in self.placed.status_events:
            await webhook.tell(self.placed.status_url, status)

    def _note(self, *verbs: str) -> None:
        for verb in verbs:
            self.log.verbs_after_stream.append(verb)
            self._tell(f"the colleague: {verb}")
