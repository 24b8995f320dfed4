"""The media websocket: who may start a stream, and the socket as the bridge sees it."""

from __future__ import annotations

import asyncio

from aiohttp import WSCloseCode, web

from voicebridge.bridge.socket import TextSocket
from voicebridge.carriers import twilio
from voicebridge.carriers.base import Connected, Started
from voicebridge.errors import CarrierError, CarrierProtocolError, SignatureError
from voicebridge.server.crew.owner import keep_or_pass_on
from voicebridge.server.expected import Expected
from voicebridge.server.keys import GUARD, PENDING, REFUSALS, SWITCHBOARD
from voicebridge.server.media_socket import Upgraded
from voicebridge.server.security import RequestGuard, not_ours
from voicebridge.server.switchboard import Switchboard
from voicebridge.server.welcome import let_in

MOST_BEFORE_START = 50
"""Messages that a stream may send before its start; a second of audio."""

REFUSED_WITHIN_S = 0.2
"""How long a stream that was refused may take to close."""


async def media(request: web.Request) -> web.StreamResponse:
    """Take a media stream: check who it is, wait for its start, run the call."""
    switchboard = request.app[SWITCHBOARD]
    try:
        request.app[GUARD].check(request)
    except SignatureError as error:
        request.app[REFUSALS].note("stream_refused", why=str(error))
        raise web.HTTPForbidden(text="signature refused") from None
    keep_or_pass_on(request)
    if not switchboard.ready:
        raise web.HTTPServiceUnavailable(text="all lines are busy")
    if not web.WebSocketResponse().can_prepare(request).ok:
        raise web.HTTPUpgradeRequired(text="this is a media stream websocket")
    upgraded = Upgraded(switchboard.settings.server.max_message_bytes)
    _wait(request, upgraded.socket)
    try:
        await upgraded.prepare(request)
        started = await _await_start(upgraded.socket, switchboard.settings.server.start_timeout_s)
        expected = _expected(switchboard, started, request.app[GUARD])
    except CarrierError as error:
        request.app[REFUSALS].note("stream_refused", why=str(error))
        await upgraded.socket.close(WSCloseCode.POLICY_VIOLATION, REFUSED_WITHIN_S)
        return upgraded
    finally:
        request.app[PENDING].leave(upgraded.socket)
    await switchboard.run_call(upgraded.socket, started, expected)
    return upgraded


def _wait(request: web.Request, socket: TextSocket) -> None:
    """Let a stream wait for its start, if there is room, counted by who is behind the proxy."""
    let_in(request)
    pending, transport = request.app[PENDING], request.transport
    address = request.app[GUARD].address(request)
    if transport is None or not pending.enter(socket, address, transport.abort):
        raise web.HTTPServiceUnavailable(text="too many streams wait for their start")


async def _await_start(socket: TextSocket, within_s: float) -> Started:
    """Wait for the stream's start; raises ``CarrierError`` for a stream that does not begin so."""
    try:
        async with asyncio.timeout(within_s):
            for _ in range(MOST_BEFORE_START):
                text = await socket.receive()
                if text is None:
                    raise CarrierError("the stream closed before its start")
                message = twilio.decode(text)
                if isinstance(message, Started):
                    return message
                if not isinstance(message, Connected):
                    raise CarrierProtocolError(f"{type(message).__name__} before the start")
    except TimeoutError:
        raise CarrierError(f"no start within {within_s:g} s") from None
    raise CarrierProtocolError("too many messages before the start")


def _expected(switchboard: Switchboard, started: Started, guard: RequestGuard) -> Expected:
    """Find the call that a stream belongs to, by the token that our answer gave it."""
    if not guard.knows_account(started.account_id):
        raise CarrierError(not_ours(started.account_id))
    if not switchboard.has_line_for(started.call_id):
        raise CarrierError(f"call {started.call_id}: other calls have taken the lines meanwhile")
    token = started.parameters.get("token", "")
    expected = switchboard.tokens.spend(token, started.call_id)
    if expected is None:
        if guard.checks or token:
            raise CarrierError(f"call {started.call_id} came without a valid stream token")
        wished = started.parameters.get("persona", "")
        persona = wished if wished in switchboard.personas else switchboard.personas.default_name
        expected = Expected(started.call_id, persona, "", "")
    if switchboard.calls.is_live(started.call_id):
        raise CarrierError(f"call {started.call_id} has a stream already")
    if not switchboard.lines.hold(started.call_id):
        raise CarrierError(f"call {started.call_id}: other calls have taken the lines just now")
    return expected
