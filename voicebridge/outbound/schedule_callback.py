"""The tool by which an agent promises that the caller is called back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import structlog
from pydantic import Field

from voicebridge.errors import ToolFailed
from voicebridge.outbound.callback_book import Callback, CallbackBook, TooManyCallbacks
from voicebridge.outbound.callback_times import when
from voicebridge.outbound.opt_out import OptOutList
from voicebridge.outbound.rules import CallRefused, check_hours, home_zones
from voicebridge.settings import Outbound
from voicebridge.tools.builtin.destinations import allowed_number, callers_number
from voicebridge.tools.context import CallContext
from voicebridge.tools.data import clean
from voicebridge.tools.tool import Tool, tool

log = structlog.get_logger(__name__)

NAME = "schedule_callback"
CALLER = "caller"
Now = Callable[[], datetime]


def schedule_callback_tool(settings: Outbound, now: Now = lambda: datetime.now(UTC)) -> Tool:
    """Make the tool for the calls that a bridge of these settings places."""
    file = settings.callbacks_file
    book = CallbackBook(file, settings.callbacks_per_number) if file else None

    @tool(name=NAME, confirm=True)
    async def schedule(
        context: CallContext,
        day: Annotated[
            str, Field(max_length=20), "today, tomorrow, a weekday, or a date such as 2026-11-30."
        ],
        time: Annotated[str, Field(max_length=8), "The time on the 24-hour clock, such as 14:30."],
        about: Annotated[
            str, Field(min_length=1, max_length=200), "What the call is about, in a few words."
        ],
        number: Annotated[
            str, Field(max_length=40), "caller, or another number with + and the country's code."
        ] = CALLER,
    ) -> dict[str, str]:
        """Promise that we call back at a time within the opening hours.

        Agree on the day and the time with the caller first. It is the clock of the business.
        """
        if book is None or not settings.enabled or context.business is None:
            raise ToolFailed("nobody can be called back from here; offer to take a message")
        moment = when(day, time, context.business, now())
        wanted = await asyncio.to_thread(_number, number, context)
        to = await _may_be_called(wanted, moment, settings)
        callback = Callback(
            number=to,
            at=moment,
            persona=context.persona,
            about=clean(about).strip(),
            promised_in=context.call_id,
        )
        try:
            await asyncio.to_thread(book.add, callback)
        except TooManyCallbacks:
            raise ToolFailed("this number has been promised enough calls already") from None
        log.info("callback_promised", at=moment.isoformat(), to=to)
        zone = context.business.time_zone
        return {
            "calls_back": f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}",
            "time_zone": zone,
        }

    return schedule


def _number(wanted: str, context: CallContext) -> str:
    if wanted == CALLER:
        return callers_number(context)
    if context.allowed_numbers:
        return allowed_number(wanted, context.allowed_numbers)
    raise ToolFailed("only the number that the caller calls from can be called back")


async def _may_be_called(number: str, moment: datetime, settings: Outbound) -> str:
    """Return the number if it may be called at that moment; raises ToolFailed."""
    if settings.opt_out_file is not None:
        opted_out = OptOutList(settings.opt_out_file).__contains__
        if await asyncio.to_thread(opted_out, number):
            raise ToolFailed("this person has asked not to be called; offer another way")
    try:
        zones = await asyncio.to_thread(home_zones, number)
        check_hours(zones, moment, settings.from_hour, settings.until_hour)
    except CallRefused as refused:
        raise ToolFailed(f"nobody can be called then: {refused}") from None
    return number
