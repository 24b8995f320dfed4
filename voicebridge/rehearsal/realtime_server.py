"""A realtime speech server on this machine, which speaks the OpenAI Realtime protocol.

GA by default, the beta dialect for a client that asks for it by header. It listens with a real
voice-activity detection, answers from a script with a local voice, and refuses what the API
refuses. It is the independent other end of a rehearsal: nothing of the bridge is in it.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from http import HTTPStatus
from random import Random
from typing import Protocol, Self
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

from voicebridge.rehearsal import wire_beta, wire_ga
from voicebridge.rehearsal.faults import Faults
from voicebridge.rehearsal.model_connection import ModelConnection
from voicebridge.rehearsal.model_session import Decoder, ModelSession
from voicebridge.rehearsal.outbox import Encoder, Outbox
from voicebridge.rehearsal.script import Script, ScriptRun
from voicebridge.rehearsal.session_config import Session
from voicebridge.rehearsal.session_log import ServerNote
from voicebridge.rehearsal.session_state import SessionState, Setting, new_id
from voicebridge.rehearsal.voice import Voice

HOST = "127.0.0.1"
PATH = "/v1/realtime"
LARGEST_MESSAGE_BYTES = 22 * 2**20  # 15 MiB of audio in base64, and its JSON
HANDSHAKE_DEADLINE_S = 60.0
CLOSE_DEADLINE_S = 5.0

_REFUSALS = {
    400: ("You must provide a model parameter.", "invalid_request_error"),
    401: ("Incorrect API key provided.", "invalid_request_error"),
    404: ("Invalid URL.", "invalid_request_error"),
    429: ("Rate limit reached for requests.", "rate_limit_error"),
}


class Dialect(Encoder, Decoder, Protocol):
    """Both directions of a dialect; the modules wire_ga and wire_beta are such."""


@dataclass(eq=False)
class RealtimeServer:
    """Serve sessions on 127.0.0.1, each with its own run of the script.

    ``port`` 0 takes a free one; ``pace`` is how many times faster than real time speech is sent.
    With ``api_key`` set, a client must bring it. ``sessions`` keeps those that are over, too. A
    ``shared`` run of a script is followed by all sessions together, each from where it stands.
    """

    script: Script
    voice: Voice
    _: KW_ONLY
    port: int = 0
    pace: float = 6.0
    api_key: str | None = None
    faults: Faults = field(default_factory=Faults)
    on_event: Callable[[ServerNote], None] | None = None
    shared: ScriptRun | None = None
    sessions: list[ModelSession] = field(default_factory=list, init=False)
    _server: Server | None = field(default=None, init=False)
    _closing: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    @property
    def url(self) -> str:
        """Give the address to dial, once started."""
        return f"ws://{HOST}:{self.port}{PATH}"

    async def start(self) -> None:
        """Listen."""
        self._server = await serve(
            self._serve,
            HOST,
            self.port,
            process_request=self._admit,
            compression=None,
            max_size=LARGEST_MESSAGE_BYTES,
            open_timeout=HANDSHAKE_DEADLINE_S,
            close_timeout=CLOSE_DEADLINE_S,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def close(self) -> None:
        """Close every session and stop listening; idempotent."""
        server, self._server = self._server, None
        if server is None:
            return
        self._closing.set()
        server.close()
        async with asyncio.timeout(2 * CLOSE_DEADLINE_S):
            await server.wait_closed()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.close()

    async def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        """Answer the handshake: None lets the client in."""
        faults = self.faults
        if faults.hang_handshake:
            await self._closing.wait()
            return _refused(socket, 503, "server_error")
        if faults.refuse_status is not None:
            return _refused(socket, faults.refuse_status, "fault", faults.retry_after_s)
        parts = urlsplit(request.path)
        if parts.path != PATH:
            return _refused(socket, 404, "not_found")
        if not self._has_key(request.headers):
            return _refused(socket, 401, "invalid_api_key")
        if "model" not in parse_qs(parts.query):
            return _refused(socket, 400, "missing_required_parameter")
        return None

    def _has_key(self, headers: Headers) -> bool:
        if self.api_key is None:
            return True
        given = headers.get("Authorization", "")
        return hmac.compare_digest(given.encode(), f"Bearer {self.api_key}".encode())

    async def _serve(self, socket: ServerConnection) -> None:
        request = socket.request
        if request is None:  # never after a handshake; the type allows it
            return
        beta = "realtime=v1" in request.headers.get("OpenAI-Beta", "")
        dialect: Dialect = wire_beta if beta else wire_ga
        outbox = Outbox(dialect, self.faults.inject_after, self.faults.inject)
        connection = ModelConnection(socket, outbox, self.faults)
        model = parse_qs(urlsplit(request.path).query)["model"][0]
        state = SessionState(
            setting=Setting(self.script, self.voice, self.pace, self.faults, self.on_event),
            outbox=outbox,
            spawn=connection.spawn,
            config=Session(type="realtime", model=model),
            script=self.shared or self.script.begin(),
            chance=Random(len(self.sessions)),
        )
        session = ModelSession(state, dialect)
        self.sessions.append(session)
        await connection.serve(session)


def _refused(
    socket: ServerConnection, status: int, code: str, retry_after_s: int | None = None
) -> Response:
    """Make the HTTP answer of a refused handshake, with the API's error body (section 1.2)."""
    message, kind = _REFUSALS.get(status, (HTTPStatus(status).phrase, "server_error"))
    error = {"message": message, "type": kind, "param": None, "code": code}
    response = socket.respond(status, json.dumps({"error": error}))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    response.headers["x-request-id"] = new_id("req")
    if retry_after_s is not None:
        response.headers["Retry-After"] = str(retry_after_s)
    return response
