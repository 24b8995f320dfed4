"""The media websocket: who may start a stream, and the socket as the bridge sees it."""

from __future__ import annotations

import asyncio

import structlog
from aiohttp import WSCloseCode, web

from voicebridge.bridge.socket import TextSocket
from voicebridge.carriers import twilio
from voicebridge.carriers.base import Connected, Started
from voicebridge.errors import CarrierError, CarrierProtocolError, SignatureError
from voicebridge.server.expected import Expected
from voicebridge.server.keys import GUARD, PENDING, SWITCHBOARD
from voicebridge.server.media_socket import Upgraded
from voicebridge.server.switchboard import Switchboard

log = structlog.get_logger(__name__)

MOST_BEFORE_START = 50
"""Messages that a stream may send before its start; a second of audio."""


async def media(request: web.Request) -> web.StreamResponse:
    """Take a media stream: check who it is, wait for its start, run the call."""
    switchboard = request.app[SWITCHBOARD]
    try:
        request.app[GUARD].check(request)
    except SignatureError as error:
        log.warning("stream_refused", why=str(error))
        raise web.HTTPForbidden(text="signature refused") from None
    if not switchboard.ready:
        raise web.HTTPServiceUnavailable(text="all lines are busy")
    if not web.WebSocketResponse().can_prepare(request).ok:
        raise web.HTTPUpgradeRequired(text="this is a media stream websocket")
    upgraded = Upgraded(switchboard.settings.server.max_message_bytes)
    await upgraded.prepare(request)
    socket = upgraded.socket
    try:
        started, expected = await _begin(request, socket)
    except CarrierError as error:
        log.warning("stream_refused", why=str(error))
        await socket.close(WSCloseCode.POLICY_VIOLATION)
        return upgraded
    await switchboard.run_call(socket, started, expected)
    return upgraded


async def _begin(request: web.Request, socket: TextSocket) -> tuple[Started, Expected]:
    """Wait for a stream's start, where there is room to wait; raises ``CarrierError``."""
    switchboard, guard = request.app[SWITCHBOARD], request.app[GUARD]
    pending, transport = request.app[PENDING], request.transport
    if transport is None or not pending.enter(socket, guard.address(request), transport.abort):
        raise CarrierError("too many streams wait for their start")
    try:
        started = await _await_start(socket, switchboard.settings.server.start_timeout_s)
    finally:
        pending.leave(socket)
    return started, _expected(switchboard, started, checked=guard.checks)


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


def _expected(switchboard: Switchboard, started: Started, *, checked: bool) -> Expected:
    """Find the call that a stream belongs to, by the token that our answer gave it."""
    if not switchboard.has_line_for(started.call_id):
        raise CarrierError(f"call {started.call_id}: other calls have taken the lines meanwhile")
    token = started.parameters.get("token", "")
    expected = switchboard.tokens.spend(token, started.call_id)
    if expected is None:
        if checked or token:
            raise CarrierError(f"call {started.call_id} came without a valid stream token")
        wished = started.parameters.get("persona", "")
        persona = wished if wished in switchboard.personas else switchboard.personas.default_name
        expected = Expected(started.call_id, persona, "", "")
    if switchboard.calls.is_live(started.call_id):
        raise CarrierError(f"call {started.call_id} has a stream already")
    return expected
