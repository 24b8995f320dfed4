"""A connection to a realtime server: typed events in and out."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii
from typing import Final, Self, TypeVar

from voicebridge.realtime.client_events import ClientEvent
from voicebridge.realtime.codec import marshal_client_event, unmarshal_server_event
from voicebridge.realtime.dialects import GA, Dialect
from voicebridge.realtime.errors import (
    ConnClosed,
    DeadlineExceeded,
    RealtimeProtocolError,
    UnsupportedMessageType,
    UnsupportedParameter,
)
from voicebridge.realtime.logger import Logger, NopLogger
from voicebridge.realtime.server_events import ServerEvent
from voicebridge.realtime.transport.base import MessageType, QuickConn, WebSocketConn

T = TypeVar("T")

CLOSE_TIMEOUT_S: Final = 5.0
PING_TIMEOUT_S: Final = 10.0
_NORMAL_CODES: Final = frozenset({1000, 1001})


def append_text(payload: str) -> str:
    """Write an ``input_audio_buffer.append`` of base64 text, without an event object."""
    return f'{{"type":"input_audio_buffer.append","audio":{encode_basestring_ascii(payload)}}}'


@dataclass(frozen=True, slots=True)
class ConnOptions:
    """How a connection speaks: see the fields of the same names in ``ClientConfig``."""

    dialect: Dialect = GA
    strict: bool = True
    send_timeout_s: float = 10.0


class Conn:
    """A connection to a realtime server.

    One reader at a time; any number of senders. Events are taken one by one with
    ``read_message``, or by ``async for``, which passes over malformed ones.
    """

    __slots__ = (
        "_already_read",
        "_closing",
        "_hold",
        "_listen",
        "_logger",
        "_may_read",
        "_options",
        "_post",
        "_transport",
    )

    def __init__(
        self,
        transport: WebSocketConn,
        options: ConnOptions | None = None,
        *,
        logger: Logger | None = None,
        already_read: Iterable[str] = (),
    ) -> None:
        """Take over an open transport; ``already_read`` is delivered before what it brings."""
        self._transport = transport
        quick = transport if isinstance(transport, QuickConn) else None
        self._post = quick.post if quick else None
        self._listen = quick.listen if quick else None
        self._hold = quick.hold if quick else None
        self._may_read = asyncio.Event()
        self._may_read.set()
        self._options = options or ConnOptions()
        self._logger = logger or NopLogger()
        self._already_read = deque(already_read)
        self._closing = False

    @property
    def dialect(self) -> Dialect:
        """The dialect this connection speaks."""
        return self._options.dialect

    @property
    def response_headers(self) -> Mapping[str, str]:
        """The headers of the handshake's reply, such as the request id."""
        return self._transport.response_headers

    async def read_message(self, *, timeout_s: float | None = None) -> ServerEvent:
        """Wait for the next event.

        Raises ``ConnClosed`` (permanent) when there will be none, ``RealtimeProtocolError`` (not
        permanent) for a malformed one and ``DeadlineExceeded`` (not permanent) when none came in
        time. Cancelling loses nothing: the next read brings the event.
        """
        data = await self.read_message_raw(timeout_s=timeout_s)
        return unmarshal_server_event(data, self._options.dialect)

    async def listen(
        self,
        take: Callable[[list[ServerEvent | RealtimeProtocolError]], None],
        *,
        only: Collection[str] | None = None,
    ) -> None:
        """Hand over events as they come, in order, until the end; those that came together, so.

        A malformed one is handed over as the error it is. Events of types that are not in
        ``only`` are not read any further: they come as ``UnknownEvent``. No task is woken for an
        event where the transport can do that; then ``take`` runs in the middle of the socket's
        work. It must not raise. Raises ``ConnClosed``.
        """

        def read(messages: Iterable[tuple[MessageType, str | bytes]]) -> None:
            take([self._read_or_error(data, only) for _, data in messages])

        if self._already_read:
            read((MessageType.TEXT, text) for text in self._already_read)
            self._already_read.clear()
        if self._closing:
            raise ConnClosed(1000, by_us=True)
        if self._listen is not None:
            return await self._until(self._listen(read), "a read", None)
        while True:
            await self._may_read.wait()
            read([await self._until(self._transport.read_message(), "a read", None)])

    def hold(self, held: bool) -> None:
        """Let ``listen`` leave what comes with the server, until told otherwise.

        For whoever cannot take so much at once. What has been read is still handed over.
        """
        if self._hold is not None:
            self._hold(held)
        elif held:
            self._may_read.clear()
        else:
            self._may_read.set()

    def _read_or_error(
        self, data: str | bytes, only: Collection[str] | None
    ) -> ServerEvent | RealtimeProtocolError:
        if not isinstance(data, str):
            return UnsupportedMessageType("a binary frame: events come as text")
        try:
            return unmarshal_server_event(data, self._options.dialect, only=only)
        except RealtimeProtocolError as error:
            return error

    async def read_message_raw(self, *, timeout_s: float | None = None) -> str:
        """Wait for the next message and give its JSON text as it came.

        Raises as ``read_message`` does, and ``UnsupportedMessageType`` for a binary frame.
        """
        if self._closing:
            raise ConnClosed(1000, by_us=True)
        if self._already_read:
            return self._already_read.popleft()
        kind, data = await self._until(self._transport.read_message(), "a read", timeout_s)
        if not isinstance(data, str):
            raise UnsupportedMessageType(f"a {kind.name.lower()} frame: events come as text")
        return data

    async def send_message(self, event: ClientEvent, *, timeout_s: float | None = None) -> None:
        """Send an event.

        Raises ``UnsupportedParameter`` before anything is sent if the server would refuse it,
        ``ConnClosed``, or ``DeadlineExceeded`` (permanent: the server takes no more data). The
        deadline is the client's ``send_timeout_s`` unless another is given.
        """
        options = self._options
        data = marshal_client_event(event, options.dialect, strict=options.strict)
        await self.send_message_raw(data, timeout_s=timeout_s)

    async def send_message_raw(self, data: str | bytes, *, timeout_s: float | None = None) -> None:
        """Send JSON text as it is, unchecked; raises as ``send_message`` does."""
        if self._closing:
            raise ConnClosed(1000, by_us=True)
        timeout_s = self._options.send_timeout_s if timeout_s is None else timeout_s
        write = self._transport.write_message(MessageType.TEXT, data)
        try:
            await self._until(write, "a send", timeout_s)
        except DeadlineExceeded as error:
            error.permanent = True
            raise

    async def append_audio(self, payload: str, *, timeout_s: float | None = None) -> None:
        """Append base64 audio to the input buffer; raises as ``send_message`` does.

        The payload is raw samples in the session's input format, 15 MiB at most; it is neither
        decoded nor checked. No acknowledgement comes.
        """
        await self.send_message_raw(append_text(payload), timeout_s=timeout_s)

    def post_audio(self, payload: str) -> bool:
        """Append base64 audio at once; False, and nothing sent, if that has to wait or cannot be.

        Then ``append_audio`` sends it, or tells why it cannot. The payload is not checked, and
        must need no escape in JSON. Not every transport can do this.
        """
        post = self._post
        return post is not None and post(
            f'{{"type":"input_audio_buffer.append","audio":"{payload}"}}'.encode()
        )

    def post(self, event: ClientEvent) -> bool:
        """Send an event at once; False, and nothing sent, if that has to wait or cannot be.

        Then ``send_message`` sends it, or tells why it cannot.
        """
        if self._post is None:
            return False
        try:
            data = marshal_client_event(event, self.dialect, strict=self._options.strict)
        except UnsupportedParameter:
            return False
        return self._post(data)

    async def ping(self, *, timeout_s: float = PING_TIMEOUT_S) -> None:
        """Send a ping and wait for its pong. Raises ``ConnClosed`` or ``DeadlineExceeded``."""
        if self._closing:
            raise ConnClosed(1000, by_us=True)
        await self._until(self._transport.ping(), "a ping", timeout_s)

    async def close(self) -> None:
        """Close the connection; again and again without harm, and never with an error."""
        self._closing, self._post = True, None
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._transport.close()
        except (TimeoutError, ConnClosed) as error:
            self._logger.debug("closing: %s", error)

    async def __aenter__(self) -> Self:
        """Give the connection itself; it is open already."""
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close."""
        await self.close()

    def __aiter__(self) -> Self:
        """Iterate over the events to come."""
        return self

    async def __anext__(self) -> ServerEvent:
        """Give the next well-formed event; end with a normal close, raise any other."""
        while True:
            try:
                return await self.read_message()
            except RealtimeProtocolError as error:
                self._logger.warning("passed over a malformed event: %s", error)
            except ConnClosed as error:
                if error.by_us or error.code in _NORMAL_CODES:
                    raise StopAsyncIteration from None
                raise

    async def _until(self, work: Awaitable[T], what: str, timeout_s: float | None) -> T:
        try:
            if timeout_s is None:
                return await work
            async with asyncio.timeout(timeout_s):
                return await work
        except TimeoutError as error:
            raise DeadlineExceeded(what, timeout_s or 0) from error
        except ConnClosed as error:
            if self._closing and not error.by_us:
                raise ConnClosed(error.code, error.reason, by_us=True) from error
            raise
