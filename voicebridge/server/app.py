"""The aiohttp application: routes, and the end of its calls when it goes down."""

from __future__ import annotations

from aiohttp import web

from voicebridge.server.after import after_stream, dial_done
from voicebridge.server.health import healthz, readyz
from voicebridge.server.keys import GUARD, SWITCHBOARD
from voicebridge.server.media import media
from voicebridge.server.paths import AFTER_PATH, DIAL_DONE_PATH, MEDIA_PATH, VOICE_PATH
from voicebridge.server.security import RequestGuard
from voicebridge.server.switchboard import Switchboard
from voicebridge.server.webhooks import voice

MOST_FORM_BYTES = 64 * 1024


def create_app(switchboard: Switchboard) -> web.Application:
    """Build the application of a switchboard."""
    settings = switchboard.settings
    auth_token = settings.twilio_auth_token
    app = web.Application(client_max_size=MOST_FORM_BYTES)
    app[SWITCHBOARD] = switchboard
    app[GUARD] = RequestGuard(
        auth_token.get_secret_value() if auth_token else None, settings.public_url
    )
    app.router.add_post(VOICE_PATH, voice)
    app.router.add_post(AFTER_PATH, after_stream)
    app.router.add_post(DIAL_DONE_PATH, dial_done)
    app.router.add_get(MEDIA_PATH, media)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    return app
