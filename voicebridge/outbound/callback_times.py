"""When a promised call is to be: what was said, on the clock of the business."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from voicebridge.errors import ToolFailed
from voicebridge.tools.context import Business

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SOONEST, LATEST = timedelta(minutes=5), timedelta(days=30)

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"([0-9]{1,2}):([0-9]{2})")


def when(day: str, at: str, business: Business, now: datetime) -> datetime:
    """Return the moment that is meant, in UTC; raises ToolFailed, with the present time.

    ``day`` is today, tomorrow, the next such weekday, or a date; ``at`` is on the 24-hour clock.
    """
    zone = ZoneInfo(business.time_zone)
    here = now.astimezone(zone)
    try:
        wanted_time = _time(at)
        wanted = datetime.combine(_date(day.strip().lower(), wanted_time, here), wanted_time, zone)
    except ValueError:
        raise _no("this is no day and time", here) from None
    moment = wanted.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != wanted.replace(tzinfo=None):
        raise _no("the clocks are changed on that day, and there is no such time", here)
    if moment < now + SOONEST:
        raise _no(f"the time must be at least {SOONEST.seconds // 60} minutes ahead", here)
    if moment > now + LATEST:
        raise _no(f"the time must be within {LATEST.days} days", here)
    if not is_open(business, wanted):
        raise _no(f"we are closed then; {_hours(business, wanted)}", here)
    return moment


def is_open(business: Business, local: datetime) -> bool:
    """Tell whether the business is open at a time of its own clock."""
    minute = local.hour * 60 + local.minute
    opens, closes = _span(business, local)
    if opens <= minute < closes:
        return True
    _, closes_late = _span(business, local - timedelta(days=1))
    return minute < closes_late - 24 * 60


def _span(business: Business, local: datetime) -> tuple[int, int]:
    """Return when it opens and closes, in minutes of that day; past midnight goes beyond it."""
    hours = business.hours_on(WEEKDAYS[local.weekday()])
    if hours is None:
        return (0, 0)
    opens, closes = (60 * int(each.split(":")[0]) + int(each.split(":")[1]) for each in hours)
    return (opens, closes if closes > opens else closes + 24 * 60)


def _date(day: str, at: time, here: datetime) -> date:
    if day in {"today", "tomorrow"}:
        return here.date() + timedelta(days=day == "tomorrow")
    if day in WEEKDAYS:
        ahead = (WEEKDAYS.index(day) - here.weekday()) % 7
        over = ahead == 0 and at <= here.time()
        return here.date() + timedelta(days=ahead + 7 * over)
    if not _DATE.fullmatch(day):
        raise ValueError
    return date.fromisoformat(day)


def _time(at: str) -> time:
    match = _TIME.fullmatch(at.strip())
    if match is None:
        raise ValueError
    return time(int(match[1]), int(match[2]))


def _hours(business: Business, local: datetime) -> str:
    weekday = WEEKDAYS[local.weekday()]
    hours = business.hours_on(weekday)
    return f"on {weekday} we are open {hours[0]} to {hours[1]}" if hours else f"{weekday} is closed"


def _no(why: str, here: datetime) -> ToolFailed:
    return ToolFailed(f"{why}. Here it is {WEEKDAYS[here.weekday()]}, {here:%Y-%m-%d %H:%M}.")
