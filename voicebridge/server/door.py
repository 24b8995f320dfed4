"""The door: a connection reaches the application only when it has said what it wants.

A stranger who opens sockets and says nothing costs a few bytes for a few seconds and never gets to
the web server. What is said up to the end of a request's head is kept here; then the connection is
handed on, and the door is out of its way.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, cast

import structlog
from aiohttp import web

from voicebridge.settings import Settings

log = structlog.get_logger(__name__)

LOOPBACK = ("127.0.0.0/8", "::1/128")
"""This machine's own addresses; a proxy here speaks for many."""

HEAD_WITHIN_S = 5.0
"""How long a connection may take to say what it wants."""

MOST_HEAD_BYTES = 32 * 1024
PATIENCE_S = 0.25
"""A burst of calls is not a crowd of strangers: nobody is sent away sooner to make room."""

BURST = 10
"""How many times the limit a burst may be."""


class Networks:
    """Addresses, singly or by the network."""

    def __init__(self, written: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(one) for one in written]

    def __contains__(self, address: str) -> bool:
        try:
            wanted = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        if isinstance(wanted, ipaddress.IPv6Address) and wanted.ipv4_mapped:
            wanted = wanted.ipv4_mapped
        return any(wanted in network for network in self._networks)


class Porch:
    """Who waits, at most ``most``, of which ``most_of_one`` from one address.

    An address that stands for many, such as a proxy's, is in ``many``.
    """

    def __init__(self, most: int, most_of_one: int, many: Networks) -> None:
        self._most, self._most_of_one, self._many = most, most_of_one, many
        self._waiting: OrderedDict[object, tuple[str, float, Callable[[], None]]] = OrderedDict()
        self._by_address: Counter[str] = Counter()
        self.turned_away = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(self, who: object, address: str, send_away: Callable[[], None]) -> bool:
        """Let one more wait; False if there is no room.

        Who has waited longest is sent away to make some, if that was long enough.
        """
        if address not in self._many and self._by_address[address] >= self._most_of_one:
            self.turned_away += 1
            return False
        if len(self._waiting) >= self._most and not self._make_room():
            self.turned_away += 1
            return False
        self._waiting[who] = (address, time.monotonic(), send_away)
        self._by_address[address] += 1
        return True

    def leave(self, who: object) -> None:
        """Take note that somebody waits no more."""
        address, _, _ = self._waiting.pop(who, ("", 0.0, _nothing))
        if address:
            self._by_address[address] -= 1
            self._by_address += Counter()  # drops what is zero

    def _make_room(self) -> bool:
        who, (_, since, send_away) = next(iter(self._waiting.items()))
        if time.monotonic() - since < PATIENCE_S:
            return len(self._waiting) < self._most * BURST
        self.turned_away += 1
        self.leave(who)
        send_away()
        return True


def pending_streams(settings: Settings) -> Porch:
    """Make the place where connections, or streams before their start, wait."""
    limits = settings.limits
    many = Networks([*LOOPBACK, *settings.security.trusted_proxies])
    return Porch(limits.pending_sockets, limits.pending_per_address, many)


def _nothing() -> None:
    return None


class Door(asyncio.Protocol):
    """One connection until its first request's head is there."""

    def __init__(self, porch: Porch, make_handler: Callable[[], asyncio.Protocol]) -> None:
        self._porch, self._make_handler = porch, make_handler
        self._transport: asyncio.Transport | None = None
        self._said = bytearray()
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the connection wait, if there is room."""
        transport = cast(asyncio.Transport, transport)  # a stream's; uvloop's has no such base
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) and peer else "unknown"
        if not self._porch.enter(self, address, transport.abort):
            transport.abort()
            return
        self._transport = transport
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(HEAD_WITHIN_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        """Keep what is said; hand the connection on when it is a head."""
        if self._transport is None:
            return
        self._said += data
        # What is no request, such as a TLS greeting, is answered by the web server at once.
        if b"\r\n\r\n" in self._said or not self._said[:1].isalpha():
            self._leave()
            transport, handler = self._transport, self._make_handler()
            transport.set_protocol(handler)
            handler.connection_made(transport)
            handler.data_received(bytes(self._said))
        elif len(self._said) > MOST_HEAD_BYTES:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._leave()

    def _leave(self) -> None:
        self._porch.leave(self)
        if self._timer is not None:
            self._timer.cancel()


class DoorRunner(web.AppRunner):
    """An application behind the door."""

    def __init__(self, app: web.Application, porch: Porch, **options: Any) -> None:
        super().__init__(app, **options)
        self._porch = porch

    @property
    def server(self) -> Any:
        """The factory of connections, which a site takes for the server."""
        handlers = super().server
        return None if handlers is None else lambda: Door(self._porch, handlers)
