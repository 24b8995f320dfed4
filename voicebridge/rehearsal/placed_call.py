"""A call that the bridge asked the carrier's REST API to place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedCall:
    """A call to be placed, as the bridge has asked for it.

    ``machine_url`` is told ``answered_by`` so long after the stream began; empty, nobody asks.
    """

    call_sid: str
    to: str
    caller_id: str
    url: str
    method: str = "POST"
    status_url: str = ""
    status_events: frozenset[str] = frozenset()
    machine_url: str = ""
    answered_by: str = "human"
    detected_after_ms: int = 0

    @classmethod
    def asked(cls, call_sid: str, form: dict[str, list[str]], **more: Any) -> PlacedCall:
        """Read the form of a request (Twilio, section 8)."""

        def one(name: str) -> str:
            return form.get(name, [""])[0]

        return cls(
            call_sid=call_sid,
            to=one("To"),
            caller_id=one("From"),
            url=one("Url"),
            method=one("Method") or "POST",
            status_url=one("StatusCallback"),
            status_events=frozenset(form.get("StatusCallbackEvent", ["completed"])),
            machine_url=one("AsyncAmdStatusCallback"),
            **more,
        )
