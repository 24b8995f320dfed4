"""What a check has found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Mark = Literal["well", "doubtful", "wrong", "skipped"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; what is not well has a remedy."""

    what: str
    mark: Mark
    note: str
    remedy: str = ""


def well(what: str, note: str) -> Finding:
    """Make the finding that all is as it should be."""
    return Finding(what, "well", note)


def doubtful(what: str, note: str, remedy: str) -> Finding:
    """Make the finding that calls come in, but may not for long."""
    return Finding(what, "doubtful", note, remedy)


def wrong(what: str, note: str, remedy: str) -> Finding:
    """Make the finding that something keeps calls from coming in."""
    return Finding(what, "wrong", note, remedy)


def skipped(what: str, why: str) -> Finding:
    """Make the finding that nothing could be looked at."""
    return Finding(what, "skipped", why)
