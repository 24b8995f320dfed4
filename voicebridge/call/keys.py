"""The caller's keys: gathered until a pause, then told to the model, or given to a tool, as one."""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import dataclass
from enum import Enum, auto

from voicebridge.call import commands as do

MOST_KEYS = 32
"""An entry this long is complete."""

ENDS_WITH = "#"


class KeyUse(Enum):
    """What an entry is for."""

    TEXT = auto()
    """The model is told it as a text of the caller's."""
    TOOL = auto()
    """A tool is run with it, and the model is told what came of it."""
    IGNORED = auto()


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What the caller's keys do.

    ``tool`` is run with an entry as its ``argument``. ``interrupts``: whether a key stops the
    agent, as speech does. A pause of ``pause_s`` ends an entry, as a # does.
    """

    use: KeyUse = KeyUse.TEXT
    tool: str = ""
    argument: str = ""
    interrupts: bool = True
    pause_s: float = 1.5


class Keys:
    """Gathers the digits of one entry. ``taken`` are names that its runs cannot have."""

    def __init__(self, rules: KeyRules | None = None, taken: Container[str] = ()) -> None:
        self.rules, self._taken = rules or KeyRules(), taken
        self.deadline: float | None = None
        self._pressed = ""
        self._runs = 0

    def pressed(self, digit: str, now: float) -> str | None:
        """Take in a key; returns the entry when it is complete."""
        self._pressed += digit
        self.deadline = now + self.rules.pause_s
        if digit == ENDS_WITH or len(self._pressed) >= MOST_KEYS:
            return self.take()
        return None

    def take(self) -> str:
        """Return what was pressed and start anew."""
        entry, self._pressed, self.deadline = self._pressed, "", None
        return entry

    def run_for(self, entry: str) -> do.RunTool:
        """Return the run of the tool that gets this entry, without the # that ended it."""
        self._runs += 1
        while f"keys-{self._runs}" in self._taken:
            self._runs += 1
        keys = entry.removesuffix(ENDS_WITH) or entry
        return do.RunTool(
            f"keys-{self._runs}", self.rules.tool, json.dumps({self.rules.argument: keys})
        )
