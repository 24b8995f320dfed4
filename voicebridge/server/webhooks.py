"""The carrier's first question: what to do with a call."""

from __future__ import annotations

import structlog
from aiohttp import web

from voicebridge.carriers import twilio
from voicebridge.server.answer import connect
from voicebridge.server.forms import signed_form, twiml_response
from voicebridge.server.keys import SWITCHBOARD
from voicebridge.server.paths import AFTER_PATH, MEDIA_PATH, VOICE_PATH
from voicebridge.server.visit import Visit

__all__ = ["AFTER_PATH", "MEDIA_PATH", "VOICE_PATH", "voice"]

log = structlog.get_logger(__name__)


async def voice(request: web.Request) -> web.Response:
    """Answer a call: connect it to our media stream, or say that we are busy."""
    visit = Visit.read(await signed_form(request), request.query)
    if not visit.call_id:
        raise web.HTTPBadRequest(text="a voice webhook without CallSid")
    document = await connect(request, visit)
    if document is None:
        log.warning("call_refused", call_id=visit.call_id, live=len(request.app[SWITCHBOARD].calls))
        return twiml_response(twilio.twiml_busy())
    return twiml_response(document)
