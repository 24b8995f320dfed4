"""Who is known is let in from the porch; who is not leaves with the answer."""

from __future__ import annotations

from aiohttp import web

from voicebridge.server.keys import PENDING
from voicebridge.server.security import SIGNED


def let_in(request: web.Request) -> None:
    """Take note that the carrier has signed a request: its connection waits no more."""
    request.app[PENDING].leave(request.transport)


async def show_out(request: web.Request, response: web.StreamResponse) -> None:
    """Close the connection after an answer to somebody unknown.

    One whose body is still to come keeps its place, and the time that it has left: nobody waits
    for the rest longer than that.
    """
    if request.get(SIGNED):
        return
    response.force_close()
    if request.content.is_eof():
        request.app[PENDING].leave(request.transport)
