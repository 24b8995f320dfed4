"""The door: a connection reaches the application only when it has said what it wants.

A stranger who opens sockets and says nothing costs a few bytes for a few seconds and never gets to
the web server. What is said up to the end of a request's head is kept here; then the connection is
handed on, and the door is out of its way. It counts as waiting, and its time runs, until the
carrier's signature is found on its first request, or until that is answered.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from aiohttp import web

from voicebridge.server.refusals import Refusals
from voicebridge.settings import Settings

LOOPBACK = ("127.0.0.0/8", "::1/128")
"""This machine's own addresses; a proxy here speaks for many."""

KNOWN_WITHIN_S = 5.0
"""How long a connection may take to say what it wants, and who it is."""

MOST_HEAD_BYTES = 16 * 1024
MOST_AHEAD_BYTES = 128 * 1024
"""What may come of a request, with the body, while its connection stands in the queue."""

PATIENCE_S = 0.25
"""A burst of calls is not a crowd of strangers: nobody is sent away sooner to make room."""

BURST = 10
"""How many times the limit a burst may be."""

BACKLOG = 512
"""How many may come in one moment; for one more the machine lets a whole second pass."""

NO_REQUEST = b"HTTP/1.0 400 Bad Request\r\nConnection: close\r\n\r\n"
TURNED_AWAY = "connection_turned_away"


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


@dataclass(frozen=True, slots=True)
class Place:
    """One who waits."""

    address: str
    since: float
    send_away: Callable[[], None]
    timer: asyncio.TimerHandle | None


class Porch:
    """Who waits, at most ``most``, of which ``most_of_one`` from one address.

    An address that stands for many, such as a proxy's, is in ``many``.
    """

    def __init__(
        self, most: int, most_of_one: int, many: Networks, refusals: Refusals | None = None
    ) -> None:
        self._most, self._most_of_one, self._many = most, most_of_one, many
        self._waiting: OrderedDict[object, Place] = OrderedDict()
        self._by_address: Counter[str] = Counter()
        self._refusals = refusals or Refusals()

    def __len__(self) -> int:
        return len(self._waiting)

    def enter(
        self,
        who: object,
        address: str,
        send_away: Callable[[], None],
        timer: asyncio.TimerHandle | None = None,
    ) -> bool:
        """Let one more wait; False if there is no room.

        Who has waited longest is sent away to make some, if that was long enough. A ``timer`` is
        cancelled when the waiting is over.
        """
        household = _household(address)
        if self._by_address[household] >= self._most_of_one and address not in self._many:
            self._refusals.note(TURNED_AWAY, why="too many from one address", address=address)
        elif len(self._waiting) >= self._most and not self._make_room():
            self._refusals.note(TURNED_AWAY, why="too many at once", address=address)
        else:
            self._waiting[who] = Place(household, time.monotonic(), send_away, timer)
            self._by_address[household] += 1
            return True
        if timer is not None:
            timer.cancel()
        return False

    def leave(self, who: object) -> None:
        """Take note that somebody waits no more."""
        place = self._waiting.pop(who, None)
        if place is None:
            return
        if place.timer is not None:
            place.timer.cancel()
        self._by_address[place.address] -= 1
        if not self._by_address[place.address]:
            del self._by_address[place.address]

    def _make_room(self) -> bool:
        who, place = next(iter(self._waiting.items()))
        if time.monotonic() - place.since < PATIENCE_S:
            return len(self._waiting) < self._most * BURST
        self._refusals.note(TURNED_AWAY, why="waited longest", address=place.address)
        self.leave(who)
        place.send_away()
        return True


def _household(address: str) -> str:
    """Return what counts as one address: of IPv6 the 64 bits that a provider gives away as one."""
    if ":" not in address:
        return address
    try:
        full = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if full.ipv4_mapped:
        return str(full.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(full) >> 64 << 64, 64)))


def pending_streams(settings: Settings, refusals: Refusals | None = None) -> Porch:
    """Make the place where connections, and streams before their start, wait."""
    limits = settings.limits
    many = Networks([*LOOPBACK, *settings.security.trusted_proxies])
    return Porch(limits.pending_sockets, limits.pending_per_address, many, refusals)


class Turnstile:
    """Lets connections through one at a time, with a turn of the loop for the calls in between.

    So a thousand requests that come in one moment make no frame of a call late.
    """

    def __init__(self) -> None:
        self._queue: deque[Callable[[], None]] = deque()  # the porch bounds it

    def queue(self, go: Callable[[], None]) -> None:
        """Call ``go`` when it is its turn."""
        self._queue.append(go)
        if len(self._queue) == 1:
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        go = self._queue.popleft()
        if self._queue:
            asyncio.get_running_loop().call_soon(self._turn)
        go()


class Door(asyncio.Protocol):
    """One connection until its first request's head is there."""

    def __init__(
        self, porch: Porch, turnstile: Turnstile, make_handler: Callable[[], asyncio.Protocol]
    ) -> None:
        self._porch, self._turnstile, self._make_handler = porch, turnstile, make_handler
        self._transport: asyncio.Transport | None = None
        self._said = bytearray()
        self._queued = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the connection wait, if there is room."""
        transport = cast(asyncio.Transport, transport)  # a stream's; uvloop's has no such base
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) and peer else "unknown"
        timer = asyncio.get_running_loop().call_later(KNOWN_WITHIN_S, self._send_away, transport)
        if self._porch.enter(transport, address, transport.abort, timer):
            self._transport = transport
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Keep what is said; hand the connection on when it is a head."""
        if self._transport is None:
            return
        if self._queued:
            self._said += data
            if len(self._said) > MOST_AHEAD_BYTES:
                self._transport.abort()
            return
        new_from = max(0, len(self._said) - 3)
        self._said += data
        if not self._said[:1].isalpha():  # a TLS greeting, for one
            self._transport.write(NO_REQUEST)
            self._transport.close()
        elif self._said.find(b"\r\n\r\n", new_from) >= 0:
            self._queued = True
            self._turnstile.queue(self._hand_on)
        elif len(self._said) > MOST_HEAD_BYTES:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._porch.leave(self._transport)
        self._transport = None

    def _hand_on(self) -> None:
        if self._transport is None:
            return
        transport, handler = self._transport, self._make_handler()
        transport.set_protocol(handler)
        handler.connection_made(transport)
        handler.data_received(bytes(self._said))

    def _send_away(self, transport: asyncio.Transport) -> None:
        self._porch.leave(transport)
        transport.abort()


class DoorRunner(web.AppRunner):
    """An application behind the door."""

    def __init__(self, app: web.Application, porch: Porch, **options: Any) -> None:
        super().__init__(app, **options)
        self._porch, self._turnstile = porch, Turnstile()

    @property
    def handlers(self) -> Any:
        """The factory of connections behind the door."""
        return super().server

    @property
    def server(self) -> Any:
        """The factory of connections, which a site takes for the server."""
        handlers = super().server
        return None if handlers is None else lambda: Door(self._porch, self._turnstile, handlers)
