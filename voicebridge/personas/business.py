"""The business that a persona answers for, and when it is open."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, get_args
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from voicebridge.personas.yaml_faults import did_you_mean

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)

_SPAN = re.compile(r"(\d{1,2}):(\d{2})\s*[-\u2013]\s*(\d{1,2}):(\d{2})")
_FORM = "opening hours such as '9:00-18:00' (24-hour clock), or 'closed'"


def _opening(text: str) -> str:
    """Return ``text`` in one spelling, ``H:MM-H:MM`` or ``closed``."""
    if text.strip().lower() == "closed":
        return "closed"
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"expected {_FORM}, got {text!r}")
    numbers = [int(number) for number in match.groups()]
    opens, closes = (hour * 60 + minute for hour, minute in (numbers[:2], numbers[2:]))
    if max(numbers[1], numbers[3]) > 59 or opens >= 24 * 60 or closes > 24 * 60:
        raise ValueError(f"expected {_FORM}; {text!r} names an hour that no clock shows")
    if opens == closes:
        raise ValueError(f"{text!r} opens and closes at the same minute; all day is '0:00-24:00'")
    return f"{numbers[0]}:{numbers[1]:02}-{numbers[2]}:{numbers[3]:02}"


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):  # unknown; not a name; a folder of zones
        hint = did_you_mean(name, available_timezones())
        raise ValueError(
            f"expected a time zone such as 'Europe/Berlin', got {name[:40]!r}{hint}"
        ) from None
    return name


Opening = Annotated[str, AfterValidator(_opening)]
TimeZone = Annotated[str, AfterValidator(_time_zone)]

_HOURS = "Such as '9:00-18:00' on the 24-hour clock, or closed."


class Hours(BaseModel):
    """Hold the opening hours of each weekday; a day that is not named is closed.

    A closing time before the opening time is past midnight.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    monday: Opening = Field(default="closed", description=_HOURS)
    tuesday: Opening = Field(default="closed", description=_HOURS)
    wednesday: Opening = Field(default="closed", description=_HOURS)
    thursday: Opening = Field(default="closed", description=_HOURS)
    friday: Opening = Field(default="closed", description=_HOURS)
    saturday: Opening = Field(default="closed", description=_HOURS)
    sunday: Opening = Field(default="closed", description=_HOURS)


class Business(BaseModel):
    """Name the business, its opening hours and the time zone that these are in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, description="What it is called.")
    time_zone: TimeZone = Field(
        default="UTC", description="Decides what 'today' and 'now' are, such as Europe/Berlin."
    )
    hours: Hours = Field(default=Hours(), description="When it is open, by weekday.")

    def hours_on(self, weekday: str) -> tuple[str, str] | None:
        """Return when the business opens and closes on ``weekday``, as ("9:00", "18:00").

        None when it is closed; ``weekday`` is an English name in lower case.
        """
        span: Any = getattr(self.hours, weekday)
        opens, _, closes = span.partition("-")
        return (opens, closes) if closes else None
