"""The media websocket: who may start a stream, and the socket as the bridge sees it."""

from __future__ import annotations

import asyncio

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from voicebridge.bridge.socket import TextSocket
from voicebridge.carriers import twilio
from voicebridge.carriers.base import Connected, Started
from voicebridge.errors import CarrierError, CarrierProtocolError, SignatureError
from voicebridge.server.expected import Expected
from voicebridge.server.keys import GUARD, SWITCHBOARD
from voicebridge.server.switchboard import Switchboard

log = structlog.get_logger(__name__)

MOST_BEFORE_START = 50
"""Messages that a stream may send before its start; a second of audio."""


class ServerSocket:
    """A ``TextSocket`` on aiohttp's server side."""

    def __init__(self, websocket: web.WebSocketResponse) -> None:
        self._websocket = websocket

    async def receive(self) -> str | None:
        """Wait for the next message; see ``TextSocket``."""
        message = await self._websocket.receive()
        match message.type:
            case WSMsgType.TEXT:
                return str(message.data)
            case WSMsgType.BINARY:
                raise CarrierProtocolError("a binary message; media streams are text")
            case WSMsgType.ERROR:
                raise CarrierProtocolError(f"a message that cannot be read: {message.data}")
            case _:
                if self._websocket.close_code == WSCloseCode.MESSAGE_TOO_BIG:
                    raise CarrierProtocolError("a message over the size limit")
                return None

    async def send(self, text: str) -> None:
        """Send a message; see ``TextSocket``."""
        try:
            await self._websocket.send_str(text)
        except (ConnectionError, RuntimeError) as error:
            raise CarrierError(f"the media socket is gone: {error}") from None

    async def close(self, code: int = WSCloseCode.OK) -> None:
        """Close the socket."""
        await self._websocket.close(code=code)


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
    websocket = web.WebSocketResponse(
        max_msg_size=switchboard.settings.server.max_message_bytes, compress=False
    )
    if not websocket.can_prepare(request).ok:
        raise web.HTTPUpgradeRequired(text="this is a media stream websocket")
    await websocket.prepare(request)
    socket = ServerSocket(websocket)
    try:
        started = await _await_start(socket, switchboard.settings.server.start_timeout_s)
        expected = _expected(switchboard, started, checked=request.app[GUARD].checks)
    except CarrierError as error:
        log.warning("stream_refused", why=str(error))
        await socket.close(WSCloseCode.POLICY_VIOLATION)
        return websocket
    await switchboard.run_call(socket, started, expected)
    return websocket


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
