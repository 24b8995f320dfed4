"""Make the request of an HTTP tool, and only that request.

A model speaks for whoever is on the telephone, so what it asks for is guarded: the host stands in
the file and never in an argument, every address is checked at the moment its socket is made (so
that the address checked is the one dialled), redirects are followed by hand under the same rules,
and time and size are bounded. Secrets go to the origin that the file names and nowhere else; they
are in no error, log line or repr.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import urljoin

import aiohttp
import structlog
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import SecretStr
from pydantic_core import from_json
from yarl import URL

from voicebridge import __version__
from voicebridge.errors import ToolFailed
from voicebridge.personas.references import filled_in
from voicebridge.tools.addresses import may_dial
from voicebridge.tools.context import CallContext
from voicebridge.tools.data import shortened
from voicebridge.tools.http_file import DEFAULT_PORTS, HttpToolFile, split
from voicebridge.tools.http_text import fill, fill_path, fill_query, select

log = structlog.get_logger(__name__)

WITHIN_S = 10.0
MAX_REPLY_BYTES = 1024 * 1024
MAX_REDIRECTS = 3

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEP_METHOD = frozenset({307, 308})

MayDial = Callable[[str], bool]


class AddressRefused(OSError):
    """An address that a tool may not dial."""


class HttpSender:
    """The connections of all HTTP tools; they are open while ``running``.

    There are two sets of them, for tools with and without ``allow_private``, so that no connection
    into one's own network is ever shared with a tool that may not have one.
    """

    def __init__(
        self, resolver: AbstractResolver | None = None, may_dial: Callable[..., bool] = may_dial
    ) -> None:
        self._resolver, self._may_dial = resolver, may_dial
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep connections open for the length of the context."""
        self._sessions = {private: self._session(private) for private in (False, True)}
        try:
            yield
        finally:
            sessions, self._sessions = self._sessions, {}
            for session in sessions.values():
                await session.close()

    def session(self, *, private: bool) -> aiohttp.ClientSession:
        """Return the session to use; raises ToolFailed while none is open."""
        if private not in self._sessions:
            raise ToolFailed("The service cannot be reached now. Tell the caller.")
        return self._sessions[private]

    def _session(self, private: bool) -> aiohttp.ClientSession:
        allowed = partial(self._may_dial, private=private)
        resolver = self._resolver or aiohttp.ThreadedResolver()
        connector = aiohttp.TCPConnector(
            resolver=_GuardedResolver(resolver, allowed),
            socket_factory=partial(_guarded_socket, allowed),
            use_dns_cache=False,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),  # one caller's cookie is not another's
            headers={"User-Agent": f"voicebridge/{__version__}"},
            requote_redirect_url=False,
        )


class _GuardedResolver(AbstractResolver):
    """Refuse a name as soon as one of its addresses may not be dialled."""

    def __init__(self, resolver: AbstractResolver, allowed: MayDial) -> None:
        self._resolver, self._allowed = resolver, allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        for each in found:
            if not self._allowed(each["host"]):
                raise AddressRefused(f"{host} leads to an address that may not be dialled")
        return found

    async def close(self) -> None:
        await self._resolver.close()


def _guarded_socket(allowed: MayDial, info: tuple[Any, ...]) -> socket.socket:
    """Make the socket for an address, which is dialled with it: the last moment to refuse."""
    family, kind, protocol, _, address = info
    if not allowed(str(address[0])):
        raise AddressRefused("an address that may not be dialled")
    return socket.socket(family=family, type=kind, proto=protocol)


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One HTTP tool: its arguments in, what is told of the reply out."""

    tool: str
    file: HttpToolFile
    sender: HttpSender = field(repr=False)
    secrets: Mapping[str, SecretStr] = field(repr=False)

    async def run(self, context: CallContext, **arguments: Any) -> Any:
        """Make the request; raises ToolFailed in words that hold nothing of it."""
        values = {
            **arguments,
            "call.id": context.call_id,
            "call.caller": context.caller,
            "call.called": context.called,
        }
        url, body = self._url(values), self._body(values)
        try:
            async with asyncio.timeout(self.file.timeout_s or WITHIN_S):
                raw = await self._fetch(url, body)
        except TimeoutError:
            raise self._failed("timed out", "did not answer in time") from None
        except aiohttp.ClientConnectorError as error:
            raise self._failed(type(error.os_error).__name__, "cannot be reached now") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._failed(type(error).__name__, "cannot be reached now") from None
        return self._told(raw)

    def _url(self, values: Mapping[str, Any]) -> URL:
        parts = split(self.file.url)
        path = fill_path(parts.path or "/", values)
        # Encoded already: what a value became is not decoded and read anew.
        plain = URL(f"{parts.scheme}://{parts.netloc}{path}", encoded=True)
        query = fill_query(self.file.query, values)
        return plain.update_query(query) if query else plain

    def _body(self, values: Mapping[str, Any]) -> bytes | None:
        if self.file.body is None:
            return None
        return json.dumps(fill(self.file.body, values), ensure_ascii=False).encode()

    def _headers(self) -> dict[str, str]:
        return {name: filled_in(text, self.secrets) for name, text in self.file.headers.items()}

    async def _fetch(self, url: URL, body: bytes | None) -> bytes:
        session = self.sender.session(private=self.file.allow_private)
        method, home = self.file.method, url.origin()
        for _ in range(MAX_REDIRECTS + 1):
            headers = self._headers() if url.origin() == home else {}
            if body is not None:
                headers = {"Content-Type": "application/json", **headers}
            async with session.request(
                method, url, data=body, headers=headers, allow_redirects=False
            ) as reply:
                if reply.status not in _REDIRECTS or "Location" not in reply.headers:
                    return await self._read(reply)
                url = self._redirected(url, reply.headers["Location"])
                if reply.status not in _KEEP_METHOD and method != "GET":
                    method, body = "GET", None
        raise self._failed("too many redirects", "cannot be reached now")

    def _redirected(self, url: URL, location: str) -> URL:
        """Return where a redirect leads, if it may lead there."""
        try:
            target = URL(urljoin(str(url), location))
            parts = split(str(target))
        except ValueError:
            raise self._failed("redirect to no URL", "cannot be reached now") from None
        if parts.scheme == "http" and not self.file.allow_http:
            raise self._failed("redirect to plain http", "cannot be reached now")
        if _place(str(target)) not in self._places():
            raise self._failed("redirect to another host", "cannot be reached now")
        return target

    def _places(self) -> set[tuple[str, int]]:
        """Return hosts and ports that a redirect may lead to."""
        home = _place(self.file.url)
        others = {
            _place(f"{scheme}://{host}")
            for host in self.file.allow_hosts
            for scheme in DEFAULT_PORTS
        }
        # From http to https of the same host is what redirects are mostly for.
        usual = {(home[0], port) for port in DEFAULT_PORTS.values()}
        return {home, *others, *(usual if home[1] in DEFAULT_PORTS.values() else ())}

    async def _read(self, reply: aiohttp.ClientResponse) -> bytes:
        if not 200 <= reply.status < 300:
            raise self._failed(f"status {reply.status}", f"answered with status {reply.status}")
        raw = bytearray()
        async for chunk in reply.content.iter_chunked(64 * 1024):
            raw += chunk
            if len(raw) > MAX_REPLY_BYTES:
                raise self._failed("too large", "answered with too much")
        return bytes(raw)

    def _told(self, raw: bytes) -> Any:
        wanted, most = self.file.reply.select, self.file.reply.max_bytes
        if not raw.strip():
            return {"done": True}
        try:
            reply = from_json(raw, allow_inf_nan=False)
        except ValueError:
            if wanted:
                raise self._failed("no JSON", "answered with something unreadable") from None
            reply = raw.decode("utf-8", "replace")
        return shortened(select(reply, wanted, self.tool), most)

    def _failed(self, reason: str, words: str) -> ToolFailed:
        host = split(self.file.url).hostname
        log.warning("http_tool_failed", tool=self.tool, host=host, reason=reason)
        return ToolFailed(f"The service behind {self.tool} {words}. Tell the caller.")


def _place(url: str) -> tuple[str, int]:
    parts = split(url)
    host = (parts.hostname or "").rstrip(".").lower()
    return host, parts.port or DEFAULT_PORTS[parts.scheme]
