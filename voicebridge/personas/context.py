"""What a persona's words may know of the call that they are said in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from voicebridge.personas.business import WEEKDAYS, Business
from voicebridge.personas.numbers import ANONYMOUS, is_anonymous
from voicebridge.personas.outside import MAX_CHARACTERS, as_data
from voicebridge.personas.template import Name, Value
from voicebridge.personas.template_check import Kind

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December",
)  # fmt: skip

_OF_EVERY_CALL: dict[str, Kind] = {
    "caller.number": "text",
    "caller.anonymous": "flag",
    "called.number": "text",
    "now": "text",
    "now.date": "text",
    "now.time": "text",
    "now.weekday": "text",
    "now.month": "text",
    "now.year": "number",
    "now.day": "number",
    "now.hour": "number",
    "now.minute": "number",
}


def variable_kinds(
    params: Mapping[str, str], facts: Mapping[str, str], business: Business | None
) -> dict[str, Kind]:
    """Return all variables of a persona by name, and what each yields."""
    kinds = dict(_OF_EVERY_CALL)
    for group, names in (("params", params), ("facts", facts)):
        kinds |= dict.fromkeys((f"{group}.{name}" for name in names), "text")
    if business is not None:
        kinds |= {"business.name": "text", "business.time_zone": "text"}
    return kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonaContext:
    """One call, as its persona sees it.

    ``now`` knows its time zone. Numbers and parameters come from outside and are data: each
    becomes one short line in which no fence, tag or template can be closed, and only its name
    stands among instructions.
    """

    caller: str
    called: str
    now: datetime
    params: Mapping[str, str] = field(default_factory=dict)

    def values(
        self, params: Mapping[str, str], facts: Mapping[str, str], business: Business | None
    ) -> dict[str, Value]:
        """Return the values of all variables; ``params`` holds what is said where one is missing.

        Parameters that were not declared are told, too, for those that a text has a default for.
        """
        brought = self._brought()
        anonymous = is_anonymous(self.caller)
        values: dict[str, Value] = {
            "caller.number": ANONYMOUS if anonymous else as_data(self.caller),
            "caller.anonymous": anonymous,
            "called.number": as_data(self.called),
            **_hour(self.now.astimezone(ZoneInfo(business.time_zone if business else "UTC"))),
            **{f"params.{name}": value for name, value in {**params, **brought}.items()},
            **{f"facts.{name}": fact for name, fact in facts.items()},
        }
        if business is not None:
            values |= {"business.name": business.name, "business.time_zone": business.time_zone}
        return values

    def said(self, values: Mapping[str, Value]) -> dict[str, Value]:
        """Return what is said of all variables among instructions: of values from outside names."""
        outside = {"called.number", *(f"params.{name}" for name in self._brought())}
        if not values["caller.anonymous"]:
            outside.add("caller.number")
        return {n: Name(f"[{n}]") if n in outside else value for n, value in values.items()}

    def _brought(self) -> dict[str, str]:
        """Return the parameters that have a value, as data."""
        brought = {name: as_data(value) for name, value in self.params.items()}
        return {name: value for name, value in brought.items() if value}

    @staticmethod
    def longest(
        kinds: Mapping[str, Kind], facts: Mapping[str, str], *, flag: bool
    ) -> dict[str, Value]:
        """Return values as long as they can be, to try out how long a text can become."""
        longest: dict[Kind, Value] = {"text": "W" * MAX_CHARACTERS, "number": 9999, "flag": flag}
        values = {name: longest[kind] for name, kind in kinds.items()}
        return values | {f"facts.{name}": fact for name, fact in facts.items()}


def _hour(now: datetime) -> dict[str, Value]:
    date = f"{now.day} {_MONTHS[now.month - 1]} {now.year}"
    weekday, time = WEEKDAYS[now.weekday()].capitalize(), f"{now:%H:%M}"
    return {
        "now": f"{weekday}, {date}, {time}",
        "now.date": date,
        "now.time": time,
        "now.weekday": weekday,
        "now.month": _MONTHS[now.month - 1],
        "now.year": now.year,
        "now.day": now.day,
        "now.hour": now.hour,
        "now.minute": now.minute,
    }
