"""How much may be under way in the kernel, where neither end can see it."""

from __future__ import annotations

import socket
from typing import Any, Final

MOST_UNSENT_BYTES: Final = 16 * 1024
"""What may wait in the kernel before a writer learns that the server does not keep up: a second of
audio. By itself the kernel would take minutes of it."""

MOST_UNREAD_BYTES: Final = 128 * 1024
"""What the kernel keeps for us (it takes twice as much). By itself it would keep megabytes of a
server that hurries, which are then read all at once."""


def keep_little_under_way(sock: Any) -> None:
    """Set the bounds on a connection's socket, as asyncio's transports give it; None is passed."""
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, MOST_UNREAD_BYTES)
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # not everywhere
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MOST_UNSENT_BYTES)
