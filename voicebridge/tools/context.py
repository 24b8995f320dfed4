"""What a tool may see of the call it works for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from voicebridge.personas.destinations import Destination
from voicebridge.tools.colleagues import Colleagues, NoColleagues
from voicebridge.tools.line import Line, NoLine


class Business(Protocol):
    """Name what the tools need to know of the business that the persona answers for."""

    @property
    def name(self) -> str: ...

    @property
    def time_zone(self) -> str:
        """Name the IANA zone, such as ``Europe/Berlin``, that the hours are in."""

    def hours_on(self, weekday: str) -> tuple[str, str] | None:
        """Return opening and closing time on an English weekday in lower case; None if closed."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """Show a tool its call; a parameter of this type is filled in and hidden from the model.

    ``caller`` and ``called`` are telephone numbers. ``variables`` is the call's own scratchpad,
    shared by all tools of the call. ``hang_up(reason)`` ends the call once what is being said has
    been heard; plain tools may call it too, from their thread. ``line`` does more with the line.
    ``destinations`` are the places that the persona may transfer to, by name; ``recipients`` whom
    it may write to. ``allowed_numbers`` are the numbers beyond these that may be reached.
    ``colleagues`` are those who are asked before a transfer. ``secrets`` are what the caller typed
    for tools alone: never shown to the model, logged or recorded.
    """

    call_id: str
    caller: str
    called: str
    persona: str
    hang_up: Callable[[str], None]
    business: Business | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    line: Line = field(default_factory=NoLine)
    destinations: Mapping[str, Destination] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict, repr=False)
    recipients: Mapping[str, str] = field(default_factory=dict)
    allowed_numbers: tuple[str, ...] = ()
    colleagues: Colleagues = field(default_factory=NoColleagues)
