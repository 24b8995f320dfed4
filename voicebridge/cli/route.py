"""``voicebridge route``: says who would answer a call, and why nobody before did."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO
from zoneinfo import ZoneInfo

from voicebridge.cli.personas import load_book
from voicebridge.cli.table import aligned, can_show
from voicebridge.errors import ConfigError
from voicebridge.personas.numbers import is_anonymous, normalise_number
from voicebridge.personas.routing import Asked


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteQuestion:
    """A call as it is described on the command line; ``at`` is an ISO date and time, or None."""

    called: str
    caller: str = "anonymous"
    at: str | None = None
    params: dict[str, str] = field(default_factory=dict)


def run_route(config_dir: Path, question: RouteQuestion, out: TextIO) -> int:
    """Print the rules that are looked at, and the persona; raises ``ConfigError``."""
    book = load_book(config_dir)
    zone = ZoneInfo(book.routing.time_zone)
    at = _moment(question.at, zone)
    route = book.route(Asked(question.called, question.caller, at, question.params))
    yes, no = ("✓", "✗") if can_show(out, "✓✗→") else ("ok", "no")
    caller = "withheld" if is_anonymous(question.caller) else normalise_number(question.caller)
    print(
        f"to {normalise_number(question.called)}, from {caller}, {at:%A %Y-%m-%d %H:%M} {zone}",
        file=out,
    )
    rows = [(yes if step.fits else no, step.rule, step.why) for step in route.steps]
    print("\n".join(aligned(rows)), file=out)
    print(f"\n{route.persona} answers: {book[route.persona].name}", file=out)
    return 0


def _moment(written: str | None, zone: ZoneInfo) -> datetime:
    """Read a time of day in the rules' time zone, unless it brings its own; now if None."""
    if written is None:
        return datetime.now(UTC).astimezone(zone)
    try:
        at = datetime.fromisoformat(written)
    except ValueError:
        raise ConfigError(
            f"expected a date and time such as 2026-11-22T10:00, got {written[:40]!r}", key="--at"
        ) from None
    return at.replace(tzinfo=zone) if at.tzinfo is None else at.astimezone(zone)
