"""What a tool may do with the telephone line of its call."""

from __future__ import annotations

from typing import Protocol

from voicebridge.errors import ToolFailed


class Line(Protocol):
    """The line of one call. All but ``collect_keys`` take effect when the tool is done."""

    def transfer(self, number: str) -> None:
        """Connect the caller to a number, once what is being said has been heard."""

    def hand_over(self) -> None:
        """Connect the caller to the colleague who waits, once the agent has said so."""

    def press(self, keys: str) -> None:
        """Sound keys to the far end: 0-9, *, #, and ``w`` for half a second of silence."""

    def hold(self, longest_s: float) -> None:
        """Put the caller on hold; nobody is left there for longer than ``longest_s``."""

    def resume(self) -> None:
        """End the hold."""

    async def collect_keys(self, most: int, *, ends_with: str = "#", within_s: float = 20) -> str:
        """Wait for the caller's keys; the model hears nothing meanwhile. Empty if none came."""


class NoLine:
    """Stands in where there is no call: every wish fails and says so."""

    def transfer(self, number: str) -> None:
        """Fail."""
        raise ToolFailed("there is no call to transfer")

    def hand_over(self) -> None:
        """Fail."""
        raise ToolFailed("there is no call to transfer")

    def press(self, keys: str) -> None:
        """Fail."""
        raise ToolFailed("there is no call to press keys in")

    def hold(self, longest_s: float) -> None:
        """Fail."""
        raise ToolFailed("there is no call to hold")

    def resume(self) -> None:
        """Fail."""
        raise ToolFailed("there is no call to resume")

    async def collect_keys(self, most: int, *, ends_with: str = "#", within_s: float = 20) -> str:
        """Fail."""
        raise ToolFailed("there is no caller to press keys")
