"""The aiohttp application: routes, and the end of its calls when it goes down."""

from __future__ import annotations

from aiohttp import web

from voicebridge.records.status import StatusBook
from voicebridge.server.after import after_stream, dial_done
from voicebridge.server.door import Networks, pending_streams
from voicebridge.server.health import healthz, readyz
from voicebridge.server.keys import DIALLER, GUARD, PENDING, STATUSES, SWITCHBOARD
from voicebridge.server.media import media
from voicebridge.server.outbound import dialler_for, machine_detected, place_call
from voicebridge.server.paths import (
    AFTER_PATH,
    AMD_PATH,
    CALLS_PATH,
    DIAL_DONE_PATH,
    MEDIA_PATH,
    STATUS_PATH,
    STREAM_STATUS_PATH,
    VOICE_PATH,
)
from voicebridge.server.security import RequestGuard
from voicebridge.server.status import call_status, stream_status
from voicebridge.server.switchboard import Switchboard
from voicebridge.server.webhooks import voice

MOST_FORM_BYTES = 64 * 1024


def create_app(switchboard: Switchboard) -> web.Application:
    """Build the application of a switchboard."""
    settings = switchboard.settings
    auth_tokens = (settings.twilio_auth_token, settings.twilio_auth_token_old)
    proxies = Networks(settings.security.trusted_proxies)
    app = web.Application(client_max_size=MOST_FORM_BYTES)
    app[SWITCHBOARD] = switchboard
    app[GUARD] = RequestGuard(
        [token.get_secret_value() for token in auth_tokens if token], settings.public_url, proxies
    )
    app[PENDING] = pending_streams(settings)
    app[STATUSES] = StatusBook(settings.records.directory)
    app.router.add_post(VOICE_PATH, voice)
    app.router.add_post(AFTER_PATH, after_stream)
    app.router.add_post(DIAL_DONE_PATH, dial_done)
    app.router.add_post(STATUS_PATH, call_status)
    app.router.add_post(STREAM_STATUS_PATH, stream_status)
    if dialler := dialler_for(settings):
        app[DIALLER] = dialler
        app.on_cleanup.append(_close_dialler)
    app.router.add_post(AMD_PATH, machine_detected)
    app.router.add_post(CALLS_PATH, place_call)
    app.router.add_get(MEDIA_PATH, media)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    return app


async def _close_dialler(app: web.Application) -> None:
    await app[DIALLER].close()
