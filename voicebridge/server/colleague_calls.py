"""What the carrier asks and tells of a colleague's call: what is said, which key, how it goes."""

from __future__ import annotations

import structlog
from aiohttp import web

from voicebridge.carriers import twilio
from voicebridge.records.status import Status
from voicebridge.server.colleagues import NOBODY, room_of
from voicebridge.server.forms import signed_form, twiml_response
from voicebridge.server.keys import GUARD, SWITCHBOARD
from voicebridge.server.status import keep
from voicebridge.server.visit import ATTEMPT_NAME, CALL_NAME

log = structlog.get_logger(__name__)

_TAKEN = "taken"
_ORDER = {"initiated": 0, "ringing": 1, "in-progress": 2, _TAKEN: 3}


async def colleague(request: web.Request) -> web.Response:
    """Say to a colleague who has answered what it is about, and act on the key that is pressed."""
    form = await signed_form(request)
    call_id, attempt = _about(request)
    colleagues = request.app[SWITCHBOARD].colleagues
    key = form.get("Digits")
    if colleagues is None:
        return twiml_response(twilio.twiml_hang_up(NOBODY))
    if key is None:
        words = colleagues.words_for(call_id, attempt)
        if words is None:
            return twiml_response(twilio.twiml_hang_up(NOBODY))
        choice_url = request.app[GUARD].base_url(request) + request.raw_path
        return twiml_response(twilio.twiml_ask(words[0], choice_url, language=words[1]))
    taken = colleagues.choose(call_id, attempt, key)
    if not taken:
        return twiml_response(twilio.twiml_hang_up())
    await _note(request, form, _TAKEN)
    return twiml_response(twilio.twiml_join(room_of(call_id)))


async def colleague_status(request: web.Request) -> web.Response:
    """Take note of how a colleague's call goes; the caller's record tells it."""
    form = await signed_form(request)
    call_id, attempt = _about(request)
    status = form.get("CallStatus", "")[:20]
    if (colleagues := request.app[SWITCHBOARD].colleagues) is not None:
        colleagues.heard_of(call_id, attempt, status)
    await _note(request, form, status)
    return web.Response(status=204)


async def _note(request: web.Request, form: dict[str, str], status: str) -> None:
    call_id, attempt = _about(request)
    told = {"CallStatus": status, "CallSid": form.get("CallSid", "")[:64]}
    order = (int(attempt) * 10 if attempt.isdecimal() else 0) + _ORDER.get(status, 4)
    note = Status("transfer", f"{attempt}:{status}", order, told)
    await keep(request, {"CallSid": call_id}, note)


def _about(request: web.Request) -> tuple[str, str]:
    """Return the caller's call and which attempt to reach a colleague this is, by our own URL."""
    return request.query.get(CALL_NAME, ""), request.query.get(ATTEMPT_NAME, "")[:9]
