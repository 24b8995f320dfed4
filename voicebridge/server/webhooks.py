"""The carrier's questions: what to do with a call, and what comes after its stream."""

from __future__ import annotations

import structlog
from aiohttp import web

from voicebridge.call.reasons import EndReason
from voicebridge.carriers import twilio
from voicebridge.errors import SignatureError
from voicebridge.server.keys import GUARD, SWITCHBOARD
from voicebridge.server.security import Expected

log = structlog.get_logger(__name__)

VOICE_PATH = "/twilio/voice"
AFTER_PATH = "/twilio/after-stream"
MEDIA_PATH = "/twilio/media"

APOLOGY = "I am sorry, we have a technical problem. Please call again a little later."

_ENDED_WELL = {
    EndReason.CALLER_HUNG_UP,
    EndReason.AGENT_HUNG_UP,
    EndReason.SILENCE,
    EndReason.MAX_DURATION,
    EndReason.SHUTDOWN,
    # The caller has heard the packaged phrase already.
    EndReason.MODEL_UNREACHABLE,
    EndReason.MODEL_MISMATCH,
    EndReason.MODEL_LOST,
}


async def voice(request: web.Request) -> web.Response:
    """Answer a call: connect it to our media stream, or say that we are busy."""
    form = await _signed_form(request)
    guard, switchboard = request.app[GUARD], request.app[SWITCHBOARD]
    call_id = form.get("CallSid", "")
    if not call_id:
        raise web.HTTPBadRequest(text="a voice webhook without CallSid")
    if not switchboard.ready:
        log.warning("call_refused", call_id=call_id, live=len(switchboard.calls))
        return _twiml(twilio.twiml_busy())
    called = form.get("To", "")
    expected = Expected(
        call_id, switchboard.personas.name_for_number(called), form.get("From", ""), called
    )
    token = switchboard.tokens.mint(expected)
    return _twiml(
        twilio.twiml_connect(
            guard.stream_url(request, MEDIA_PATH),
            {"token": token},
            guard.base_url(request) + AFTER_PATH,
        )
    )


async def after_stream(request: web.Request) -> web.Response:
    """Say what comes after the stream: hang up, with an apology if nobody has made one."""
    form = await _signed_form(request)
    reason = request.app[SWITCHBOARD].calls.tell_next(form.get("CallSid", ""))
    return _twiml(twilio.twiml_hang_up(None if reason in _ENDED_WELL else APOLOGY))


async def _signed_form(request: web.Request) -> dict[str, str]:
    try:
        posted = await request.post()
    except (ValueError, LookupError):  # no UTF-8, no such charset, no boundary
        raise web.HTTPBadRequest(text="a form that cannot be read") from None
    fields = [(name, value) for name, value in posted.items() if isinstance(value, str)]
    try:
        request.app[GUARD].check(request, fields)
    except SignatureError as error:
        log.warning("webhook_refused", why=str(error))
        raise web.HTTPForbidden(text="signature refused") from None
    return dict(fields)


def _twiml(document: str) -> web.Response:
    return web.Response(text=document, content_type="text/xml")
