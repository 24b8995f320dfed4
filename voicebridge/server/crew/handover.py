"""Hand a connection over to another worker: its file descriptor, and what was said on it so far.

A call lives in one worker, and the kernel gives a connection to any. So whoever finds that a
request is about another worker's call passes the connection on, with the bytes of the request,
through that worker's inbox. Nothing has been answered by then, and nothing is read from the
connection any more; the other worker's server gets to see it as if it had come there.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import cast

import structlog
from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

log = structlog.get_logger(__name__)

MOST_BYTES = 128 * 1024
"""The longest request that is passed on: more than a head and a form may be long."""

TAKEN_WITHIN_S = 1.0
TRY_AGAIN_S = 0.005
"""An inbox is full when a hundred connections wait in it, and free again a moment later."""

_NOT_ANY_MORE = {
    hdrs.CONTENT_LENGTH.lower().encode(),
    hdrs.TRANSFER_ENCODING.lower().encode(),
    hdrs.CONTENT_ENCODING.lower().encode(),
    hdrs.EXPECT.lower().encode(),
}
"""Headers of how a body was sent, which is read whole by now."""

_FLAGS = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
"""The programs that a tool starts get none of our connections."""

Inbox = tuple[socket.socket, socket.socket]
"""Where a worker reads, and where all others write: in both whole messages."""


def make_inbox() -> Inbox:
    """Make an inbox for a worker that is still to be forked."""
    reader, writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    for end, option in ((reader, socket.SO_RCVBUF), (writer, socket.SO_SNDBUF)):
        end.setsockopt(socket.SOL_SOCKET, option, 4 * MOST_BYTES)
        end.setblocking(False)
    return reader, writer


class HandedOver(web.StreamResponse):
    """No answer: the connection is another worker's now."""

    def __init__(self) -> None:
        super().__init__()
        self.force_close()

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write nothing."""
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        """Write nothing."""


async def pass_on(request: web.Request, inbox: Inbox) -> bool:
    """Pass a request and its connection on; False if that worker does not take it.

    Closing the connection here afterwards does not end it, since the other has it open.
    """
    said, transport = await _as_said(request), request.transport
    if transport is None or transport.is_closing():
        return True  # nobody waits for an answer any more
    transport.pause_reading()
    try:
        await _send(inbox, said, transport.get_extra_info("socket").fileno())
    except OSError as error:  # which a timeout is as well
        log.warning("connection_not_handed_over", error=str(error) or "the inbox is full")
        transport.resume_reading()
        return False
    return True


async def _send(inbox: Inbox, said: bytes, connection: int) -> None:
    """Send to an inbox as soon as there is room in it; raises OSError."""
    descriptor = os.dup(connection)  # what is closed meanwhile is another's number soon
    try:
        async with asyncio.timeout(TAKEN_WITHIN_S):
            while not _sent(inbox, said, descriptor):  # noqa: ASYNC110 - nobody would set it
                await asyncio.sleep(TRY_AGAIN_S)
    finally:
        os.close(descriptor)


async def _as_said(request: web.Request) -> bytes:
    """Write a request as it came, its body as it is by now."""
    body = await request.read()
    version = request.version
    start = f"{request.method} {request.raw_path} HTTP/{version.major}.{version.minor}"
    lines = [start.encode("utf-8", "surrogateescape")]
    lines += [
        name + b": " + value
        for name, value in request.raw_headers
        if name.lower() not in _NOT_ANY_MORE
    ]
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])


def _sent(inbox: Inbox, said: bytes, descriptor: int) -> bool:
    if len(said) > MOST_BYTES:
        raise OSError("too long a request")
    try:
        socket.send_fds(inbox[1], [said], [descriptor])
    except BlockingIOError:
        return False
    return True


class _Arrival(asyncio.Protocol):
    """A connection in the moment in which it gets here."""

    def __init__(self, said: bytes, make_handler: Callable[[], asyncio.Protocol]) -> None:
        self._said, self._make_handler = said, make_handler

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let the web server have it, before anything more is read."""
        transport, handler = cast(asyncio.Transport, transport), self._make_handler()
        transport.set_protocol(handler)
        handler.connection_made(transport)
        handler.data_received(self._said)


async def take_in(inbox: Inbox, make_handler: Callable[[], asyncio.Protocol]) -> None:
    """Take in connections from an inbox until cancelled."""
    loop, something = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(inbox[0].fileno(), something.set)
    try:
        while True:
            try:
                said, descriptors, _, _ = socket.recv_fds(inbox[0], MOST_BYTES, 1, _FLAGS)
            except BlockingIOError:
                something.clear()
                await something.wait()
                continue
            for descriptor in descriptors:
                await _take(socket.socket(fileno=descriptor), said, make_handler)
    finally:
        loop.remove_reader(inbox[0].fileno())


async def _take(
    connection: socket.socket, said: bytes, make_handler: Callable[[], asyncio.Protocol]
) -> None:
    connection.setblocking(False)
    loop = asyncio.get_running_loop()
    try:
        await loop.connect_accepted_socket(lambda: _Arrival(said, make_handler), connection)
    except OSError as error:  # whoever it was has hung up meanwhile
        log.info("connection_gone", error=str(error))
        connection.close()
