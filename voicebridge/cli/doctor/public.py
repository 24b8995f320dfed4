"""The public address, as the carrier meets it."""

from __future__ import annotations

import base64
import json
import secrets

from voicebridge.carriers import twilio
from voicebridge.cli.doctor.certificate import certificate
from voicebridge.cli.doctor.finding import Finding, doubtful, skipped, well, wrong
from voicebridge.cli.doctor.site import Reply, Site, Unreached, Web
from voicebridge.server.paths import MEDIA_PATH, VOICE_PATH

_REFUSED, _ACCEPTED = b"signature refused", b"a voice webhook without CallSid"
_BUSY = b"all lines are busy"
_PROXY = {502, 503, 504}


async def examined(site: Site, web: Web) -> list[Finding]:
    """Look at the address, its certificate, the websocket and the signature."""
    public = site.settings.public_url
    if public is None:
        why = "there is no public URL"
        return [skipped(what, why) for what in ("public URL", "TLS", "websocket", "signature")]
    found = [await certificate(site, public)]
    try:
        found.insert(0, await reachable(site, web, public))
    except Unreached as error:
        found.insert(0, wrong("public URL", error.why, error.remedy))
        return [*found, *(skipped(what, "see public URL") for what in ("websocket", "signature"))]
    for check in (websocket, signature):
        try:
            found.append(await check(site, web, public))
        except Unreached as error:
            found.append(wrong(check.__name__, error.why, error.remedy))
    return found


async def reachable(site: Site, web: Web, public: str) -> Finding:
    """Ask for our health through the public address; a proxy may well keep that to itself.

    Raises ``Unreached``, also where a proxy says that it reaches nobody.
    """
    what = "public URL"
    health = await web.ask("GET", f"{public}/healthz")
    if health.status == 200 and _status_of(health) == "ok":
        return well(what, f"{public} leads to the bridge")
    reply = await web.ask("POST", public + VOICE_PATH)
    if reply.status in _PROXY:
        raise Unreached(*_astray(reply, VOICE_PATH, site))
    if _is_ours(reply):
        return well(what, f"{public} leads to the bridge; /healthz is kept inside, as it should be")
    return wrong(what, *_astray(reply, VOICE_PATH, site))


async def websocket(site: Site, web: Web, public: str) -> Finding:
    """Open the media websocket; a refusal by the bridge itself has come all the way, too."""
    what, url = "websocket", public + _media_path(site)
    as_socket, as_request = _signed(site, "ws" + url.removeprefix("http")), _signed(site, url)
    reply = await web.ask("GET", url, headers=_upgrade() | as_socket)
    if reply.status == 403 and _is_ours(reply):
        # A proxy that drops the upgrade makes a plain request of it, signed as such.
        plain = await web.ask("GET", url, headers=_upgrade() | as_request)
        reply = plain if plain.status == 426 else reply
    if reply.status == 101:
        if await web.pings(url, as_socket):
            return well(what, "it opens, and a ping comes back through it")
        return wrong(
            what,
            "it opens, but nothing comes back through it",
            "let the proxy pass websockets on, and neither answer nor hold them itself",
        )
    if reply.status == 426:
        return wrong(
            what,
            "the proxy does not pass the upgrade on",
            "nginx: proxy_http_version 1.1, and the headers Upgrade and Connection; see "
            "docs/deployment.md",
        )
    if reply.status == 503 and _BUSY in reply.body:
        return doubtful(
            what,
            "the bridge is reached; all its lines are busy now",
            "try again; raise server.max_calls if that is so often",
        )
    if _is_ours(reply):
        return well(
            what, "the bridge is reached; it refused the signature, as it should a wrong one"
        )
    return wrong(what, *_astray(reply, MEDIA_PATH, site))


def _media_path(site: Site) -> str:
    """Return the path of a stream; where there are several processes, one of theirs."""
    return f"{MEDIA_PATH}/0" if site.settings.server.workers > 1 else MEDIA_PATH


def _upgrade() -> dict[str, str]:
    return {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(secrets.token_bytes(16)).decode(),
    }


def _signed(site: Site, url: str) -> dict[str, str]:
    token = site.auth_token
    return {twilio.SIGNATURE_HEADER: twilio.signature(token, url)} if token else {}


async def signature(site: Site, web: Web, public: str) -> Finding:
    """Sign a request as the carrier does, and have it accepted by the bridge that runs."""
    what, token, old = "signature", site.auth_token, site.old_auth_token
    if token is None:
        return skipped(what, "there is no auth token")
    url, form = public + VOICE_PATH, {"From": "doctor"}  # of no call, so that none begins

    async def signed(by: str) -> Reply:
        header = {twilio.SIGNATURE_HEADER: twilio.signature(by, url, form.items())}
        return await web.ask("POST", url, headers=header, form=form)

    reply, unsigned = await signed(token), await web.ask("POST", url, form=form)
    if _ACCEPTED in unsigned.body:
        remedy = "start it without --insecure, and with TWILIO_AUTH_TOKEN set"
        return wrong(what, "the bridge lets unsigned requests in", remedy)
    if _REFUSED in reply.body:
        return wrong(
            what,
            "the bridge refuses a request signed with the token",
            "it runs with another TWILIO_AUTH_TOKEN or VOICEBRIDGE_PUBLIC_URL than this command, "
            "or the proxy changes paths: restart it with these, and pass paths on unchanged",
        )
    if _ACCEPTED not in reply.body:
        return wrong(what, *_astray(reply, VOICE_PATH, site))
    if old is None:
        return well(what, "a request signed with the token is accepted, an unsigned one is not")
    if _ACCEPTED not in (await signed(old)).body:
        return wrong(
            what,
            "the bridge refuses a request signed with the old token",
            "restart it with TWILIO_AUTH_TOKEN_OLD, which this command has",
        )
    return doubtful(
        what,
        "requests signed with the token are accepted, and those signed with the old one",
        "when Twilio has promoted the new token, restart the bridge without TWILIO_AUTH_TOKEN_OLD",
    )


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
        where = reply.headers.get("location", "elsewhere").partition("?")[0][:100]
        return (
            f"it redirects to {where}",
            "carriers follow no redirect to a media stream: make the final address the public URL",
        )
    return (
        f"something else answers {path} with {reply.status}",
        f"let the proxy pass /twilio/ on to {server.host}:{server.port}, path and query unchanged",
    )
