"""What all webhooks share: a form that the carrier signed comes in, a TwiML document goes out."""

from __future__ import annotations

import asyncio

import structlog
from aiohttp import web

from voicebridge.errors import SignatureError
from voicebridge.server.keys import GUARD

log = structlog.get_logger(__name__)

FORM_WITHIN_S = 5.0
"""A form that takes longer to arrive is not the carrier's."""


async def signed_form(request: web.Request) -> dict[str, str]:
    """Read a form and make sure that the carrier signed it."""
    try:
        async with asyncio.timeout(FORM_WITHIN_S):
            posted = await request.post()
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="a form that does not arrive") from None
    except (ValueError, LookupError):  # no UTF-8, no such charset, no boundary
        raise web.HTTPBadRequest(text="a form that cannot be read") from None
    fields = [(name, value) for name, value in posted.items() if isinstance(value, str)]
    try:
        request.app[GUARD].check(request, fields)
    except SignatureError as error:
        log.warning("webhook_refused", why=str(error))
        raise web.HTTPForbidden(text="signature refused") from None
    return dict(fields)


def twiml_response(document: str) -> web.Response:
    """Answer with a TwiML document."""
    return web.Response(text=document, content_type="text/xml")
