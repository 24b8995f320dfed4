"""Whom a persona's calls may reach: places by name, and which numbers beyond these."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from voicebridge.personas.numbers import PhoneNumber

_COUNTRY = re.compile(r"[A-Z]{2}")
_PREFIX = re.compile(r"\+[1-9][0-9]{1,14}")
_VOICE = re.compile(r"[a-z]{2,3}-[A-Z]{2}")


def _language(written: str) -> str:
    if not _VOICE.fullmatch(written):
        raise ValueError(f"expected a language such as 'en-US' or 'de-DE', got {written[:40]!r}")
    return written


class Destination(BaseModel):
    """Say where a caller may be connected to, and how.

    ``cold`` connects at once. ``warm`` calls a colleague first, who hears what it is about and
    takes the call by pressing 1; until then, and if nobody takes it, the caller stays with the
    agent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: PhoneNumber = Field(description="The number to dial.")
    mode: Literal["cold", "warm"] = Field(
        default="cold",
        description="cold connects at once; warm asks the colleague first, who hears a summary.",
    )
    ring_s: int = Field(
        default=20, ge=5, le=40, description="warm: how long the colleague's telephone rings."
    )
    ask: str = Field(
        default="Press 1 to take the call.",
        min_length=1,
        max_length=200,
        description="warm: said to the colleague after the summary.",
    )
    language: Annotated[str, AfterValidator(_language)] | None = Field(
        default=None,
        description="warm: the language of the voice that says it, such as de-DE; null leaves it "
        "to the carrier.",
    )


def _place(written: Any) -> Any:
    """Read a plain number as a place to be connected to at once."""
    return {"number": written} if isinstance(written, str) else written


Place = Annotated[
    Destination, BeforeValidator(_place, json_schema_input_type=Destination | PhoneNumber)
]


def _pattern(written: str) -> str:
    """Check a country or the beginning of a number; ``+1`` alone would be 25 countries."""
    if not _COUNTRY.fullmatch(written) and not _PREFIX.fullmatch(written):
        raise ValueError(
            "expected a country such as 'DE', or the beginning of a number with two digits or "
            f"more such as '+4930', got {written[:40]!r}"
        )
    return written


NumberPattern = Annotated[str, AfterValidator(_pattern), Field(examples=["DE", "+4930"])]
