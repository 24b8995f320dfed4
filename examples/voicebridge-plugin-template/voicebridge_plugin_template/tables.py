"""Tools for the tables of a restaurant; put your own bookings in the place of ``Bookings``."""

from __future__ import annotations

from datetime import date, time
from threading import Lock
from typing import Annotated

from pydantic import Field

from voicebridge.errors import ToolFailed
from voicebridge.tools.context import CallContext
from voicebridge.tools.tool import tool

Day = Annotated[date, "The day of the visit, such as 2030-05-01."]
Seats = Annotated[int, Field(ge=1, le=8), "For how many people."]


class Bookings:
    """Keep bookings in memory; tools of many calls use them at once, hence the lock."""

    TIMES = (time(18), time(20))

    def __init__(self) -> None:
        self._taken: dict[tuple[date, time], str] = {}
        self._lock = Lock()

    def free(self, day: date) -> list[time]:
        """Return the times that are free on a day."""
        return [at for at in self.TIMES if (day, at) not in self._taken]

    def take(self, day: date, at: time, caller: str) -> bool:
        """Book a table; tells whether it was free. Booking it twice for one caller is once."""
        with self._lock:
            return self._taken.setdefault((day, at), caller) == caller


bookings = Bookings()


@tool
def free_tables(day: Day, seats: Seats = 2) -> list[str]:
    """Tell at which times a table is free.

    Ask the caller for the day and the number of people first.
    """
    return [f"{at:%H:%M}" for at in bookings.free(day)]


@tool(confirm=True, timeout_s=5)
def book_table(
    context: CallContext,
    day: Day,
    at: Annotated[time, "The time, as free_tables tells it."],
    name: Annotated[str, Field(min_length=1, max_length=80), "Who comes."],
    seats: Seats = 2,
) -> dict[str, str]:
    """Book a table. Use it only with a time that free_tables has told."""
    if at not in bookings.TIMES:
        raise ToolFailed("There is no table at that time. Use free_tables to find one.")
    if not bookings.take(day, at, context.caller):
        raise ToolFailed("That table has just been taken. Offer another time.")
    return {"booked": f"{day:%d %B}, {at:%H:%M}", "for": name}
