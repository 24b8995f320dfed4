"""The aiohttp application: routes, and the end of its calls when it goes down."""

from __future__ import annotations

from aiohttp import web

from voicebridge.records.status import StatusBook
from voicebridge.server.after import after_stream, dial_done
from voicebridge.server.callbacks import keep_promises
from voicebridge.server.colleague_calls import colleague, colleague_status
from voicebridge.server.crew.owner import to_its_owner
from voicebridge.server.crew.worker import Worker
from voicebridge.server.door import Networks, pending_streams
from voicebridge.server.health import healthz, readyz
from voicebridge.server.keys import (
    DIALLER,
    GUARD,
    PENDING,
    REFUSALS,
    STATUSES,
    SWITCHBOARD,
    WORKER,
)
from voicebridge.server.media import media
from voicebridge.server.outbound import dialler_for, machine_detected, place_call
from voicebridge.server.paths import (
    AFTER_PATH,
    AMD_PATH,
    CALLS_PATH,
    COLLEAGUE_PATH,
    COLLEAGUE_STATUS_PATH,
    DIAL_DONE_PATH,
    MEDIA_PATH,
    STATUS_PATH,
    STREAM_STATUS_PATH,
    VOICE_PATH,
)
from voicebridge.server.refusals import Refusals
from voicebridge.server.security import RequestGuard
from voicebridge.server.status import call_status, stream_status
from voicebridge.server.switchboard import Switchboard
from voicebridge.server.webhooks import voice
from voicebridge.server.welcome import show_out

MOST_FORM_BYTES = 64 * 1024


def create_app(switchboard: Switchboard, worker: Worker | None = None) -> web.Application:
    """Build the application of a switchboard; of one worker among several if it is named."""
    settings = switchboard.settings
    secrets = (
        settings.twilio_auth_token,
        settings.twilio_auth_token_old,
        settings.twilio_shared_key,
    )
    account_id = settings.twilio_account_sid
    proxies = Networks(settings.security.trusted_proxies)
    middlewares = [] if worker is None else [to_its_owner]
    app = web.Application(client_max_size=MOST_FORM_BYTES, middlewares=middlewares)
    app[SWITCHBOARD] = switchboard
    app[GUARD] = RequestGuard(
        [secret.get_secret_value() for secret in secrets if secret],
        settings.public_url,
        proxies,
        [account_id, *settings.security.accounts] if account_id else [],
    )
    app[REFUSALS] = refusals = Refusals()
    refusals.on_note = switchboard.slot.count_refused
    app[PENDING] = pending_streams(settings, refusals)
    app.on_response_prepare.append(show_out)
    app[STATUSES] = StatusBook(settings.records.directory)
    app.router.add_post(VOICE_PATH, voice)
    app.router.add_post(AFTER_PATH, after_stream)
    app.router.add_post(DIAL_DONE_PATH, dial_done)
    app.router.add_post(STATUS_PATH, call_status)
    app.router.add_post(STREAM_STATUS_PATH, stream_status)
    if dialler := dialler_for(settings, switchboard.slot.board):
        app[DIALLER] = dialler
        app.on_cleanup.append(_close_dialler)
    app.cleanup_ctx.append(keep_promises)
    app.router.add_post(COLLEAGUE_PATH, colleague)
    app.router.add_post(COLLEAGUE_STATUS_PATH, colleague_status)
    app.router.add_post(AMD_PATH, machine_detected)
    app.router.add_post(CALLS_PATH, place_call)
    app.router.add_get(MEDIA_PATH, media)
    if worker is not None:
        app[WORKER] = worker
        app.router.add_get(MEDIA_PATH + "/{worker}", media)
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    return app


async def _close_dialler(app: web.Application) -> None:
    await app[DIALLER].close()
