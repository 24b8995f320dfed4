"""Bring every request to the worker that its call belongs to."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

from voicebridge.server.crew.handover import HandedOver, pass_on
from voicebridge.server.keys import WORKER
from voicebridge.server.visit import CALL_NAME, WORKER_NAME
from voicebridge.server.welcome import let_in


class Elsewhere(Exception):
    """This request is about a call of another worker."""

    def __init__(self, owner: int) -> None:
        super().__init__(owner)
        self.owner = owner


_REFUSED = web.RequestKey("refused", bool)
"""Set on a request that its owner did not take."""


def keep_or_pass_on(request: web.Request, call_id: str = "") -> None:
    """Go on if a request of somebody who is known belongs here; else raise ``Elsewhere``.

    To be called before anything is done or answered.
    """
    worker = request.app.get(WORKER)
    if worker is None or request.get(_REFUSED):
        return
    named = request.match_info.get("worker") or request.query.get(WORKER_NAME, "")
    owner = worker.owner_of(request.query.get(CALL_NAME) or call_id, named)
    if owner != worker.index:
        let_in(request)
        raise Elsewhere(owner)


@web.middleware
async def to_its_owner(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Hand a request over to its owner, or stand in for one that does not take it."""
    try:
        return await handler(request)
    except Elsewhere as elsewhere:
        worker = request.app[WORKER]
        if await pass_on(request, worker.inbox_of(elsewhere.owner)):
            worker.slot.passed_on += 1
            return HandedOver()
    request[_REFUSED] = True
    return await handler(request)
