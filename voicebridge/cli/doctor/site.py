"""The place that is examined, and the one way in which its checks speak HTTP."""

from __future__ import annotations

import asyncio
import errno
import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp
from pydantic import SecretStr

from voicebridge.personas.loader import PersonaBook
from voicebridge.settings import Settings

DEADLINE_S = 10.0
CLOSE_WITHIN_S = 1.0
MOST_BYTES = 8 << 20
TWILIO_API = "https://api.twilio.com"
TWILIO_VOICE_API = "https://voice.twilio.com"
_FIREWALL = "start what should listen there, and open the port in the firewall"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A bridge as it is configured; ``trust`` decides which certificates are accepted."""

    settings: Settings
    personas: PersonaBook
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    twilio_api: str = TWILIO_API
    twilio_voice_api: str = TWILIO_VOICE_API
    deadline_s: float = DEADLINE_S
    clock: Callable[[], datetime] = _now

    @property
    def auth_token(self) -> str | None:
        """The carrier's token in plain."""
        return _plain(self.settings.twilio_auth_token)

    @property
    def old_auth_token(self) -> str | None:
        """The token before it in plain, while it is being replaced."""
        return _plain(self.settings.twilio_auth_token_old)


def _plain(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of whatever status; ``headers`` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Unreached(Exception):
    """No answer came; says why, and what to do about it."""

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(why)
        self.why, self.remedy = why, remedy


@dataclass(frozen=True, slots=True)
class Web:
    """HTTP with a deadline, without redirects."""

    session: aiohttp.ClientSession
    site: Site

    async def ask(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
    ) -> Reply:
        """Send a request and read its answer; raises ``Unreached``."""
        try:
            async with self.session.request(
                method,
                url,
                headers=headers,
                data=form,
                ssl=self.site.trust,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self.site.deadline_s),
            ) as reply:
                fields = {name.lower(): value for name, value in reply.headers.items()}
                if reply.status == 101:  # behind it comes no body that ends
                    reply.close()
                    return Reply(reply.status, fields, b"")
                return Reply(reply.status, fields, await _body(reply))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _unreached(url, error, self.site.deadline_s) from None

    async def pings(self, url: str, headers: Mapping[str, str]) -> bool:
        """Open a websocket, and tell whether a ping comes back through it."""
        closing = aiohttp.ClientWSTimeout(ws_close=CLOSE_WITHIN_S)
        try:
            async with (
                asyncio.timeout(self.site.deadline_s),
                self.session.ws_connect(
                    url, headers=headers, ssl=self.site.trust, autoping=False, timeout=closing
                ) as socket,
            ):
                await socket.ping(b"doctor")
                return (await socket.receive()).type is aiohttp.WSMsgType.PONG
        except (aiohttp.ClientError, OSError):  # a deadline's error is an OSError
            return False


def _unreached(url: str, error: Exception, within_s: float) -> Unreached:
    """Say why no answer came."""
    parts = urlsplit(url)
    where = parts.netloc
    match error:
        case TimeoutError():
            return Unreached(
                f"{where} gave no answer within {within_s:g} s",
                "open the port in the firewall; some routers do not lead back to themselves: try "
                "from another network, too",
            )
        case aiohttp.ClientConnectorCertificateError():
            return Unreached(f"the certificate of {where} is not accepted", "see TLS")
        case aiohttp.ClientConnectorSSLError():
            return Unreached(
                f"{where} does not speak TLS", "let the proxy hold a certificate on this port"
            )
        case aiohttp.ClientConnectorDNSError():
            return Unreached(
                f"the name {parts.hostname} is not known here",
                "set its DNS record, or correct the address",
            )
        case aiohttp.ClientConnectorError(os_error=OSError(errno=errno.ECONNREFUSED)):
            return Unreached(f"nothing listens at {where}", _FIREWALL)
        case aiohttp.ClientConnectorError(os_error=OSError(errno=int(number))) if number > 0:
            return Unreached(f"{where} cannot be reached: {os.strerror(number)}", _FIREWALL)
    return Unreached(f"{where} hung up: {type(error).__name__}", _FIREWALL)


async def _body(reply: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in reply.content.iter_any():
        body += piece
        if len(body) > MOST_BYTES:
            break
    return bytes(body[:MOST_BYTES])
