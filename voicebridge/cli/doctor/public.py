"""The public address, as the carrier meets it."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import ssl
from datetime import UTC, datetime
from urllib.parse import urlsplit

from voicebridge.carriers import twilio
from voicebridge.cli.doctor.finding import Finding, doubtful, skipped, well, wrong
from voicebridge.cli.doctor.site import Reply, Site, Unreached, Web
from voicebridge.server.paths import MEDIA_PATH, VOICE_PATH

SOON_DAYS = 14
NO_URL = "there is no public URL"
_REFUSED, _ACCEPTED = b"signature refused", b"a voice webhook without CallSid"
_PROXY = {502, 503, 504}

_CERTIFICATE = {
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


async def reachable(site: Site, web: Web) -> Finding:
    """Ask for our health through the public address; a proxy may well keep that to itself."""
    what, public = "public URL", site.settings.public_url
    if public is None:
        return skipped(what, NO_URL)
    try:
        health = await web.ask("GET", f"{public}/healthz")
        if health.status == 200 and _status_of(health) == "ok":
            return well(what, f"{public} leads to the bridge")
        reply = await web.ask("POST", public + VOICE_PATH)
    except Unreached as error:
        return wrong(what, error.why, error.remedy)
    if _is_ours(reply):
        return well(what, f"{public} leads to the bridge; /healthz is kept inside, as it should be")
    return wrong(what, *_astray(reply, VOICE_PATH, site))


async def certificate(site: Site) -> Finding:
    """Look at the certificate as a carrier does, and at how long it is valid."""
    what, public = "TLS", site.settings.public_url
    if public is None:
        return skipped(what, NO_URL)
    parts = urlsplit(public)
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
        how, remedy = _CERTIFICATE.get(error.verify_code, (error.verify_message, "renew it"))
        return wrong(what, f"the certificate of {host} {how}", remedy)
    except ssl.SSLError:
        remedy = "let the proxy hold a certificate on this port"
        return wrong(what, f"{host}:{port} does not speak TLS", remedy)
    except (OSError, TimeoutError):
        return skipped(what, f"{host}:{port} cannot be reached")
    found = writer.get_extra_info("peercert")
    writer.transport.abort()
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(found["notAfter"]), UTC)
    days = (ends - site.clock()).days
    note = f"the certificate of {host} is valid until {ends:%Y-%m-%d}, {days} days"
    if days < SOON_DAYS:
        return doubtful(what, note, "renew it: see why the proxy's renewal has not come yet")
    return well(what, note)


async def websocket(site: Site, web: Web) -> Finding:
    """Open the media websocket; a refusal by the bridge itself has come all the way, too."""
    what, public = "websocket", site.settings.public_url
    if public is None:
        return skipped(what, NO_URL)
    try:
        reply = await _handshake(site, web, "ws" + public.removeprefix("http") + MEDIA_PATH)
        if reply.status == 403 and _is_ours(reply):
            # A proxy that drops the upgrade makes a plain request of it, signed as such.
            plain = await _handshake(site, web, public + MEDIA_PATH)
            reply = plain if plain.status == 426 else reply
    except Unreached as error:
        return wrong(what, error.why, error.remedy)
    if reply.status == 101:
        return well(what, "the upgrade comes through")
    if reply.status == 426:
        return wrong(
            what,
            "the proxy does not pass the upgrade on",
            "nginx: proxy_http_version 1.1, and the headers Upgrade and Connection; see "
            "docs/deployment.md",
        )
    if _is_ours(reply):
        return well(
            what, "the bridge is reached; it refused the signature, as it should a wrong one"
        )
    return wrong(what, *_astray(reply, MEDIA_PATH, site))


async def signature(site: Site, web: Web) -> Finding:
    """Sign a request as the carrier does, and have it accepted by the bridge that runs."""
    what, public, token = "signature", site.settings.public_url, site.auth_token
    if public is None or token is None:
        return skipped(what, "there is no auth token" if public else NO_URL)
    url, form = public + VOICE_PATH, {"From": "doctor"}  # of no call, so that none begins
    signed = {twilio.SIGNATURE_HEADER: twilio.signature(token, url, form.items())}
    try:
        reply = await web.ask("POST", url, headers=signed, form=form)
        unsigned = await web.ask("POST", url, form=form)
    except Unreached as error:
        return wrong(what, error.why, error.remedy)
    if _ACCEPTED in unsigned.body:
        remedy = "start it without --insecure, and with TWILIO_AUTH_TOKEN set"
        return wrong(what, "the bridge lets unsigned requests in", remedy)
    if _ACCEPTED in reply.body:
        return well(what, "a request signed with the token is accepted, an unsigned one is not")
    if _is_ours(reply):
        return wrong(
            what,
            "the bridge refuses a request signed with the token",
            "it runs with another TWILIO_AUTH_TOKEN or VOICEBRIDGE_PUBLIC_URL than this command, "
            "or the proxy changes paths: restart it with these, and pass paths on unchanged",
        )
    return wrong(what, *_astray(reply, VOICE_PATH, site))


async def _handshake(site: Site, web: Web, signed_url: str) -> Reply:
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(secrets.token_bytes(16)).decode(),
    }
    if site.auth_token is not None:
        headers[twilio.SIGNATURE_HEADER] = twilio.signature(site.auth_token, signed_url)
    return await web.ask("GET", f"{site.settings.public_url}{MEDIA_PATH}", headers=headers)


def _is_ours(reply: Reply) -> bool:
    return _REFUSED in reply.body or _ACCEPTED in reply.body


def _status_of(health: Reply) -> str | None:
    try:
        told = json.loads(health.body)
    except ValueError:
        return None
    return told.get("status") if isinstance(told, dict) else None


def _astray(reply: Reply, path: str, site: Site) -> tuple[str, str]:
    """Say where a request ended that should have come to the bridge, and what to do."""
    server = site.settings.server
    if reply.status in _PROXY:
        return (
            f"the proxy answers {reply.status}: it does not reach the bridge",
            f"start `voicebridge serve`, and let the proxy lead to {server.host}:{server.port}",
        )
    if 300 <= reply.status < 400:
        where = reply.headers.get("location", "elsewhere")[:100]
        return (
            f"it redirects to {where}",
            "carriers follow no redirect to a media stream: make the final address the public URL",
        )
    return (
        f"something else answers {path} with {reply.status}",
        f"let the proxy pass /twilio/ on to {server.host}:{server.port}, path and query unchanged",
    )
