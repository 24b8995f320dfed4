"""What comes after a stream, by the call's record: goodbye, a transfer, the agent again, a person.

==========================================  ==============================================
how the stream ended                        what the caller gets
==========================================  ==============================================
both had their say                          the call is over
the agent transferred the caller            the number is dialled, or the colleague who waits
                                            joined; the agent again on failure
it broke off, or a fault of ours ended it   the agent again, twice at most
else, or when no line is free               the persona's fallback, or an apology
==========================================  ==============================================
"""

from __future__ import annotations

import structlog
from aiohttp import web

from voicebridge.bridge.registry import Ended
from voicebridge.call.reasons import EndReason
from voicebridge.carriers import twilio
from voicebridge.errors import ConfigError
from voicebridge.server.answer import connect
from voicebridge.server.expected import Expected
from voicebridge.server.forms import signed_form, twiml_response
from voicebridge.server.keys import GUARD, SWITCHBOARD
from voicebridge.server.paths import DIAL_DONE_PATH
from voicebridge.server.visit import Visit

log = structlog.get_logger(__name__)

APOLOGY = "I am sorry, we have a technical problem. Please call again a little later."
MOST_AGAIN = 2
"""How often a caller whose stream broke off is connected anew."""

RECONNECTED = (
    "The connection to the caller broke off for a moment and is back now. Apologise in one short "
    "sentence, and go on where you were; if nothing had been said yet, ask how you can help."
)
TRANSFER_FAILED = (
    "You have just tried to transfer the caller, but nobody took the call ({status}). The caller "
    "is back with you. Say so in one short sentence and ask how else you can help."
)
_TRANSFER, _FALLBACK = "transfer", "fallback"
_GONE = "gone before the caller was there"
_STATUSES = {"busy": "busy", "no-answer": "no answer", "failed": "failed", "canceled": "failed"}

_OVER = {
    EndReason.CALLER_HUNG_UP,
    EndReason.AGENT_HUNG_UP,
    EndReason.SILENCE,
    EndReason.MAX_DURATION,
    EndReason.SHUTDOWN,
    EndReason.SPEND_LIMIT,
    EndReason.VOICEMAIL,
}
_BROKE_OFF = {EndReason.CARRIER_LOST, EndReason.BRIDGE_FAULT}
_HAS_APOLOGISED = {EndReason.MODEL_UNREACHABLE, EndReason.MODEL_MISMATCH, EndReason.MODEL_LOST}
"""Ends before which the caller has heard the packaged phrase already."""


async def after_stream(request: web.Request) -> web.Response:
    """Say what comes after the stream."""
    visit = Visit.read(await signed_form(request), request.query)
    ended = request.app[SWITCHBOARD].calls.tell_next(visit.call_id)
    document = await _after(request, visit, ended)
    log.info("after_stream", call_id=visit.call_id, ended=str(ended and ended.reason))
    return twiml_response(document)


async def dial_done(request: web.Request) -> web.Response:
    """Say what comes after a dial: the call is over, or the caller comes back to the agent."""
    form = await signed_form(request)
    visit, status = Visit.read(form, request.query), form.get("DialCallStatus", "")
    log.info("dial_done", call_id=visit.call_id, status=status, why=visit.why)
    colleagues = request.app[SWITCHBOARD].colleagues
    if colleagues is not None and colleagues.has_missed(visit.call_id):
        return twiml_response(await _back(request, visit, _GONE))
    if status in {"completed", "answered"}:
        return twiml_response(twilio.twiml_hang_up())
    if visit.why == _FALLBACK:
        return twiml_response(twilio.twiml_hang_up(APOLOGY))
    return twiml_response(await _back(request, visit, _STATUSES.get(status, "failed")))


async def _after(request: web.Request, visit: Visit, ended: Ended | None) -> str:
    match ended:
        case Ended(EndReason.TRANSFERRED, str(number)):
            return _dial(request, visit.with_(why=_TRANSFER), number)
        case Ended(EndReason.TRANSFERRED):
            return await _hand_over(request, visit)
        case Ended(reason) if reason in _OVER:
            return twilio.twiml_hang_up()
        case Ended(reason) if reason in _HAS_APOLOGISED:
            return _fallback(request, visit, None)
    # A call that is not known here, but has our URL, began before a restart or at another process.
    broke_off = visit.persona != "" if ended is None else ended.reason in _BROKE_OFF
    if broke_off and visit.again < MOST_AGAIN:
        again = visit.with_(again=visit.again + 1)
        document = await connect(request, again, RECONNECTED)
        if document is not None:
            return document
    return _fallback(request, visit, APOLOGY)


async def _hand_over(request: web.Request, visit: Visit) -> str:
    """Put the caller into the room in which a colleague waits, if one still does."""
    back_url = visit.with_(why=_TRANSFER).url(request.app[GUARD].base_url(request) + DIAL_DONE_PATH)
    colleagues = request.app[SWITCHBOARD].colleagues
    room = colleagues.send_caller(visit.call_id, back_url) if colleagues else None
    return twilio.twiml_join(room, back_url) if room else await _back(request, visit, _GONE)


async def _back(request: web.Request, visit: Visit, status: str) -> str:
    """Bring a caller back to the agent, who is told that nobody took the call."""
    document = await connect(request, visit.with_(), TRANSFER_FAILED.format(status=status))
    return document or twilio.twiml_hang_up(APOLOGY)


def _fallback(request: web.Request, visit: Visit, apology: str | None) -> str:
    expected = Expected(visit.call_id, visit.persona, visit.caller, visit.called, visit.params)
    try:
        fallback = request.app[SWITCHBOARD].prepare(expected).persona.fallback
    except ConfigError:  # words that became too long for this one call
        fallback = None
    if fallback is None:
        return twilio.twiml_hang_up(apology)
    if fallback.number is None:
        return twilio.twiml_hang_up(fallback.say or apology)
    return _dial(request, visit.with_(why=_FALLBACK), fallback.number, fallback.say)


def _dial(request: web.Request, visit: Visit, number: str, say: str | None = None) -> str:
    return twilio.twiml_dial(
        number,
        say=say,
        caller_id=visit.called,
        action_url=visit.url(request.app[GUARD].base_url(request) + DIAL_DONE_PATH),
    )
