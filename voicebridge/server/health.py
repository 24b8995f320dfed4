"""Is the process alive, and would it take a call?"""

from __future__ import annotations

from aiohttp import web

from voicebridge import __version__
from voicebridge.server.keys import SWITCHBOARD


async def healthz(request: web.Request) -> web.Response:
    """Answer that the process is alive."""
    live = len(request.app[SWITCHBOARD].calls)
    return web.json_response({"status": "ok", "version": __version__, "calls": live})


async def readyz(request: web.Request) -> web.Response:
    """Answer whether a further call would be taken: 200, or 503."""
    switchboard = request.app[SWITCHBOARD]
    ready = switchboard.has_line_for()
    body = {
        "status": "ready" if ready else "busy",
        "calls": len(switchboard.calls),
        "max_calls": switchboard.settings.server.max_calls,
    }
    return web.json_response(body, status=200 if ready else 503)
