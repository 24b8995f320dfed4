"""Place a call, if it may be placed."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlencode

import structlog

from voicebridge.outbound.opt_out import OptOutList
from voicebridge.outbound.rest import NewCall, Rest
from voicebridge.outbound.rules import CallRefused, check_hours, home_zones
from voicebridge.personas.numbers import checked_number
from voicebridge.settings import Outbound

log = structlog.get_logger(__name__)

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Who is to be called, by which agent; ``consent``: whether that person has agreed to it."""

    to: str
    persona: str
    consent: bool
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Urls:
    """Where the carrier finds us, without queries."""

    voice: str
    status: str
    machine: str


class PerMinute:
    """So many calls a minute, of one process."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._placed: deque[float] = deque()

    def allows(self) -> bool:
        """Count a call; False, and not counted, if it is one too many."""
        now = time.monotonic()
        while self._placed and self._placed[0] <= now - MINUTE_S:
            self._placed.popleft()
        if len(self._placed) >= self._most:
            return False
        self._placed.append(now)
        return True


class Dialler:
    """Places calls by the rules of the settings.

    ``may_place`` counts a call that is about to be placed, and tells whether there are not too
    many; several processes that place calls count together by it.
    """

    def __init__(
        self,
        settings: Outbound,
        rest: Rest,
        opt_out: OptOutList,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        may_place: Callable[[], bool] | None = None,
    ) -> None:
        self._settings, self._rest, self._opt_out, self._now = settings, rest, opt_out, now
        self._may_place = may_place or PerMinute(settings.calls_per_minute).allows

    async def place(self, wish: Wish, urls: Urls) -> str:
        """Place a call and return its id; raises ``CallRefused`` or ``RestError``."""
        settings, caller_id = self._settings, self._settings.caller_id
        if not settings.enabled or caller_id is None:
            raise CallRefused("off", "outbound calls are not enabled")
        number = await self._allowed(wish)
        if not self._may_place():
            raise CallRefused("rate", "too many calls within a minute; try again soon")
        query = urlencode({**wish.params, "bridge.persona": wish.persona})
        call = NewCall(
            to=number,
            caller_id=caller_id,
            voice_url=f"{urls.voice}?{query}",
            status_url=urls.status,
            machine_url=urls.machine if settings.detect_machines else None,
        )
        call_id = await self._rest.create_call(call)
        log.info("call_placed", call_id=call_id, to=number, persona=wish.persona)
        return call_id

    async def close(self) -> None:
        """Let go of connections."""
        await self._rest.close()

    async def _allowed(self, wish: Wish) -> str:
        """Return the number as it is to be dialled."""
        if not wish.consent:
            raise CallRefused("consent", "without consent nobody is called")
        try:
            number = checked_number(wish.to)
        except ValueError as error:
            raise CallRefused("number", str(error)) from None
        if await asyncio.to_thread(self._opt_out.__contains__, number):
            raise CallRefused("opt_out", "this number does not want to be called")
        zones = await asyncio.to_thread(home_zones, number)
        check_hours(zones, self._now(), self._settings.from_hour, self._settings.until_hour)
        return number
