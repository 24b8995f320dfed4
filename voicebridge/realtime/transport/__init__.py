"""The seam between the realtime connection and whatever carries its frames.

``websockets`` carries them by default, aiohttp where a program lives on it anyway, and a pair in
memory in tests.
"""

from __future__ import annotations

from voicebridge.realtime.transport.base import MessageType, WebSocketConn, WebSocketDialer
from voicebridge.realtime.transport.memory import MemoryDialer, MemoryTransport
from voicebridge.realtime.transport.websockets import (
    WebsocketsConn,
    WebsocketsDialer,
    WebsocketsOptions,
)

__all__ = [
    "MemoryDialer",
    "MemoryTransport",
    "MessageType",
    "WebSocketConn",
    "WebSocketDialer",
    "WebsocketsConn",
    "WebsocketsDialer",
    "WebsocketsOptions",
    "default_dialer",
]


def default_dialer() -> WebSocketDialer:
    """Give the dialer that is used when none is named."""
    try:
        from voicebridge.realtime.transport.picows import PicowsDialer
    except ImportError:
        return WebsocketsDialer()
    return PicowsDialer()
