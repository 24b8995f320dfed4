"""The people behind the agent, who are asked before a caller is connected to them."""

from __future__ import annotations

from typing import Protocol

from voicebridge.errors import ToolFailed
from voicebridge.personas.destinations import Destination


class Colleagues(Protocol):
    """Colleagues that can be called while the caller stays with the agent."""

    async def fetch(self, name: str, place: Destination, summary: str) -> None:
        """Call a colleague, tell the summary, and wait until the call is taken.

        The colleague then waits for the caller: ``Line.hand_over`` connects them. Raises
        ToolFailed, in words for the model, when nobody takes the call. A wait that is cancelled
        ends the colleague's call.
        """


class NoColleagues:
    """Stands in where nobody can be called."""

    async def fetch(self, name: str, place: Destination, summary: str) -> None:
        """Fail."""
        raise ToolFailed("there is no call to transfer")
