"""What the handlers find in the application."""

from __future__ import annotations

from aiohttp import web

from voicebridge.outbound.dialler import Dialler
from voicebridge.records.status import StatusBook
from voicebridge.server.crew.worker import Worker
from voicebridge.server.door import Porch
from voicebridge.server.refusals import Refusals
from voicebridge.server.security import RequestGuard
from voicebridge.server.switchboard import Switchboard

DIALLER = web.AppKey("dialler", Dialler)
GUARD = web.AppKey("guard", RequestGuard)
PENDING = web.AppKey("pending", Porch)
REFUSALS = web.AppKey("refusals", Refusals)
SWITCHBOARD = web.AppKey("switchboard", Switchboard)
STATUSES = web.AppKey("statuses", StatusBook)
WORKER = web.AppKey("worker", Worker)
"""Which of several workers this is; not there where there is only one."""
