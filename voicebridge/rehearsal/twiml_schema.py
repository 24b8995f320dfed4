"""Which attributes the carrier's verbs and nouns take; others are told as its schema warning."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

_CALLBACK = {"statusCallback", "statusCallbackMethod"}
_EVENTS = {*_CALLBACK, "statusCallbackEvent"}
_RECORDING = {
    "record",
    "recordingStatusCallback",
    "recordingStatusCallbackMethod",
    "recordingStatusCallbackEvent",
    "recordingTrack",
    "trim",
}

ATTRIBUTES: dict[str, set[str]] = {
    "Response": set(),
    "Connect": {"action", "method"},
    "Stream": {"url", "name", "track", *_CALLBACK},
    "Parameter": {"name", "value"},
    "Say": {"voice", "language", "loop"},
    "Play": {"digits", "loop"},
    "Pause": {"length"},
    "Redirect": {"method"},
    "Hangup": set(),
    "Reject": {"reason"},
    "Dial": {
        *("action", "method", "answerOnBridge", "callerId", "callReason", "hangupOnStar"),
        *("referUrl", "referMethod", "ringTone", "sequential", "timeLimit", "timeout", *_RECORDING),
    },
    "Number": {"byoc", "method", "sendDigits", "url", *_EVENTS},
    "Conference": {
        *("beep", "coach", "endConferenceOnExit", "eventCallbackUrl", "jitterBufferSize"),
        *("maxParticipants", "muted", "participantLabel", "region", "startConferenceOnEnter"),
        *("waitMethod", "waitUrl", *_EVENTS, *_RECORDING),
    },
    "Gather": {
        *("action", "actionOnEmptyResult", "bargeIn", "finishOnKey", "hints", "input", "language"),
        *("method", "numDigits", "partialResultCallback", "partialResultCallbackMethod"),
        *("profanityFilter", "speechModel", "speechTimeout", "timeout"),
    },
    "Record": {
        *("action", "finishOnKey", "maxLength", "method", "playBeep", "timeout", "transcribe"),
        *("transcribeCallback", *_RECORDING),
    },
}

_METHOD = re.compile("GET|POST", re.IGNORECASE)
_WHOLE = re.compile(r"[0-9]{1,6}")
_TRUTH = re.compile("true|false", re.IGNORECASE)
_E164 = re.compile(r"\+[1-9][0-9]{1,14}")
_REASON = re.compile("rejected|busy")

VALUES: dict[str, re.Pattern[str]] = {
    "method": _METHOD,
    "statusCallbackMethod": _METHOD,
    "waitMethod": _METHOD,
    "length": _WHOLE,
    "loop": _WHOLE,
    "timeout": re.compile("[0-9]{1,6}|auto"),
    "timeLimit": _WHOLE,
    "numDigits": _WHOLE,
    "maxLength": _WHOLE,
    "answerOnBridge": _TRUTH,
    "hangupOnStar": _TRUTH,
    "startConferenceOnEnter": _TRUTH,
    "endConferenceOnExit": _TRUTH,
    "muted": _TRUTH,
    "actionOnEmptyResult": _TRUTH,
    "playBeep": _TRUTH,
    "callerId": _E164,
    "reason": _REASON,
}


def schema_problems(root: ET.Element) -> list[str]:
    """Tell every attribute that is unknown at its place, or has an unusable value."""
    problems = []
    for element in root.iter():
        known = ATTRIBUTES.get(element.tag)
        if known is None:  # the reader tells elements that are unknown
            continue
        for name, value in element.items():
            if name not in known:
                problems.append(f"12200: <{element.tag}> has no attribute {name!r}")
            elif name in VALUES and not VALUES[name].fullmatch(value):
                problems.append(f"12200: <{element.tag} {name}={value!r}> cannot be used")
    return problems


def is_number(text: str) -> bool:
    """Tell whether a text is a telephone number in international form."""
    return _E164.fullmatch(text) is not None
