"""The way in: a client that opens connections."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import Any, Final

from voicebridge.realtime.codec import unmarshal_server_event
from voicebridge.realtime.config import ClientConfig, default_config
from voicebridge.realtime.conn import Conn, ConnOptions
from voicebridge.realtime.dialects import Target
from voicebridge.realtime.errors import (
    ConnClosed,
    ConnectError,
    RealtimeProtocolError,
)
from voicebridge.realtime.logger import Logger, NopLogger
from voicebridge.realtime.rest import DEFAULT_SECRET_LIFE_S, CreateSessionResponse, Rest
from voicebridge.realtime.server_events import (
    ConversationCreatedEvent,
    ErrorEvent,
    SessionCreatedEvent,
)
from voicebridge.realtime.session import AnySession, ClientSecret, Session
from voicebridge.realtime.transport import WebSocketConn, WebSocketDialer, dialer_named
from voicebridge.realtime.transport.refused import refused_session

CONNECT_TIMEOUT_S: Final = 10.0
_MOST_BEFORE_SESSION: Final = 32


class Client:
    """Opens connections to one server with one key."""

    def __init__(self, config: ClientConfig | str) -> None:
        """Take a configuration, or just a key for OpenAI.

        Raises ``ConfigError`` if the library of the transport asked for is not installed.
        """
        self._config = default_config(config) if isinstance(config, str) else config
        self._dialer = dialer_named(self._config.transport)

    def __repr__(self) -> str:
        """Show the configuration without the key."""
        return f"Client({self._config!r})"

    @property
    def config(self) -> ClientConfig:
        """How this client reaches its server."""
        return self._config

    @property
    def rest(self) -> Rest:
        """The REST calls: short-lived keys and calls over SIP."""
        return Rest(self._config)

    async def create_session(self, session: Session) -> CreateSessionResponse:
        """Make a session ready in the beta dialect: see ``Rest.create_session``."""
        return await self.rest.create_session(session)

    async def create_client_secret(
        self, session: AnySession | None = None, *, expires_after_s: int = DEFAULT_SECRET_LIFE_S
    ) -> ClientSecret:
        """Make a short-lived key in the GA dialect: see ``Rest.create_client_secret``."""
        return await self.rest.create_client_secret(session, expires_after_s=expires_after_s)

    def connect(
        self,
        *,
        model: str | None = None,
        intent: str | None = None,
        call_id: str | None = None,
        timeout_s: float = CONNECT_TIMEOUT_S,
        dialer: WebSocketDialer | None = None,
        logger: Logger | None = None,
    ) -> Connecting:
        """Open a connection: ``await`` it, or enter it with ``async with``.

        ``call_id`` joins a call that came in by SIP, ``intent="transcription"`` opens a session
        that only listens; a model is needed for neither. The connection is handed over once the
        server has announced its session; that event is the first to be read. Raises
        ``ConnectError``, which says what to do.
        """
        target = self._target(model, intent, call_id)
        options = ConnOptions(
            self._config.protocol, self._config.strict, self._config.send_timeout_s
        )
        return Connecting(
            self._config,
            target,
            options,
            dialer=dialer or self._dialer,
            logger=logger or NopLogger(),
            timeout_s=timeout_s,
        )

    def _target(self, model: str | None, intent: str | None, call_id: str | None) -> Target:
        config = self._config
        if model is None and call_id is None and intent != "transcription":
            model = config.protocol.default_model
        return Target(model, intent, call_id, config.api_version)


class Connecting:
    """A connection about to be opened."""

    _conn: Conn

    def __init__(
        self,
        config: ClientConfig,
        target: Target,
        options: ConnOptions,
        *,
        dialer: WebSocketDialer,
        logger: Logger,
        timeout_s: float,
    ) -> None:
        self._config, self._target, self._options = config, target, options
        self._dialer, self._logger, self._timeout_s = dialer, logger, timeout_s

    def __await__(self) -> Generator[Any, None, Conn]:
        """Open it."""
        return self._open().__await__()

    async def __aenter__(self) -> Conn:
        """Open it, to be closed at the end of the block."""
        self._conn = await self._open()
        return self._conn

    async def __aexit__(self, *_error: object) -> None:
        """Close it."""
        await self._conn.close()

    async def _open(self) -> Conn:
        config, protocol = self._config, self._config.protocol
        url = protocol.url(config.websocket_url, self._target)
        headers = {**protocol.headers(config.credentials), **config.headers}
        try:
            async with asyncio.timeout(self._timeout_s):
                transport = await self._dialer.dial(url, headers)
                conn = await self._greeted(transport)
        except TimeoutError as error:
            message = f"no session within {self._timeout_s:g} s: is {config.base_url} reachable?"
            raise ConnectError(message) from error
        self._logger.info("connected to %s in the %s dialect", config.base_url, protocol.name)
        return conn

    async def _greeted(self, transport: WebSocketConn) -> Conn:
        """Wait for the session; close the transport whatever else happens."""
        greeted = False
        try:
            read = await self._read_greeting(transport)
            greeted = True
        finally:
            if not greeted:
                await Conn(transport).close()
        return Conn(transport, self._options, logger=self._logger, already_read=read)

    async def _read_greeting(self, transport: WebSocketConn) -> list[str]:
        if not self._config.server_speaks_first:
            return []
        conn, read = Conn(transport, self._options), list[str]()
        try:
            while len(read) < _MOST_BEFORE_SESSION:
                read.append(await conn.read_message_raw())
                event = unmarshal_server_event(read[-1], self._options.dialect)
                if isinstance(event, ErrorEvent):
                    code, message = event.error.code, event.error.message
                    raise refused_session(code, message, transport.response_headers)
                if isinstance(event, SessionCreatedEvent | ConversationCreatedEvent):
                    return read
        except ConnClosed as error:
            message = f"closed with code {error.code}"
            raise refused_session(error.reason, message, transport.response_headers) from error
        except RealtimeProtocolError as error:
            raise ConnectError(f"not a realtime server of this dialect: {error}") from error
        raise ConnectError(f"no session.created among the first {_MOST_BEFORE_SESSION} events")
