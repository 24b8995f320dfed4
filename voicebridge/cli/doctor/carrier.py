"""What the carrier's account holds: read by its REST API, and never changed."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any

from voicebridge.cli.doctor import number
from voicebridge.cli.doctor.finding import Finding, doubtful, skipped, well, wrong
from voicebridge.cli.doctor.site import Site, Unreached, Web

MOST_LISTED = 1000
MOST_SHOWN = 8
_OUTGOING = "let this machine reach the carrier: check its DNS and its outgoing connections"

Listed = Sequence[Mapping[str, Any]]


class Refused(Exception):
    """The carrier did not answer with what was asked for."""

    def __init__(self, status: int) -> None:
        super().__init__(f"Twilio answers {status}")
        self.status = status


async def examined(site: Site, web: Web) -> list[Finding]:
    """Look at the account, at its numbers, and at whom it may call."""
    settings, token = site.settings, site.auth_token
    if settings.twilio_account_sid is None or token is None:
        why = "needs TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN"
        return [skipped("account", why), skipped("number", why)]
    api = _Api(site, web, settings.twilio_account_sid, token)
    found = await account(api)
    if found.mark == "wrong":
        return [found, skipped("number", "see account")]
    try:
        bought = await api.list("/IncomingPhoneNumbers.json", "incoming_phone_numbers")
    except (Refused, Unreached) as error:
        return [found, wrong("number", str(error), "try again a little later")]
    findings = [found]
    if settings.public_url is None:
        findings.append(skipped("number", "there is no public URL"))
    else:
        findings += number.led(site, settings.public_url, bought)
    if settings.outbound.enabled:
        findings.append(await caller_id(api, bought))
    findings += await destinations(api)
    return findings


class _Api:
    """The part of the REST API that is read (Twilio, section 8)."""

    def __init__(self, site: Site, web: Web, sid: str, token: str) -> None:
        self.site = site
        self._web, self._account = web, f"{site.twilio_api}/2010-04-01/Accounts/{sid}"
        pair = base64.b64encode(f"{sid}:{token}".encode()).decode()
        self._headers = {"Authorization": f"Basic {pair}"}

    async def account(self) -> Mapping[str, Any]:
        """Read what the account is."""
        return await self._read(self._account + ".json")

    async def list(self, path: str, name: str, query: str = "") -> Listed:
        """Read a list of what the account holds."""
        url = f"{self._account}{path}?PageSize={MOST_LISTED}{query}"
        return _of(await self._read(url), name)

    async def countries(self) -> Listed:
        """Read which countries the account may call."""
        query = f"LowRiskNumbersEnabled=true&PageSize={MOST_LISTED}"
        url = f"{self.site.twilio_voice_api}/v1/DialingPermissions/Countries?{query}"
        return _of(await self._read(url), "content")

    async def _read(self, url: str) -> Mapping[str, Any]:
        reply = await self._web.ask("GET", url, headers=self._headers)
        if reply.status != 200:
            raise Refused(reply.status)
        try:
            told = json.loads(reply.body)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            raise Refused(reply.status)
        return told


def _of(told: Mapping[str, Any], name: str) -> Listed:
    listed = told.get(name)
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        raise Refused(200)
    return listed


async def account(api: _Api) -> Finding:
    """Ask the carrier what the account is."""
    what = "account"
    try:
        told = await api.account()
    except Unreached as error:
        return wrong(what, error.why, _OUTGOING)
    except Refused as error:
        if error.status in (401, 403, 404):
            return wrong(
                what,
                f"Twilio refuses account and token with {error.status}",
                "TWILIO_ACCOUNT_SID (AC…) and TWILIO_AUTH_TOKEN must be of one account",
            )
        return wrong(what, str(error), "try again a little later")
    if (status := str(told.get("status"))) != "active":
        return wrong(what, f"it is {status[:20]}", "see Twilio's console for the reason")
    if told.get("type") == "Trial":
        return doubtful(
            what,
            "a trial: it is called by and calls verified numbers only, and says so first",
            "upgrade it in Twilio's console before others are to call",
        )
    return well(what, "active")


async def caller_id(api: _Api, bought: Listed) -> Finding:
    """See whether the number that our calls show is one that the carrier lets us show."""
    what, shown = "caller id", api.site.settings.outbound.caller_id
    if shown is None:
        return skipped(what, "outbound.caller_id names none")
    if any(each.get("phone_number") == shown for each in bought):
        return well(what, f"{shown} is a number of the account")
    try:
        verified = await api.list(
            "/OutgoingCallerIds.json", "outgoing_caller_ids", f"&PhoneNumber=%2B{shown[1:]}"
        )
    except (Refused, Unreached) as error:
        return wrong(what, str(error), "try again a little later")
    if any(each.get("phone_number") == shown for each in verified):
        return well(what, f"{shown} is verified")
    return wrong(
        what,
        f"{shown} is neither a number of the account nor verified",
        "let outbound.caller_id be a number of the account, or verify it in Twilio's console",
    )


async def destinations(api: _Api) -> list[Finding]:
    """See whether the account may call the countries in which the personas' people are."""
    what, wanted = "destinations", number.dialled(api.site.personas)
    if not wanted and not api.site.settings.outbound.enabled:
        return []
    try:
        allowed = await api.countries()
    except (Refused, Unreached) as error:
        return [skipped(what, str(error))]
    codes = {
        f"+{str(code).lstrip('+')}" for each in allowed for code in each.get("country_codes", ())
    }
    shut = {each: file for each, file in wanted.items() if not each.startswith(tuple(codes))}
    if shut:
        told = ", ".join(f"{each} of {file}" for each, file in sorted(shut.items()))
        return [
            wrong(
                what,
                f"the account may not call {told}",
                "allow the country in Twilio's console: Voice, Settings, Geo permissions",
            )
        ]
    return [well(what, f"calls may go to {_some(sorted(codes))}")]


def _some(codes: Sequence[str]) -> str:
    """List a few, and count the others."""
    more = len(codes) - MOST_SHOWN
    shown = ", ".join(codes[:MOST_SHOWN]) or "nowhere"
    return f"{shown} and {more} more" if more > 0 else shown
