"""The one seam to a carrier's websocket: whole text messages in and out.

The server wraps its real socket in this; a test hands in two queues.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable


class TextSocket(Protocol):
    """A websocket that carries text messages."""

    async def receive(self) -> str | None:
        """Wait for the next message; None when the socket is closed, by whomever.

        Raises ``CarrierProtocolError`` for what cannot be a message: binary, or over the size
        limit. The socket is of no more use then.
        """
        ...

    async def send(self, text: str) -> None:
        """Send a message; raises ``CarrierError`` when the socket is gone."""
        ...

    async def close(self) -> None:
        """Close the socket in good manners; closing twice is no error."""
        ...


@runtime_checkable
class PushSocket(Protocol):
    """What a ``TextSocket`` may offer besides, so that no task need be woken for a message."""

    async def listen(self, take: Callable[[str], None], crowd: Callable[[bool], None]) -> None:
        """Hand over every message as it is read, in order; return when the socket is closed.

        ``crowd`` is told True before several that came at once, and False behind them. Raises
        what ``receive`` raises; neither ``take`` nor ``crowd`` may raise.
        """
        ...

    def post(self, texts: list[str]) -> bool:
        """Send messages at once, in one write; False, and nothing sent, if there is no room."""
        ...
