"""A call that was answered and whose stream is still to come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from voicebridge.personas.persona import Persona
from voicebridge.server.colleagues import Front
from voicebridge.server.early_dial import EarlyDial


@dataclass(frozen=True, slots=True)
class Prepared:
    """A persona made ready for one call: its variables are filled in.

    ``told`` are the values from outside that its instructions ask for, by name.
    """

    name: str
    version: str
    persona: Persona
    told: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expected:
    """A call that was answered and whose stream is still to come.

    ``caller`` is the person on the telephone, ``called`` our own number, whoever dialled.
    ``greeting`` are instructions for the first words, in place of the persona's greeting.
    ``model`` is being dialled already. ``front`` is how the carrier reaches us about it.
    """

    call_id: str
    persona: str
    caller: str
    called: str
    params: Mapping[str, str] = field(default_factory=dict)
    greeting: str | None = None
    front: Front | None = field(default=None, compare=False, repr=False)
    prepared: Prepared | None = field(default=None, compare=False, repr=False)
    model: EarlyDial | None = field(default=None, compare=False, repr=False)
