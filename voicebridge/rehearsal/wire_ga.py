"""The GA dialect, which the simulated server speaks inside: nothing to translate."""

from __future__ import annotations

from typing import Any

name = "ga"


def decode(event: dict[str, Any]) -> dict[str, Any]:
    """Read a client's event."""
    return event


def encode(event: dict[str, Any]) -> dict[str, Any] | None:
    """Write a server's event."""
    return event
