"""Who answers: rules by number, caller, hour and parameter; the first that fits wins.

The rules stand in ``config/routing.yaml``. Where none fits, the persona answers that lists the
called number, and where none does, the default. A route tells why it was taken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from voicebridge.personas.business import WEEKDAYS, Opening, TimeZone, Weekday
from voicebridge.personas.numbers import (
    ANONYMOUS,
    checked_number,
    is_anonymous,
    normalise_number,
)

ROUTING_FILE: Final = "routing.yaml"

_FROZEN = ConfigDict(frozen=True, extra="forbid")
_PREFIX: Final = re.compile(r"\+[1-9]\d{0,13}")
_ADDRESS: Final = re.compile(r"(sip|sips|client):[^\s*]{1,200}")


def _pattern(written: str) -> str:
    """Return a number, the beginning of one with a ``*`` behind it, or an address."""
    stem = written.removesuffix("*")
    if _ADDRESS.fullmatch(stem):
        return written
    if stem == written:
        return checked_number(written)
    prefix = normalise_number(stem)
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(
            f"expected the beginning of a number such as '+1555*', got {written[:40]!r}"
        )
    return f"{prefix}*"


def _caller(written: str) -> str:
    return ANONYMOUS if written.strip().lower() == ANONYMOUS else _pattern(written)


def _hours(span: str) -> str:
    if span == "closed":
        raise ValueError("expected a time of day such as '18:00-8:00', got 'closed'")
    return span


def _listed(written: Any) -> Any:
    if isinstance(written, str):
        return (written,)
    return tuple(written) if isinstance(written, list) else written


_ONE_OR_MORE: Final = BeforeValidator(_listed, json_schema_input_type=str | tuple[str, ...])

Called = Annotated[tuple[Annotated[str, AfterValidator(_pattern)], ...], _ONE_OR_MORE]
Caller = Annotated[tuple[Annotated[str, AfterValidator(_caller)], ...], _ONE_OR_MORE]


@dataclass(frozen=True, slots=True)
class Asked:
    """A call whose persona is asked for; ``at`` knows its time zone."""

    called: str
    caller: str
    at: datetime
    params: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Step:
    """One rule that was looked at: whether it fits, and why or why not."""

    rule: str
    fits: bool
    why: str


@dataclass(frozen=True, slots=True)
class Route:
    """The persona that answers, and the rules that were looked at; the last one fits."""

    persona: str
    steps: tuple[Step, ...]


class Rule(BaseModel):
    """Name the persona for calls that meet all conditions; each is one value or a list."""

    model_config = _FROZEN

    name: str | None = Field(
        default=None, min_length=1, description="What the rule is called when it is explained."
    )
    persona: str = Field(min_length=1, description="The persona that answers.")
    called: Called = Field(
        default=(), description="Called numbers; +1555* is every number that begins so."
    )
    caller: Caller = Field(default=(), description="Callers' numbers; anonymous for withheld ones.")
    weekdays: tuple[Weekday, ...] = Field(default=(), description="Days of the week.")
    hours: Annotated[Opening, AfterValidator(_hours)] | None = Field(
        default=None,
        description="A time of day, such as '9:00-18:00'; one that ends before it begins goes "
        "past midnight and belongs to the day on which it begins.",
    )
    time_zone: TimeZone | None = Field(
        default=None, description="Where weekdays and hours are meant; null: as above."
    )
    params: dict[str, str] = Field(
        default_factory=dict, description="Custom parameters that the call must bring."
    )

    @model_validator(mode="after")
    def _has_a_condition(self) -> Rule:
        if not (self.called or self.caller or self.weekdays or self.hours or self.params):
            raise ValueError(
                "a rule without a condition takes every call; use default_persona for that"
            )
        return self

    def step(self, number: int, asked: Asked, zone: str) -> Step:
        """Tell whether the rule fits a call; ``zone`` is the time zone of the whole file."""
        name = f"{number} {self.name}" if self.name else str(number)
        looked_at = []
        for fits, why in self._conditions(asked, ZoneInfo(self.time_zone or zone)):
            if not fits:
                return Step(name, False, why)
            looked_at.append(why)
        return Step(name, True, "; ".join(looked_at))

    def _conditions(self, asked: Asked, zone: ZoneInfo) -> Iterator[tuple[bool, str]]:
        if self.called:
            yield _numbered("called", asked.called, self.called)
        if self.caller:
            yield _numbered("caller", asked.caller, self.caller)
        if self.weekdays or self.hours:
            yield _timed(asked.at.astimezone(zone), self.weekdays, self.hours)
        for name, wanted in self.params.items():
            brought = asked.params.get(name)
            told = "is not brought" if brought is None else f"is {brought[:40]!r}"
            yield brought == wanted, f"the parameter {name} {told}, wanted {wanted[:40]!r}"


class Routing(BaseModel):
    """Hold what config/routing.yaml may say."""

    model_config = _FROZEN

    time_zone: TimeZone = Field(
        default="UTC", description="Where weekdays and hours of the rules are meant."
    )
    rules: tuple[Rule, ...] = Field(
        default=(), description="Looked at from top to bottom; the first that fits wins."
    )

    def steps(self, asked: Asked) -> Iterator[tuple[Rule, Step]]:
        """Yield the rules as they are looked at; the last one fits, if one does."""
        for number, rule in enumerate(self.rules, start=1):
            step = rule.step(number, asked, self.time_zone)
            yield rule, step
            if step.fits:
                return


def _numbered(what: str, number: str, patterns: Sequence[str]) -> tuple[bool, str]:
    plain = number.strip() if ":" in number else normalise_number(number)
    withheld = is_anonymous(number)
    shown = "withheld" if withheld else plain[:40]
    for pattern in patterns:
        if pattern == ANONYMOUS:
            fits = what == "caller" and withheld
        elif pattern.endswith("*"):
            fits = not withheld and plain.startswith(pattern[:-1])
        else:
            fits = plain == pattern
        if fits:
            return True, f"{what} {shown} is {pattern}"
    return False, f"{what} {shown} is not {' or '.join(patterns)}"


def _timed(at: datetime, days: Sequence[str], span: str | None) -> tuple[bool, str]:
    """Compare the hour of a place with days and a span of the clock."""
    minute, day = at.hour * 60 + at.minute, at
    within = True
    if span is not None:
        opens, closes = (_minute(clock) for clock in span.split("-"))
        if opens < closes:
            within = opens <= minute < closes
        else:
            within = minute >= opens or minute < closes
            if minute < closes:  # the night began on the day before
                day = at - timedelta(days=1)
    wanted = ", ".join(days) + (" " if days and span else "") + (span or "")
    fits = within and (not days or WEEKDAYS[day.weekday()] in days)
    now = f"{WEEKDAYS[at.weekday()]} {at.hour}:{at.minute:02}"
    return fits, f"it is {now} in {at.tzinfo}, {'within' if fits else 'not within'} {wanted}"


def _minute(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)
