"""Calls that the bridge places: ``POST /calls``, and what the carrier says of who took one."""

from __future__ import annotations

import asyncio
import hmac
import json
from functools import partial

import structlog
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from voicebridge.bridge.call_runner import CallRunner
from voicebridge.call import events as ev
from voicebridge.call.reasons import EndReason
from voicebridge.errors import ConfigError
from voicebridge.outbound.dialler import Dialler, Urls, Wish
from voicebridge.outbound.opt_out import OptOutList
from voicebridge.outbound.rest import RestError, TwilioRest
from voicebridge.outbound.rules import CallRefused
from voicebridge.records.status import Status
from voicebridge.server.callers import Rate
from voicebridge.server.crew.board import Board
from voicebridge.server.crew.owner import keep_or_pass_on
from voicebridge.server.forms import FORM_WITHIN_S, signed_form
from voicebridge.server.keys import DIALLER, GUARD, REFUSALS, SWITCHBOARD
from voicebridge.server.paths import AMD_PATH, STATUS_PATH, VOICE_PATH
from voicebridge.server.status import keep
from voicebridge.server.welcome import let_in
from voicebridge.settings import Settings

log = structlog.get_logger(__name__)

SAY_AFTER_BEEP = (
    "An answering machine has taken the call and records now. Say exactly these words and nothing "
    "else: {words}"
)
_MACHINES = {"machine_end_beep", "machine_end_silence", "machine_end_other", "fax"}
_STATUS_OF_RULE = {"off": 404, "rate": 429, "number": 422}


class Asked(BaseModel):
    """What ``POST /calls`` is asked for."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    to: str = Field(max_length=40)
    persona: str = Field(max_length=100)
    consent: bool = False
    params: dict[str, str] = Field(default_factory=dict, max_length=20)


def dialler_for(settings: Settings, board: Board | None = None) -> Dialler | None:
    """Make what places calls; None where calls are not enabled. Workers count on their board.

    Raises ``ConfigError`` where they are, but something is missing for it.
    """
    wanted = settings.outbound
    if not wanted.enabled or wanted.opt_out_file is None:
        return None
    needed = {
        "TWILIO_ACCOUNT_SID": settings.twilio_account_sid,
        "TWILIO_AUTH_TOKEN": settings.twilio_auth_token,
        "VOICEBRIDGE_API_TOKEN": settings.api_token,
        "public_url": settings.public_url,
    }
    for name, value in needed.items():
        if value is None:
            raise ConfigError("calls cannot be placed without it", key=name)
    account_sid, auth_token = settings.twilio_account_sid or "", settings.twilio_auth_token
    secret = auth_token.get_secret_value() if auth_token else ""
    rest = TwilioRest(account_sid, secret, wanted.api_url)
    rate = Rate(wanted.calls_per_minute, board, "placed")
    return Dialler(
        wanted, rest, OptOutList(wanted.opt_out_file), may_place=partial(rate.allows, "")
    )


async def place_call(request: web.Request) -> web.Response:
    """Place a call: 201 with its id, or why not."""
    _check_token(request)
    let_in(request)
    dialler, switchboard = request.app.get(DIALLER), request.app[SWITCHBOARD]
    if dialler is None:
        return _refused(404, "off", "outbound calls are not enabled")
    asked = await _read(request)
    keep_or_pass_on(request)
    if asked.persona not in await switchboard.take_up_personas():
        return _refused(422, "persona", f"there is no persona {asked.persona!r}")
    if not switchboard.has_line_for():
        return _refused(503, "busy", "all lines are busy")
    base = request.app[GUARD].base_url(request)
    urls = Urls(voice=base + VOICE_PATH, status=base + STATUS_PATH, machine=base + AMD_PATH)
    params = {name: value for name, value in asked.params.items() if "." not in name}
    wish = Wish(to=asked.to, persona=asked.persona, consent=asked.consent, params=params)
    try:
        call_id = await dialler.place(wish, urls)
    except CallRefused as refused:
        log.info("call_not_placed", rule=refused.rule)
        return _refused(_STATUS_OF_RULE.get(refused.rule, 403), refused.rule, str(refused))
    except RestError as error:
        log.warning("call_not_placed", error=str(error), status=error.status, code=error.code)
        words = switchboard.redaction.without_secrets(str(error))  # the carrier's, for a part
        return _refused(503 if error.temporary else 502, "carrier", words)
    return web.json_response({"call_id": call_id}, status=201)


async def machine_detected(request: web.Request) -> web.Response:
    """Take note of who took a call; a machine gets our message after its beep (section 7)."""
    form = await signed_form(request)
    answered_by = form.get("AnsweredBy", "")[:40]
    status = Status("machine", "answered_by", 0, {"AnsweredBy": answered_by})
    call_id = form.get("CallSid", "")
    runner = request.app[SWITCHBOARD].calls.live(call_id)
    if await keep(request, form, status) and answered_by in _MACHINES and runner is not None:
        _leave_message(runner, request.app[SWITCHBOARD].settings.outbound.voicemail, answered_by)
    return web.Response(status=204)


def _leave_message(runner: CallRunner, words: str | None, answered_by: str) -> None:
    if words is None or answered_by == "fax":
        runner.feed(ev.StreamEnded(EndReason.VOICEMAIL, f"taken by {answered_by}"))
        return
    message = SAY_AFTER_BEEP.format(words=words)
    runner.feed(ev.GoodbyeRequested(EndReason.VOICEMAIL, message, at_once=True))


def _check_token(request: web.Request) -> None:
    token = request.app[SWITCHBOARD].settings.api_token
    given = request.headers.get("Authorization", "")
    wanted = f"Bearer {token.get_secret_value()}" if token else None
    if wanted is None or not hmac.compare_digest(
        given.encode("utf-8", "surrogateescape"), wanted.encode()
    ):
        request.app[REFUSALS].note("api_refused")
        raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Bearer"}, text="wrong token")


async def _read(request: web.Request) -> Asked:
    try:
        async with asyncio.timeout(FORM_WITHIN_S):
            body = await request.read()
        return Asked.model_validate_json(body)
    except TimeoutError:
        raise web.HTTPRequestTimeout(text="a body that does not arrive") from None
    except ConnectionError:  # gone meanwhile: nobody hears this answer
        raise web.HTTPBadRequest from None
    except ValidationError as error:
        places = [".".join(map(str, fault["loc"])) or "the body" for fault in error.errors()]
        body_ = json.dumps({"error": "request", "message": f"not usable: {', '.join(places)}"})
        raise web.HTTPBadRequest(text=body_, content_type="application/json") from None


def _refused(status: int, rule: str, message: str) -> web.Response:
    return web.json_response({"error": rule, "message": message}, status=status)
