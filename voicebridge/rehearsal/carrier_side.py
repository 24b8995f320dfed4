"""What the carrier does in a rehearsal besides carrying the call, as its file says it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from voicebridge.rehearsal.colleague import ColleagueManner
from voicebridge.rehearsal.steps import AgentStep, Milliseconds, Strict

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

Number = Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")]


class OutboundCall(Strict):
    """The bridge is asked to place the call; whoever is called is the caller of the script.

    The carrier tells ``answered_by`` so long after the stream began.
    """

    to: Number
    answered_by: AnsweredBy = "human"
    detected_after_ms: Milliseconds = 1000


class CarrierSide(Strict):
    """What the carrier does, for a caller who has ``caller_number``.

    ``dials`` is how each ``<Dial>`` goes, in order; further ones are answered. ``earlier_calls``
    are placed before, one after the other, with the same caller and an agent who says
    ``earlier_agent``; ``calls_meanwhile`` are on the line all the while, of other callers.
    ``colleague`` is what somebody does whom the bridge calls.
    """

    caller_number: Number = "+15550100001"
    dials: tuple[DialStatus, ...] = ()
    earlier_calls: Annotated[int, Field(ge=0, le=5)] = 0
    earlier_agent: tuple[AgentStep, ...] = ()
    calls_meanwhile: Annotated[int, Field(ge=0, le=5)] = 0
    outbound: OutboundCall | None = None
    colleague: ColleagueManner = "takes"
