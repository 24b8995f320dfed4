"""What the carrier does in a rehearsal besides carrying the call, as its file says it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from voicebridge.rehearsal.colleague import ColleagueManner
from voicebridge.rehearsal.steps import Milliseconds, Strict

DialStatus = Literal["completed", "busy", "no-answer", "failed", "canceled"]
AnsweredBy = Literal[
    "human",
    "machine_start",
    "machine_end_beep",
    "machine_end_silence",
    "machine_end_other",
    "fax",
    "unknown",
]


class OutboundCall(Strict):
    """The bridge is asked to place the call; whoever is called is the caller of the script.

    The carrier tells ``answered_by`` so long after the stream began.
    """

    to: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]
    answered_by: AnsweredBy = "human"
    detected_after_ms: Milliseconds = 1000


class CarrierSide(Strict):
    """What the carrier does.

    ``dials`` is how each ``<Dial>`` goes, in order; further ones are answered. ``earlier_calls``
    are placed before, one after the other and with the same script; ``calls_meanwhile`` are on the
    line all the while, of other callers. ``colleague`` is what somebody does whom the bridge calls.
    """

    dials: tuple[DialStatus, ...] = ()
    earlier_calls: Annotated[int, Field(ge=0, le=5)] = 0
    calls_meanwhile: Annotated[int, Field(ge=0, le=5)] = 0
    outbound: OutboundCall | None = None
    colleague: ColleagueManner = "takes"
