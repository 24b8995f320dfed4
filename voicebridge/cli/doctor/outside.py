"""What the bridge needs of others: the carrier's number, the model, the hour."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from voicebridge.bridge.manners import manners_for
from voicebridge.bridge.model_leg import ModelLeg
from voicebridge.bridge.session import session_for
from voicebridge.cli.doctor.finding import Finding, doubtful, skipped, well, wrong
from voicebridge.cli.doctor.site import Reply, Site, Unreached, Web
from voicebridge.errors import ConnectError, RealtimeError, SessionMismatch
from voicebridge.personas.context import PersonaContext
from voicebridge.personas.persona import Persona
from voicebridge.server.paths import VOICE_PATH
from voicebridge.server.running import client_for
from voicebridge.settings import OPENAI_REALTIME_URL

WRONG_SKEW_S, DOUBTFUL_SKEW_S = 30.0, 5.0
MOST_NUMBERS = 1000
_OUTGOING = "let this machine reach the carrier: check its DNS and its outgoing connections"


async def numbers(site: Site, web: Web) -> list[Finding]:
    """Ask the carrier where the calls to our numbers go; a finding for each number."""
    what, settings = "number", site.settings
    sid, token = settings.twilio_account_sid, site.auth_token
    if settings.public_url is None or sid is None or token is None:
        return [skipped(what, "needs TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and the public URL")]
    url = (
        f"{site.twilio_api}/2010-04-01/Accounts/{sid}/IncomingPhoneNumbers.json"
        f"?PageSize={MOST_NUMBERS}"
    )
    try:
        reply = await web.ask("GET", url, headers=_basic(sid, token))
    except Unreached as error:
        return [wrong(what, error.why, _OUTGOING)]
    bought = _bought(reply)
    if bought is None:
        return [_refused(reply)]
    wanted = {number: stem for stem, persona in site.personas.items() for number in persona.numbers}
    voice_url = settings.public_url + VOICE_PATH
    if wanted:
        return [
            _led(stem, number, bought.get(number), voice_url) for number, stem in wanted.items()
        ]
    ours = [number for number, each in bought.items() if _leads(each, voice_url)]
    if not ours:
        remedy = f"set the voice webhook of a number to POST {voice_url}, in Twilio's console"
        return [wrong(what, f"none of the account's {len(bought)} numbers leads here", remedy)]
    return [well(what, f"{number} leads here") for number in ours]


async def models(site: Site) -> list[Finding]:
    """Open a session for every model that a persona names, and see that it speaks our audio."""
    what, realtime = "model", site.settings.realtime
    if site.settings.openai_api_key is None and realtime.url == OPENAI_REALTIME_URL:
        return [skipped(what, "there is no OPENAI_API_KEY: the embedded model answers")]
    first: dict[str, tuple[str, Persona]] = {}
    for stem, persona in site.personas.items():
        first.setdefault(realtime.model or persona.model, (stem, persona))
    return [await _opened(site, model, *who) for model, who in first.items()]


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


async def clock(site: Site, web: Web) -> Finding:
    """Compare our clock with that of the carrier's server."""
    what = "clock"
    asked = site.clock()
    try:
        reply = await web.ask("HEAD", site.twilio_api)
    except Unreached as error:
        return wrong(what, error.why, _OUTGOING)
    try:
        told = parsedate_to_datetime(reply.headers["date"])
    except (KeyError, ValueError):
        return skipped(what, "the carrier's server tells no time")
    ours = asked + (site.clock() - asked) / 2
    skew_s = (ours - _aware(told)).total_seconds() - 0.5  # the header has cut off its fraction
    how = "ahead" if skew_s > 0 else "behind"
    remedy = "let the clock be set by the network: `timedatectl set-ntp true`"
    if abs(skew_s) > WRONG_SKEW_S:
        return wrong(what, f"{abs(skew_s):.0f} s {how}", remedy)
    if abs(skew_s) > DOUBTFUL_SKEW_S:
        return doubtful(what, f"{abs(skew_s):.0f} s {how}", remedy)
    return well(what, "it is right")


def _aware(told: datetime) -> datetime:
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _basic(user: str, password: str) -> dict[str, str]:
    """Make the header of HTTP's basic authentication."""
    pair = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {pair}"}


def _bought(reply: Reply) -> dict[str, Mapping[str, Any]] | None:
    """Read the numbers of the account; None for an answer that is no list of them."""
    if reply.status != 200:
        return None
    try:
        listed = json.loads(reply.body)["incoming_phone_numbers"]
        return {each["phone_number"]: each for each in listed}
    except (ValueError, KeyError, TypeError):
        return None


def _refused(reply: Reply) -> Finding:
    if reply.status in (401, 403, 404):
        return wrong(
            "number",
            f"Twilio refuses account and token with {reply.status}",
            "TWILIO_ACCOUNT_SID (AC…) and TWILIO_AUTH_TOKEN must be of one account",
        )
    return wrong("number", f"Twilio answers {reply.status}", "try again a little later")


def _leads(number: Mapping[str, Any], voice_url: str) -> bool:
    url = str(number.get("voice_url") or "")
    return url.partition("?")[0] == voice_url and not _taken_by(number)


def _taken_by(number: Mapping[str, Any]) -> str | None:
    """Return what goes before the webhook, if something does."""
    for key, name in (("trunk_sid", "a SIP trunk"), ("voice_application_sid", "a TwiML app")):
        if number.get(key):
            return name
    return None


def _led(stem: str, number: str, bought: Mapping[str, Any] | None, voice_url: str) -> Finding:
    what, remedy = "number", f"set its voice webhook to POST {voice_url}, in Twilio's console"
    if bought is None:
        return wrong(
            what,
            f"{number} is not a number of this account",
            f"buy it, or take it out of 'numbers' in {stem}.yaml",
        )
    if (taken := _taken_by(bought)) is not None:
        return wrong(
            what,
            f"{number} is led by {taken}, which goes before its webhook",
            f"take it from there, then {remedy}",
        )
    if not _leads(bought, voice_url):
        elsewhere = str(bought.get("voice_url") or "nowhere")[:200]
        return wrong(what, f"{number} leads to {elsewhere}", remedy)
    if bought.get("voice_method", "POST") != "POST":
        return wrong(what, f"{number} asks by {bought['voice_method']}", remedy)
    return well(what, f"{number} leads here")
