"""Read a TwiML document the way the carrier does (Twilio Media Streams, section 1).

Verbs that this carrier does not act out, and attributes it would refuse, become problems with
the carrier's own error codes; the verbs that can be read are still carried out.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from urllib.parse import urlsplit

from voicebridge.rehearsal.twiml_schema import is_number, schema_problems
from voicebridge.rehearsal.twiml_verbs import (
    Conference,
    Connect,
    Dial,
    Document,
    Gather,
    Hangup,
    Pause,
    Play,
    Record,
    Redirect,
    Say,
    Verb,
)

__all__ = ["Connect", "Document", "read_twiml", "stream_url_problem"]

PARAMETER_LIMIT = 500


def read_twiml(text: str) -> Document:
    """Read a document; one that is not TwiML has no verbs and says why."""
    document = Document()
    try:
        root = ET.fromstring(text.encode())  # noqa: S314  # our own bridge's answer, on this machine
    except ET.ParseError as error:
        document.problems.append(f"12100: not XML: {error}")
        return document
    if root.tag != "Response":
        document.problems.append(f"12100: the root is <{root.tag}>, not <Response>")
        return document
    document.problems.extend(schema_problems(root))
    for element in root:
        reader = _READERS.get(element.tag)
        if reader is None:
            document.problems.append(f"12200: <{element.tag}> is not a verb this carrier plays")
            continue
        verb = reader(element, document.problems)
        if verb is not None:
            document.verbs.append(verb)
    return document


def stream_url_problem(url: str) -> str | None:
    """Tell what is wrong with a stream's url; ``ws`` is let through, for loopback."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return f"31923: malformed stream url {url!r}"
    if parts.scheme not in {"ws", "wss"}:
        return f"31922: the stream url must be wss://, not {url!r}"
    if not parts.hostname:
        return f"31923: malformed stream url {url!r}"
    if parts.query or "?" in url:
        return "31920: a stream url takes no query string; pass values as <Parameter>"
    return None


def _method(element: ET.Element) -> str:
    return element.get("method", "POST").upper()


def _text(element: ET.Element) -> str:
    return " ".join("".join(element.itertext()).split())


def _is_true(element: ET.Element, name: str, default: str) -> bool:
    return element.get(name, default).lower() == "true"


def _read_connect(element: ET.Element, problems: list[str]) -> Verb | None:
    nouns = list(element)
    if len(nouns) != 1 or nouns[0].tag != "Stream":
        problems.append("12200: <Connect> needs exactly one <Stream>")
        return None
    stream = nouns[0]
    url = stream.get("url", "")
    problem = stream_url_problem(url)
    if stream.get("track", "inbound_track") != "inbound_track":
        problem = "31941: <Connect><Stream> takes the inbound track only"
    if problem:
        problems.append(problem)
        return None
    return Connect(
        url,
        _read_parameters(stream, problems),
        stream.get("name", ""),
        element.get("action", ""),
        _method(element),
        stream.get("statusCallback", ""),
    )


def _read_parameters(stream: ET.Element, problems: list[str]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for child in stream:
        name, value = child.get("name", ""), child.get("value", "")
        if child.tag != "Parameter" or not name:
            problems.append(f"12200: <{child.tag}> in <Stream> is not a named <Parameter>")
        elif len(name) + len(value) >= PARAMETER_LIMIT:
            problems.append(f"12200: parameter {name!r} is {PARAMETER_LIMIT} characters or longer")
        else:
            parameters[name] = value
    return parameters


def _read_say(element: ET.Element, problems: list[str]) -> Say | None:
    text = _text(element)
    if not text:
        problems.append("13520: <Say> has no text")
        return None
    return Say(text)


def _read_play(element: ET.Element, problems: list[str]) -> Play | None:
    url, digits = (element.text or "").strip(), element.get("digits", "")
    if not url and not digits:
        problems.append("13420: <Play> has no url")
        return None
    return Play(url, digits)


def _read_pause(element: ET.Element, problems: list[str]) -> Pause | None:
    length = element.get("length", "1")
    return Pause(float(length)) if length.isdecimal() else None


def _read_redirect(element: ET.Element, problems: list[str]) -> Verb | None:
    return Redirect((element.text or "").strip(), _method(element))


def _read_hangup(element: ET.Element, problems: list[str]) -> Verb | None:
    return Hangup("" if element.tag == "Hangup" else element.get("reason", "rejected"))


def _read_dial(element: ET.Element, problems: list[str]) -> Verb | None:
    nouns = list(element)
    target: str | Conference = _text(element)
    if not target:
        problems.append("13200: <Dial> names nobody")
        return None
    if len(nouns) > 1 or any(noun.tag not in {"Number", "Conference"} for noun in nouns):
        problems.append("12200: this carrier dials one <Number> or one <Conference>")
        return None
    if nouns and nouns[0].tag == "Conference":
        room = nouns[0]
        starts = _is_true(room, "startConferenceOnEnter", "true")
        target = Conference(_text(room), starts, _is_true(room, "endConferenceOnExit", "false"))
    elif not is_number(_text(element)):
        problems.append(f"13223: {target!r} is not a number that can be dialled")
        return None
    return Dial(target, element.get("action", ""), _method(element))


def _read_gather(element: ET.Element, problems: list[str]) -> Verb | None:
    prompts: list[Say | Play | Pause] = []
    for child in element:
        reader = _PROMPTS.get(child.tag)
        if reader is None:
            problems.append(f"12200: <{child.tag}> cannot stand in <Gather>")
        elif (prompt := reader(child, problems)) is not None:
            prompts.append(prompt)
    most = element.get("numDigits", "")
    return Gather(
        tuple(prompts),
        element.get("action", ""),
        _method(element),
        int(most) if most.isdecimal() else None,
        _is_true(element, "actionOnEmptyResult", "false"),
    )


def _read_record(element: ET.Element, problems: list[str]) -> Verb | None:
    return Record(element.get("action", ""), _method(element))


_PROMPTS: dict[str, Callable[[ET.Element, list[str]], Say | Play | Pause | None]] = {
    "Say": _read_say,
    "Play": _read_play,
    "Pause": _read_pause,
}

_READERS: dict[str, Callable[[ET.Element, list[str]], Verb | None]] = {
    **_PROMPTS,
    "Connect": _read_connect,
    "Redirect": _read_redirect,
    "Hangup": _read_hangup,
    "Reject": _read_hangup,
    "Dial": _read_dial,
    "Gather": _read_gather,
    "Record": _read_record,
}
