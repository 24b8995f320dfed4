"""The certificate of the public address, looked at as a carrier does."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from urllib.parse import urlsplit

from voicebridge.cli.doctor.finding import Finding, doubtful, skipped, well, wrong
from voicebridge.cli.doctor.site import Site

SOON_DAYS = 14

_REFUSED = {
    9: ("is not valid yet", "check the clock here, and the certificate's dates"),
    10: ("has expired", "renew it: see why the proxy's renewal failed"),
    18: ("is self-signed", "get one from a public authority; Caddy does so by itself"),
    19: ("is of an authority that nobody knows", "get one from a public authority"),
    20: ("lacks its chain", "let the proxy send the intermediate certificates: fullchain.pem"),
    21: ("lacks its chain", "let the proxy send the intermediate certificates: fullchain.pem"),
    62: ("is for another name", "get one for the name in VOICEBRIDGE_PUBLIC_URL"),
    64: ("is for another address", "get one for the name in VOICEBRIDGE_PUBLIC_URL"),
}
"""OpenSSL's reasons for refusing a certificate, and what to do."""


async def certificate(site: Site, public: str) -> Finding:
    """See whether a carrier accepts the certificate, and for how long."""
    what, parts = "TLS", urlsplit(public)
    if parts.scheme != "https":
        return wrong(
            what,
            f"{public} is not encrypted; carriers open media streams by wss:// only",
            "put a proxy with a certificate in front: docs/deployment.md has two",
        )
    host, port = parts.hostname or "", parts.port or 443
    try:
        async with asyncio.timeout(site.deadline_s):
            _, writer = await asyncio.open_connection(host, port, ssl=site.trust)
    except ssl.SSLCertVerificationError as error:
        how, remedy = _REFUSED.get(error.verify_code, (error.verify_message, "renew it"))
        return wrong(what, f"the certificate of {host} {how}", remedy)
    except ssl.SSLError:
        remedy = "let the proxy hold a certificate on this port"
        return wrong(what, f"{host}:{port} does not speak TLS", remedy)
    except (OSError, TimeoutError):
        return skipped(what, "see public URL")
    found = writer.get_extra_info("peercert")
    writer.transport.abort()
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(found["notAfter"]), UTC)
    days = (ends - site.clock()).days
    note = f"the certificate of {host} is valid until {ends:%Y-%m-%d}, {days} days"
    if days < SOON_DAYS:
        return doubtful(what, note, "renew it: see why the proxy's renewal has not come yet")
    return well(what, note)
