"""Whether the model can be had, and speaks our audio."""

from __future__ import annotations

import asyncio

from voicebridge.bridge.manners import manners_for
from voicebridge.bridge.model_leg import ModelLeg
from voicebridge.bridge.session import session_for
from voicebridge.cli.doctor.finding import Finding, skipped, well, wrong
from voicebridge.cli.doctor.site import Site
from voicebridge.errors import ConnectError, RealtimeError, SessionMismatch
from voicebridge.personas.context import PersonaContext
from voicebridge.personas.persona import Persona
from voicebridge.server.running import client_for
from voicebridge.settings import OPENAI_REALTIME_URL


async def examined(site: Site) -> list[Finding]:
    """Open a session for every model that a persona names."""
    realtime = site.settings.realtime
    if site.settings.openai_api_key is None and realtime.url == OPENAI_REALTIME_URL:
        return [skipped("model", "there is no OPENAI_API_KEY: the embedded model answers")]
    first: dict[str, tuple[str, Persona]] = {}
    for stem, persona in site.personas.items():
        first.setdefault(realtime.model or persona.model, (stem, persona))
    return await asyncio.gather(*(_opened(site, model, *who) for model, who in first.items()))


async def _opened(site: Site, model: str, stem: str, persona: Persona) -> Finding:
    nobody = PersonaContext(caller="", called="", now=site.clock())
    session = session_for(
        persona.rendered(nobody),
        (),
        server_answers=not manners_for(persona).ours,
        secrets=site.settings.tool_secrets,
    )
    try:
        leg = await ModelLeg.dial(
            client_for(site.settings), model, session, timeout_s=site.deadline_s
        )
    except SessionMismatch as error:
        return wrong(
            "model",
            f"{model}: {error}",
            f"a realtime server must take G.711 mu-law and the keys of {stem}.yaml: check "
            "realtime.dialect and realtime.url",
        )
    except ConnectError as error:
        return wrong(
            "model",
            f"{model}: {error}",
            f"check OPENAI_API_KEY, realtime.url and the model of {stem}.yaml",
        )
    except RealtimeError as error:
        return wrong("model", f"{model}: {error}", "try again; check realtime.dialect")
    await leg.close()
    return well("model", f"{model} takes a session with telephone audio both ways")
