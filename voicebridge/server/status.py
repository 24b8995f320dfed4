"""The carrier's status callbacks: kept once each, in whatever order they come."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import structlog
from aiohttp import web

from voicebridge.records.status import Status
from voicebridge.server.forms import signed_form
from voicebridge.server.keys import STATUSES

log = structlog.get_logger(__name__)

_CALL_FIELDS = ("CallStatus", "CallDuration", "Timestamp", "SipResponseCode", "ErrorCode")
_STREAM_FIELDS = ("StreamEvent", "StreamSid", "StreamError", "Timestamp")
_STREAM_ORDER = {"stream-started": 0, "stream-error": 1, "stream-stopped": 2}
MOST_CHARACTERS = 200


async def call_status(request: web.Request) -> web.Response:
    """Take note of how a call goes (Twilio Media Streams, section 7)."""
    form = await signed_form(request)
    number = form.get("SequenceNumber", "")
    order = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
    key = number if number else form.get("CallStatus", "")
    await keep(request, form, Status("call", key[:64], order, _told(form, _CALL_FIELDS)))
    return web.Response(status=204)


async def stream_status(request: web.Request) -> web.Response:
    """Take note of how a stream goes; these messages carry no number."""
    form = await signed_form(request)
    event = form.get("StreamEvent", "")
    key = f"{form.get('StreamSid', '')}:{event}"[:100]
    status = Status("stream", key, _STREAM_ORDER.get(event, 3), _told(form, _STREAM_FIELDS))
    await keep(request, form, status)
    return web.Response(status=204)


async def keep(request: web.Request, form: Mapping[str, str], status: Status) -> bool:
    """Keep a message of a call and log it; False if it was known already."""
    call_id = form.get("CallSid", "")
    if not call_id:
        raise web.HTTPBadRequest(text="a callback without CallSid")
    try:
        new = await asyncio.to_thread(request.app[STATUSES].add, call_id, status)
    except OSError as error:
        log.error("status_not_saved", error=str(error))  # noqa: TRY400 - the disk, not a bug
        new = True
    if new:
        log.info(f"{status.about}_status", call_id=call_id, **status.told)
    return new


def _told(form: Mapping[str, str], names: tuple[str, ...]) -> dict[str, str]:
    return {name: form[name][:MOST_CHARACTERS] for name in names if form.get(name)}
