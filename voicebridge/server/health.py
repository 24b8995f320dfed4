"""Is the process alive, and would it take a call?"""

from __future__ import annotations

from aiohttp import web

from voicebridge import __version__
from voicebridge.server.crew.board import Slot, State
from voicebridge.server.crew.owner import keep_or_pass_on
from voicebridge.server.keys import SWITCHBOARD, WORKER


async def healthz(request: web.Request) -> web.Response:
    """Answer that the node is alive; ``refused`` counts what strangers have tried.

    The figures are those of all its workers, whichever is asked. While one is down the others
    answer: ``degraded`` is no reason to start the node anew.
    """
    switchboard = request.app[SWITCHBOARD]
    slots = switchboard.slot.board.slots
    body: dict[str, object] = {
        "status": "ok",
        "version": __version__,
        "calls": switchboard.lines.live,
        "refused": sum(slot.refused for slot in slots),
    }
    if request.app.get(WORKER) is not None:
        body["workers"] = [_told(slot) for slot in slots]
        if any(slot.state != State.UP for slot in slots):
            body["status"] = "degraded"
    return web.json_response(body)


async def readyz(request: web.Request) -> web.Response:
    """Answer whether a further call would be taken: 200, or 503."""
    keep_or_pass_on(request)
    switchboard = request.app[SWITCHBOARD]
    ready = switchboard.has_line_for()
    body = {
        "status": "ready" if ready else "busy",
        "calls": switchboard.lines.live,
        "max_calls": switchboard.settings.server.max_calls,
    }
    return web.json_response(body, status=200 if ready else 503)


def _told(slot: Slot) -> dict[str, object]:
    return {
        "worker": slot.index,
        "state": State(slot.state).name.lower(),
        "pid": slot.pid,
        "calls": slot.live,
        "starts": slot.starts,
        "passed_on": slot.passed_on,
    }
