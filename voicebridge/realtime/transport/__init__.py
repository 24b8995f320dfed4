"""The seam between the realtime connection and whatever carries its frames.

``picows`` carries them where it is installed, ``websockets`` elsewhere, aiohttp where a program
lives on it anyway, and a pair in memory in tests.
"""

from __future__ import annotations

from importlib.util import find_spec

from voicebridge.errors import ConfigError
from voicebridge.realtime.transport.base import (
    MessageType,
    TransportName,
    WebSocketConn,
    WebSocketDialer,
)
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
    "TransportName",
    "WebSocketConn",
    "WebSocketDialer",
    "WebsocketsConn",
    "WebsocketsDialer",
    "WebsocketsOptions",
    "default_dialer",
    "dialer_named",
]


def default_dialer() -> WebSocketDialer:
    """Give the dialer that is used when none is named: the one that costs least here."""
    return dialer_named("auto")


def dialer_named(name: TransportName) -> WebSocketDialer:
    """Give the dialer of a name; raises ``ConfigError`` if its library is not installed."""
    if name == "auto":
        name = "picows" if find_spec("picows") else "websockets"
    if name != "websockets" and find_spec(name) is None:
        message = f"'{name}' is not installed: pip install {name}, or choose auto"
        raise ConfigError(message, key="transport")
    if name == "picows":
        from voicebridge.realtime.transport.picows import PicowsDialer

        return PicowsDialer()
    if name == "aiohttp":
        from voicebridge.realtime.transport.aiohttp import AiohttpDialer

        return AiohttpDialer()
    return WebsocketsDialer()
