"""What all webhooks share: a form that the carrier signed comes in, a TwiML document goes out."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import parse_qsl

from aiohttp import web

from voicebridge.errors import SignatureError
from voicebridge.server.crew.owner import keep_or_pass_on
from voicebridge.server.keys import GUARD, REFUSALS
from voicebridge.server.security import not_ours
from voicebridge.server.welcome import let_in

FORM_WITHIN_S = 5.0
"""A form that takes longer to arrive is not the carrier's."""

MOST_FIELDS = 200
"""The carrier sends some forty; a stranger's thousands would cost their parsing and sorting."""

FORM_TYPE = "application/x-www-form-urlencoded"


async def signed_form(request: web.Request) -> dict[str, str]:
    """Read a form and make sure that the carrier signed it, for a call of an account of ours."""
    guard = request.app[GUARD]
    try:
        guard.look(request)
        fields, body = await _read(request)
        guard.check(request, fields, body)
        let_in(request)
    except SignatureError as error:
        request.app[REFUSALS].note("webhook_refused", why=str(error))
        raise web.HTTPForbidden(text="signature refused") from None
    form = _of_json(body) if body else dict(fields)
    account_id = form.get("AccountSid")
    if account_id is not None and not guard.knows_account(account_id):
        request.app[REFUSALS].note("webhook_refused", why=not_ours(account_id))
        raise web.HTTPForbidden(text="another account")
    keep_or_pass_on(request, form.get("CallSid", ""))
    return form


async def _read(request: web.Request) -> tuple[list[tuple[str, str]], bytes]:
    """Read the fields of a form, or a body that is none."""
    try:
        async with asyncio.timeout(FORM_WITHIN_S):
            body = await request.read()
        if request.content_type != FORM_TYPE:
            return [], body
        if (request.charset or "utf-8").lower() != "utf-8":
            raise web.HTTPBadRequest(text="a form in another charset than UTF-8")
        text = body.decode().rstrip()
        return parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS), b""
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="a form that does not arrive") from None
    except ConnectionError:  # gone meanwhile: nobody hears this answer
        raise web.HTTPBadRequest from None
    except ValueError:  # no UTF-8, too many fields
        raise web.HTTPBadRequest(text="a form that cannot be read") from None


def _of_json(body: bytes) -> dict[str, str]:
    """Read what an object of JSON says in words."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(text="a body that cannot be read") from None
    pairs = told.items() if isinstance(told, dict) else ()
    return {name: value for name, value in pairs if isinstance(value, str)}


def twiml_response(document: str) -> web.Response:
    """Answer with a TwiML document."""
    return web.Response(text=document, content_type="text/xml")
