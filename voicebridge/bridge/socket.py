"""The one seam to a carrier's websocket: whole text messages in and out.

The server wraps its real socket in this; a test hands in two queues.
"""

from __future__ import annotations

from typing import Protocol


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
