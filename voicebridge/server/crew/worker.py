"""A worker as it sees itself: which calls are its own, and how to hand on those that are not."""

from __future__ import annotations

import asyncio
import os
import socket
import zlib
from collections.abc import AsyncIterator, Callable, Sized
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from voicebridge.server.crew.board import Board, State
from voicebridge.server.crew.handover import Inbox, take_in

MOST_REPORT_BYTES = 16 * 1024
LOOK_EVERY_S, MOST_LOOKS = 0.05, 20


@dataclass(frozen=True, slots=True)
class Crew:
    """What all workers of a node have in common, made before the first of them is.

    ``listeners`` is the port, open once for all: a connection waits there for whoever is free, so
    none is lost with a worker. ``reports`` lead to the supervisor. ``lifeline`` ends with it.
    """

    listeners: tuple[socket.socket, ...]
    board: Board
    inboxes: tuple[Inbox, ...]
    reports: tuple[socket.socket, socket.socket]
    lifeline: tuple[socket.socket, socket.socket]

    def close(self) -> None:
        """Close all of it, in this process."""
        pairs = (*self.inboxes, self.reports, self.lifeline)
        for end in (*self.listeners, *(end for pair in pairs for end in pair)):
            end.close()


class Worker:
    """One of the processes that a node's calls are spread over."""

    def __init__(self, crew: Crew, index: int) -> None:
        self.index, self.slot, self._crew = index, crew.board.slots[index], crew
        self.listeners = crew.listeners

    def owner_of(self, call_id: str, named: str = "") -> int:
        """Tell which worker a call belongs to; ``named`` is the one that our URL has named.

        URLs that are not ours name nobody, but the board knows where a call was answered. Of a new
        one the id decides, the same at every worker; and where there is no id, it is whoever was
        asked. While that one is down or leaving, the next takes the call for it.
        """
        slots, noted = self._crew.board.slots, self._crew.board.whereabouts.find(call_id)
        for slot in slots:
            is_named = str(slot.index) == named if named else slot.index == noted
            if is_named and slot.state in (State.UP, State.LEAVING):
                return slot.index
        first = self.index
        if call_id:
            first = zlib.crc32(call_id.encode("utf-8", "surrogateescape")) % len(slots)
        for slot in slots[first:] + slots[:first]:
            if slot.state == State.UP:
                return slot.index
        return self.index

    def answered(self, call_id: str) -> None:
        """Tell the other workers that a call is here."""
        with self._crew.board.lock:
            self._crew.board.whereabouts.note(call_id, self.index)

    def inbox_of(self, owner: int) -> Inbox:
        """Return where a worker takes connections in."""
        return self._crew.inboxes[owner]

    @asynccontextmanager
    async def taking_in(self, make_handler: Callable[[], asyncio.Protocol]) -> AsyncIterator[None]:
        """Take connections in that others hand over, for the length of the context."""
        taking = asyncio.create_task(take_in(self._crew.inboxes[self.index], make_handler))
        try:
            yield
        finally:
            taking.cancel()
            with suppress(asyncio.CancelledError):
                await taking

    def report(self, words: str) -> None:
        """Tell the supervisor, and through the board everybody, that calls may come."""
        self.slot.pid, self.slot.state = os.getpid(), State.UP
        with suppress(OSError):  # it is the board that counts
            self._crew.reports[1].send(words.encode()[:MOST_REPORT_BYTES])

    def leave(self) -> None:
        """Tell the other workers to hand over what is about calls of this one, and no more."""
        self.slot.state = State.LEAVING

    async def see_off(self, waiting: Sized) -> None:
        """Be here no more, but for those who ``waiting`` tells to have just come.

        What they want may be about a call of a worker that stays; and something may be under way
        from one that has looked at the board a moment ago.
        """
        self.slot.state = State.DOWN
        for _ in range(MOST_LOOKS):
            await asyncio.sleep(LOOK_EVERY_S)
            if not waiting:
                return

    def watch(self, orphaned: Callable[[], None]) -> None:
        """Hear when the supervisor is gone."""
        loop, end = asyncio.get_running_loop(), self._crew.lifeline[0]

        def gone() -> None:
            loop.remove_reader(end.fileno())
            orphaned()

        loop.add_reader(end.fileno(), gone)


def open_listeners(host: str, port: int) -> tuple[socket.socket, ...]:
    """Listen on every address that a host has; raises OSError."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            listener = socket.socket(family, kind, protocol)
            opened.append(listener)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            port = port or (opened[0].getsockname()[1] if len(opened) > 1 else 0)
            listener.bind((address[0], port, *address[2:]))
            listener.listen(socket.SOMAXCONN)
            listener.setblocking(False)
    except OSError:
        for listener in opened:
            listener.close()
        raise
    return tuple(opened)
