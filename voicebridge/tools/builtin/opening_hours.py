"""The tool that tells when the business is open."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, tzinfo
from typing import Annotated, Literal, TypedDict
from zoneinfo import ZoneInfo

from voicebridge.errors import ToolFailed
from voicebridge.tools.context import CallContext
from voicebridge.tools.tool import Tool, tool

Clock = Callable[[tzinfo], datetime]
Day = Literal[
    "today",
    "tomorrow",
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
]
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_AHEAD = {"today": 0, "tomorrow": 1}


class OpeningHours(TypedDict):
    """Tell about one weekday; the times are on the 24-hour clock, None when closed."""

    day: str
    open: bool
    opens: str | None
    closes: str | None


def opening_hours_tool(clock: Clock = datetime.now) -> Tool:
    """Make the tool; ``clock(zone)`` tells the time of the business."""

    @tool
    async def opening_hours(
        day: Annotated[Day, "The day that the caller asks about."], context: CallContext
    ) -> OpeningHours:
        """Tell when the business opens and closes on a day, on the 24-hour clock."""
        business = context.business
        if business is None:
            raise ToolFailed("The opening hours are not known. Offer that somebody calls back.")
        weekday: str = day
        if day in _AHEAD:
            date = clock(ZoneInfo(business.time_zone)) + timedelta(days=_AHEAD[day])
            weekday = _WEEKDAYS[date.weekday()]
        hours = business.hours_on(weekday)
        opens, closes = hours or (None, None)
        return OpeningHours(day=weekday, open=hours is not None, opens=opens, closes=closes)

    return opening_hours
