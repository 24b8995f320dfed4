"""Connect a call to the agent: choose who answers, dial the model, name our media stream."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from aiohttp import web

from voicebridge.carriers import twilio
from voicebridge.personas.routing import Asked
from voicebridge.server.colleagues import Front
from voicebridge.server.expected import Expected
from voicebridge.server.keys import GUARD, SWITCHBOARD, WORKER
from voicebridge.server.paths import AFTER_PATH, MEDIA_PATH, STREAM_STATUS_PATH
from voicebridge.server.visit import Visit


async def connect(request: web.Request, visit: Visit, greeting: str | None = None) -> str | None:
    """Write the document that connects a call to the agent; None if no line is free.

    ``greeting`` are instructions for the first words, in place of the persona's own.
    """
    guard, switchboard = request.app[GUARD], request.app[SWITCHBOARD]
    if not switchboard.has_line_for(visit.call_id):
        return None
    if visit.again == 0 and not visit.why and not switchboard.callers.may_call(visit.caller):
        return None
    personas = await switchboard.take_up_personas()
    persona = visit.persona
    if persona not in personas:
        asked = Asked(visit.called, visit.caller, datetime.now(UTC), visit.params)
        persona = personas.route(asked).persona
    base, media_path = guard.base_url(request), MEDIA_PATH
    if (worker := request.app.get(WORKER)) is not None:
        # A stream's URL keeps no query at this carrier.
        media_path = f"{MEDIA_PATH}/{worker.index}"
        visit = replace(visit, worker=str(worker.index))
    # Who calls by SIP or from an app has called no number that could be shown to a colleague.
    shown = (
        visit.called if visit.called.startswith("+") else switchboard.settings.outbound.caller_id
    )
    front = Front(
        call_id=visit.call_id,
        our_number=shown or visit.called,
        base_url=base,
        worker=visit.worker,
    )
    token = switchboard.expect(
        Expected(visit.call_id, persona, visit.caller, visit.called, visit.params, greeting, front)
    )
    if token is None:
        return None
    if worker is not None:
        worker.answered(visit.call_id)
    return twilio.twiml_connect(
        guard.stream_url(request, media_path),
        {"token": token},
        visit.with_(persona=persona).url(base + AFTER_PATH),
        base + STREAM_STATUS_PATH,
    )
