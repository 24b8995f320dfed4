"""The REST side: short-lived keys, sessions of the beta protocol, and calls over SIP.

OpenAI Realtime, sections 1.2 and 1.3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from voicebridge.realtime.client_events import SessionUpdateEvent
from voicebridge.realtime.codec import client_event_to_wire
from voicebridge.realtime.config import ClientConfig
from voicebridge.realtime.errors import UnsupportedParameter
from voicebridge.realtime.http import HTTP_TIMEOUT_S, http_do
from voicebridge.realtime.session import ClientSecret, Session, TranscriptionSession
from voicebridge.realtime.wire import JsonObject, M, from_wire

DEFAULT_SECRET_LIFE_S: Final = 600
DECLINED: Final = 603


@dataclass(frozen=True, slots=True)
class CreateSessionResponse:
    """A session made ready by the beta protocol, and the short-lived key that opens it."""

    session: Session
    client_secret: ClientSecret


class Rest:
    """The REST calls of one configuration."""

    def __init__(self, config: ClientConfig, *, timeout_s: float = HTTP_TIMEOUT_S) -> None:
        self._config, self._timeout_s = config, timeout_s

    async def create_session(self, session: Session) -> CreateSessionResponse:
        """Make a session ready (beta only); ``session.model`` is the model's place here."""
        if self._config.dialect != "beta":
            message = "sessions are created in the beta dialect only; use create_client_secret"
            raise UnsupportedParameter(message, param="dialect")
        reply = await self._post("/realtime/sessions", self._session(session))
        decoded = self._config.protocol.decode_server({"type": "session.created", "session": reply})
        made = decoded["session"]
        secret = made.pop("client_secret", None) if isinstance(made, dict) else None
        return CreateSessionResponse(_read(Session, made), _read(ClientSecret, secret))

    async def create_client_secret(
        self,
        session: Session | TranscriptionSession | None = None,
        *,
        expires_after_s: int = DEFAULT_SECRET_LIFE_S,
    ) -> ClientSecret:
        """Make a short-lived key (GA only), valid for 10 to 7200 s, for sessions such as this."""
        if self._config.dialect != "ga":
            message = "client secrets exist in the ga dialect only; use create_session"
            raise UnsupportedParameter(message, param="dialect")
        body: JsonObject = {"expires_after": {"anchor": "created_at", "seconds": expires_after_s}}
        if session is not None:
            body["session"] = self._session(session)
        return _read(ClientSecret, await self._post("/realtime/client_secrets", body))

    async def accept_call(self, call_id: str, session: Session) -> None:
        """Answer a call that came in by SIP; then join it with ``connect(call_id=…)``."""
        await self._post(_call(call_id, "accept"), self._session(session))

    async def reject_call(self, call_id: str, *, status_code: int = DECLINED) -> None:
        """Turn a call down with a SIP status, 603 (declined) or 486 (busy) for instance."""
        await self._post(_call(call_id, "reject"), {"status_code": status_code})

    async def refer_call(self, call_id: str, target_uri: str) -> None:
        """Hand a call over to a ``tel:`` or ``sip:`` address."""
        await self._post(_call(call_id, "refer"), {"target_uri": target_uri})

    async def hangup_call(self, call_id: str) -> None:
        """End a call."""
        await self._post(_call(call_id, "hangup"), None)

    def _session(self, session: Session | TranscriptionSession) -> JsonObject:
        protocol = self._config.protocol
        event = client_event_to_wire(SessionUpdateEvent(session=session))
        if self._config.strict:
            protocol.check(event)
        encoded: JsonObject = protocol.encode_client(event)["session"]
        return encoded

    async def _post(self, path: str, body: JsonObject | None) -> Any:
        config = self._config
        headers = {**config.protocol.headers(config.credentials), **config.headers}
        return await http_do(
            config.endpoint(path),
            body,
            headers=headers,
            session=config.http_session,
            timeout_s=self._timeout_s,
        )


def _call(call_id: str, action: str) -> str:
    return f"/realtime/calls/{quote(call_id, safe='')}/{action}"


def _read(model: type[M], value: Any) -> M:
    return from_wire(model, value, f"not a {model.__name__} in the reply")
