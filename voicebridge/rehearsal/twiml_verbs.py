"""The verbs of a TwiML document, as far as this carrier acts them out."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Connect:
    """Connect the call to a media stream at ``url``; ``action`` is fetched when it ends."""

    url: str
    parameters: dict[str, str]
    name: str = ""
    action: str = ""
    method: str = "POST"
    status_callback: str = ""

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
    """End the call, or refuse it with a ``reason``."""

    reason: str = ""

    def __str__(self) -> str:
        return f"Hangup {self.reason}".rstrip()


@dataclass(frozen=True, slots=True)
class Conference:
    """A room that parties meet in, by its name."""

    name: str
    starts: bool = True
    ends: bool = False

    def __str__(self) -> str:
        return f"conference {self.name}"


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect the caller to somebody else; ``action`` is fetched with how that went."""

    target: str | Conference
    action: str = ""
    method: str = "POST"

    def __str__(self) -> str:
        return f"Dial {self.target}"


@dataclass(frozen=True, slots=True)
class Gather:
    """Ask for keys while something is said; ``action`` is fetched with them, if any came."""

    prompts: tuple[Say | Play | Pause, ...]
    action: str = ""
    method: str = "POST"
    most: int | None = None
    even_if_empty: bool = False

    def __str__(self) -> str:
        said = " ".join(prompt.text for prompt in self.prompts if isinstance(prompt, Say))
        return f"Gather {said}".rstrip()


@dataclass(frozen=True, slots=True)
class Record:
    """Take a message; ``action`` is fetched when it is over."""

    action: str = ""
    method: str = "POST"

    def __str__(self) -> str:
        return "Record"


Verb = Connect | Say | Play | Pause | Redirect | Hangup | Dial | Gather | Record


@dataclass(slots=True)
class Document:
    """The verbs of a document in order, and what was wrong with it."""

    verbs: list[Verb] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
