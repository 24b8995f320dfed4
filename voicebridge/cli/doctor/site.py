"""The place that is examined, and the one way in which its checks speak HTTP."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

import aiohttp

from voicebridge.personas.loader import PersonaBook
from voicebridge.settings import Settings

DEADLINE_S = 10.0
MOST_BYTES = 8 << 20
TWILIO_API = "https://api.twilio.com"


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A bridge as it is configured; ``trust`` decides which certificates are accepted."""

    settings: Settings
    personas: PersonaBook
    trust: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    twilio_api: str = TWILIO_API
    deadline_s: float = DEADLINE_S
    clock: Callable[[], datetime] = _now

    @property
    def auth_token(self) -> str | None:
        """The carrier's token in plain."""
        token = self.settings.twilio_auth_token
        return token.get_secret_value() if token else None


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
        parts = urlsplit(url)
        where = parts.netloc
        within = self.site.deadline_s
        try:
            async with self.session.request(
                method,
                url,
                headers=headers,
                data=form,
                ssl=self.site.trust,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=within),
            ) as reply:
                # Behind 101 comes no body that ends.
                body = b"" if reply.status == 101 else await _body(reply)
                fields = {name.lower(): value for name, value in reply.headers.items()}
                if reply.status == 101:
                    reply.close()
                return Reply(reply.status, fields, body)
        except TimeoutError:
            raise Unreached(
                f"{where} gave no answer within {within:g} s",
                "open the port in the firewall; some routers do not lead back to themselves: try "
                "from another network, too",
            ) from None
        except aiohttp.ClientConnectorCertificateError:
            raise Unreached(f"the certificate of {where} is not accepted", "see TLS") from None
        except aiohttp.ClientConnectorSSLError:
            raise Unreached(
                f"{where} does not speak TLS", "let the proxy hold a certificate on this port"
            ) from None
        except aiohttp.ClientConnectorDNSError:
            raise Unreached(
                f"the name {parts.hostname} is not known here",
                "set its DNS record, or correct the address",
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unreached(
                f"{where} cannot be reached: {error}",
                "start what should listen there, and open the port in the firewall",
            ) from None


async def _body(reply: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for piece in reply.content.iter_any():
        body += piece
        if len(body) > MOST_BYTES:
            break
    return bytes(body[:MOST_BYTES])
