"""What the carrier's REST API takes, field by field (Twilio, section 8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

Form = Mapping[str, list[str]]

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_URL = re.compile(r"https?://[^\s]+")
_SERVICE = re.compile(r"MG[0-9a-f]{32}")
LONGEST_BODY, LONGEST_TWIML = 1600, 4000


class ApiFault(NamedTuple):
    """An answer of the API that refuses: HTTP status, its own code, words."""

    status: int
    code: int
    message: str


@dataclass(frozen=True, slots=True)
class FormRules:
    """Which fields a request has; ``one_of`` names those of which exactly one is there."""

    required: frozenset[str]
    known: frozenset[str]
    one_of: frozenset[str] = frozenset()
    repeated: frozenset[str] = frozenset()


_CALL_MORE = """FallbackUrl StatusCallback StatusCallbackMethod StatusCallbackEvent Method
    SendDigits Timeout TimeLimit Record CallerId CallReason MachineDetection
    MachineDetectionTimeout AsyncAmd AsyncAmdStatusCallback AsyncAmdStatusCallbackMethod Trim"""
_UPDATE_MORE = "Method FallbackUrl StatusCallback StatusCallbackMethod TimeLimit"

NEW_CALL = FormRules(
    frozenset({"To", "From"}),
    frozenset(_CALL_MORE.split()),
    frozenset({"Url", "Twiml", "ApplicationSid"}),
    frozenset({"StatusCallbackEvent"}),
)
CHANGED_CALL = FormRules(
    frozenset(), frozenset(_UPDATE_MORE.split()), frozenset({"Status", "Twiml", "Url"})
)
MESSAGE = FormRules(
    frozenset({"To", "Body"}),
    frozenset({"StatusCallback", "ValidityPeriod"}),
    frozenset({"From", "MessagingServiceSid"}),
)

_EVENTS = {"initiated", "ringing", "answered", "completed"}


def fault_of(form: Form, rules: FormRules) -> ApiFault | None:
    """Tell why the API refuses a form, if it does."""
    for name, values in form.items():
        if name not in rules.required | rules.known | rules.one_of:
            return ApiFault(400, 20001, f"unknown parameter {name}")
        if len(values) > 1 and name not in rules.repeated:
            return ApiFault(400, 20001, f"{name} is there {len(values)} times")
    if missing := sorted(rules.required - form.keys()):
        return ApiFault(400, 21201, f"missing: {', '.join(missing)}")
    if rules.one_of and len(rules.one_of & form.keys()) != 1:
        return ApiFault(400, 21205, f"exactly one of {', '.join(sorted(rules.one_of))} is needed")
    return next((fault for name in form if (fault := _value_fault(name, form[name]))), None)


def _value_fault(name: str, values: list[str]) -> ApiFault | None:
    value = values[0]
    match name:
        case "To" if not _E164.fullmatch(value):
            return ApiFault(400, 21211, "To is no number in international form")
        case "From" if not _E164.fullmatch(value):
            return ApiFault(400, 21212, "From is no number in international form")
        case "MessagingServiceSid" if not _SERVICE.fullmatch(value):
            return ApiFault(400, 21701, "MessagingServiceSid is none")
        case "Body" if not 0 < len(value) <= LONGEST_BODY:
            return ApiFault(400, 21617, "Body is empty or too long")
        case "Twiml" if len(value) > LONGEST_TWIML:
            return ApiFault(400, 21205, "Twiml is too long")
        case "Status" if value not in {"completed", "canceled"}:
            return ApiFault(400, 21220, f"Status cannot be {value}")
        case "AsyncAmd" if value not in {"true", "false"}:
            return ApiFault(400, 20001, "AsyncAmd is the text true or false")
        case "StatusCallbackEvent" if set(values) - _EVENTS:
            return ApiFault(400, 21626, f"events {values}")
    if name == "Url" or name.endswith("Callback"):
        return None if _URL.fullmatch(value) else ApiFault(400, 21205, f"{name} is no URL")
    return None
