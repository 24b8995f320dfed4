"""Read a TwiML document the way the carrier does (Twilio Media Streams, section 1).

Verbs that this carrier does not act out, and attributes it would refuse, become problems with
the carrier's own error codes; the verbs that can be read are still carried out.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PARAMETER_LIMIT = 500


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect the call to a media stream at ``url``; ``action`` is fetched when it ends."""

    url: str
    parameters: dict[str, str]
    name: str = ""
    action: str = ""
    method: str = "POST"

    def __str__(self) -> str:
        return f"Connect {self.url}"


@dataclass(frozen=True, slots=True)
class Say:
    """Speak a text."""

    text: str

    def __str__(self) -> str:
        return f"Say {self.text}"


@dataclass(frozen=True, slots=True)
class Play:
    """Play the audio at ``url``, or the tones of ``digits``."""

    url: str
    digits: str = ""

    def __str__(self) -> str:
        return f"Play {self.url or self.digits}"


@dataclass(frozen=True, slots=True)
class Pause:
    """Say nothing for ``length_s`` seconds."""

    length_s: float

    def __str__(self) -> str:
        return f"Pause {self.length_s:g}"


@dataclass(frozen=True, slots=True)
class Redirect:
    """Go on with the document at ``url``."""

    url: str
    method: str = "POST"

    def __str__(self) -> str:
        return f"Redirect {self.url}"


@dataclass(frozen=True, slots=True)
class Hangup:
    """End the call; ``Reject`` is read as one too, with its reason."""

    reason: str = ""

    def __str__(self) -> str:
        return f"Hangup {self.reason}".rstrip()


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect the caller to somebody else; ``action`` is fetched with how that went."""

    target: str
    action: str = ""
    method: str = "POST"

    def __str__(self) -> str:
        return f"Dial {self.target}"


Verb = Connect | Say | Play | Pause | Redirect | Hangup | Dial


@dataclass(slots=True)
class Document:
    """The verbs of a document in order, and what was wrong with it."""

    verbs: list[Verb] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


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
    parameters = _read_parameters(stream, problems)
    action, method = element.get("action", ""), element.get("method", "POST").upper()
    return Connect(url, parameters, stream.get("name", ""), action, method)


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


def _read_say(element: ET.Element, problems: list[str]) -> Verb | None:
    text = " ".join("".join(element.itertext()).split())
    if not text:
        problems.append("13520: <Say> has no text")
        return None
    return Say(text)


def _read_play(element: ET.Element, problems: list[str]) -> Verb | None:
    url, digits = (element.text or "").strip(), element.get("digits", "")
    if not url and not digits:
        problems.append("13420: <Play> has no url")
        return None
    return Play(url, digits)


def _read_pause(element: ET.Element, problems: list[str]) -> Verb | None:
    length = element.get("length", "1")
    if not length.isdecimal():
        problems.append(f"12200: <Pause length={length!r}> is not whole seconds")
        return None
    return Pause(float(length))


def _read_redirect(element: ET.Element, problems: list[str]) -> Verb | None:
    return Redirect((element.text or "").strip(), element.get("method", "POST").upper())


def _read_hangup(element: ET.Element, problems: list[str]) -> Verb | None:
    return Hangup("" if element.tag == "Hangup" else element.get("reason", "rejected"))


def _read_dial(element: ET.Element, problems: list[str]) -> Verb | None:
    target = " ".join("".join(element.itertext()).split())
    if not target:
        problems.append("13200: <Dial> names nobody")
        return None
    return Dial(target, element.get("action", ""), element.get("method", "POST").upper())


_READERS: dict[str, Callable[[ET.Element, list[str]], Verb | None]] = {
    "Connect": _read_connect,
    "Say": _read_say,
    "Play": _read_play,
    "Pause": _read_pause,
    "Redirect": _read_redirect,
    "Hangup": _read_hangup,
    "Reject": _read_hangup,
    "Dial": _read_dial,
}
