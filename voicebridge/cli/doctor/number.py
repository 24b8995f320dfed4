"""Where the calls to our numbers go, by what the carrier has noted of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from voicebridge.cli.doctor.finding import Finding, doubtful, well, wrong
from voicebridge.cli.doctor.site import Site
from voicebridge.personas.loader import PersonaBook
from voicebridge.personas.routing import ROUTING_FILE
from voicebridge.server.paths import STATUS_PATH, VOICE_PATH

_NUMBER = re.compile(r"\+[1-9]\d{6,14}")
_CONSOLE = "in Twilio's console"

Noted = Mapping[str, Any]


def led(site: Site, public_url: str, bought: Sequence[Noted]) -> list[Finding]:
    """Tell of each number whether it leads here; then what happens when it leads to nobody."""
    by_number = {str(each.get("phone_number")): each for each in bought}
    voice_url = public_url + VOICE_PATH
    if wanted := answered(site.personas):
        found = [_led(file, one, by_number.get(one), voice_url) for one, file in wanted.items()]
    else:
        found = [
            well("number", f"{one} leads here")
            for one, each in by_number.items()
            if _leads(each, voice_url)
        ] or [_nobody(len(bought), voice_url)]
    ours = {one: each for one, each in by_number.items() if _leads(each, voice_url)}
    if ours:
        found += [_fallback(ours, public_url), _status(ours, public_url + STATUS_PATH)]
    return found


def answered(personas: PersonaBook) -> dict[str, str]:
    """Return the numbers that the configuration names, and the file that names each."""
    named = {
        number: f"{stem}.yaml" for stem, persona in personas.items() for number in persona.numbers
    }
    routed = {
        called: ROUTING_FILE
        for rule in personas.routing.rules
        for called in rule.called
        if _NUMBER.fullmatch(called)
    }
    return routed | named


def dialled(personas: PersonaBook) -> dict[str, str]:
    """Return the numbers that callers may be connected to, and the file that names each."""
    found: dict[str, str] = {}
    for stem, persona in personas.items():
        of_fallback = persona.fallback.number if persona.fallback else None
        for wanted in (*persona.destinations.values(), of_fallback):
            number = wanted if isinstance(wanted, str) else getattr(wanted, "number", None)
            if number is not None and _NUMBER.fullmatch(str(number)):
                found[str(number)] = f"{stem}.yaml"
    return found


def _leads(noted: Noted, voice_url: str) -> bool:
    url = str(noted.get("voice_url") or "")
    return url.partition("?")[0] == voice_url and not _taken_by(noted)


def _taken_by(noted: Noted) -> str | None:
    """Return what goes before the webhook, if something does."""
    for key, name in (("trunk_sid", "a SIP trunk"), ("voice_application_sid", "a TwiML app")):
        if noted.get(key):
            return name
    return None


def _nobody(count: int, voice_url: str) -> Finding:
    if not count:
        return wrong("number", "the account has none", f"buy one that takes calls, {_CONSOLE}")
    return wrong(
        "number",
        f"none of the account's {count} leads here",
        f"set the voice webhook of one to POST {voice_url}, {_CONSOLE}",
    )


def _led(file: str, number: str, noted: Noted | None, voice_url: str) -> Finding:
    what, remedy = "number", f"set its voice webhook to POST {voice_url}, {_CONSOLE}"
    if noted is None:
        return wrong(
            what,
            f"{number} is not a number of this account",
            f"buy it, or write one of the account's into {file}",
        )
    if (noted.get("capabilities") or {}).get("voice") is False:
        return wrong(what, f"{number} takes no calls", "buy one that can take voice calls")
    if (taken := _taken_by(noted)) is not None:
        return wrong(
            what,
            f"{number} is led by {taken}, which goes before its webhook",
            f"take it from there, then {remedy}",
        )
    if not _leads(noted, voice_url):
        return wrong(what, f"{number} leads to {_shown(noted.get('voice_url'))}", remedy)
    if noted.get("voice_method", "POST") != "POST":
        return wrong(what, f"{number} asks by {noted['voice_method']}", remedy)
    return well(what, f"{number} leads here")


def _fallback(ours: Mapping[str, Noted], public_url: str) -> Finding:
    """See what callers get when no bridge answers: something that needs none."""
    what = "fallback"
    urls = {one: str(noted.get("voice_fallback_url") or "") for one, noted in ours.items()}
    remedy = "let a TwiML Bin hold what `voicebridge twiml fallback` prints, and name it there"
    if none := [one for one, url in urls.items() if not url]:
        note = f"if the bridge is down, callers of {', '.join(none)} hear an error"
        return doubtful(what, note, f"{remedy}: 'primary handler fails'")
    if here := [one for one, url in urls.items() if url.startswith(public_url + "/")]:
        return doubtful(what, f"{', '.join(here)} falls back on the bridge itself", remedy)
    return well(what, "the carrier keeps a document for when the bridge is down")


def _status(ours: Mapping[str, Noted], status_url: str) -> Finding:
    """See whether the carrier tells us how calls end."""
    told = [
        one
        for one, noted in ours.items()
        if noted.get("status_callback") == status_url
        and noted.get("status_callback_method", "POST") == "POST"
    ]
    silent = ", ".join(one for one in ours if one not in told)
    if silent:
        remedy = f"set 'call status changes' to POST {status_url}, {_CONSOLE}"
        return doubtful("status", f"the carrier does not tell how calls to {silent} went", remedy)
    return well("status", "the carrier tells how calls went")


def _shown(url: object) -> str:
    """Show where a number leads, without what may be secret in its URL."""
    if not url:
        return "nowhere"
    parts = urlsplit(str(url))
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"[:200]
