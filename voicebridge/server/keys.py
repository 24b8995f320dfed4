"""What the handlers find in the application."""

from __future__ import annotations

from aiohttp import web

from voicebridge.server.security import RequestGuard
from voicebridge.server.switchboard import Switchboard

GUARD = web.AppKey("guard", RequestGuard)
SWITCHBOARD = web.AppKey("switchboard", Switchboard)
