"""No key of a persona is idle: each one changes what a call is made of.

For each key a call is placed twice, with one value and with another, and everything that the
bridge makes of the persona is compared: the session that the model is asked for, the rules of the
call, what its tools are given, what is kept of it, and what the caller gets when it fails.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from server_office import Office

from voicebridge.bridge.model_leg import ModelLeg
from voicebridge.call.reasons import EndReason
from voicebridge.cli.reference import _keys
from voicebridge.personas.persona import Persona
from voicebridge.realtime import Client, Session
from voicebridge.settings import Limits
from voicebridge.tools.tool import tool

OpenOffice = Callable[..., Awaitable[Office]]
TESTS = Path(__file__).parent.parent

BASE: dict[str, Any] = {
    "name": "Desk",
    "instructions": "You speak for {{ params.tenant }}.",
    "greeting": {"say": "Hello."},
    "tools": ["hang_up", "extension"],
    "turn_detection": {"type": "server_vad"},
    "barge_in": {},
    "keys": {"tool": "extension"},
    "limits": {},
    "mcp_servers": [{"label": "shop", "url": "https://shop.example", "tools": ["search"]}],
    "params": {"tenant": "the house"},
    "business": {"name": "Harbour", "hours": {"monday": "9:00-18:00"}},
    "destinations": {"dentist": {"number": "+15550100020", "mode": "warm"}},
    "fallback": {"say": "Please hold.", "number": "+15550100009"},
    "keep": {},
}

OTHERWISE: dict[str, Any] = {
    "instructions": "You whisper for {{ params.tenant }}.",
    "voice": "cedar",
    "model": "gpt-realtime-mini",
    "speed": 1.2,
    "language": "de",
    "greeting.say": "Good day.",
    "greeting.interruptible": False,
    "tools": ["extension"],
    "mcp_servers[].label": "store",
    "mcp_servers[].url": "https://store.example",
    "mcp_servers[].tools": ["search", "order"],
    "mcp_servers[].description": "What is sold.",
    "mcp_servers[].approval": "always",
    "mcp_servers[].authorization": "${env:SHOP_TOKEN}",
    "turn_detection.type": "semantic_vad",
    "turn_detection.threshold": 0.7,
    "turn_detection.prefix_padding_ms": 200,
    "turn_detection.silence_duration_ms": 700,
    "barge_in.mode": "pause",
    "barge_in.minimum_speech_ms": 250,
    "barge_in.decide_within_ms": 900,
    "barge_in.echo_gate": True,
    "keys.interrupt": False,
    "keys.pause_ms": 700,
    "transcription_model": None,
    "noise_reduction": "far_field",
    "limits.max_duration_s": 60,
    "limits.silence_s": 12,
    "limits.silence_prompts": 1,
    "limits.tool_timeout_s": 3,
    "limits.goodbye_s": 4,
    "business.name": "Quay",
    "business.time_zone": "Europe/Berlin",
    **{
        f"business.hours.{day}": "10:00-16:00"
        for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    },
    "facts": {"parking": "behind the house"},
    "params": {"tenant": "the firm"},
    "destinations.number": "+15550100021",
    "destinations.mode": "cold",
    "destinations.ring_s": 11,
    "destinations.ask": "Press 1.",
    "destinations.language": "de-DE",
    "recipients": {"office": "+15550100030"},
    "allowed_numbers": ["DE"],
    "fallback.say": "One moment.",
    "fallback.number": "+15550100008",
    "keep.transcript": False,
    "keep.recording": True,
}

PAIRS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "greeting.instructions": (
        {"greeting": {"instructions": "Greet."}},
        {"greeting": {"instructions": "Greet warmly."}},
    ),
    "turn_detection.eagerness": (
        {"turn_detection": {"type": "semantic_vad"}},
        {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}},
    ),
    "keys.mode": ({"keys": "text"}, {"keys": "ignore"}),
    "keys.tool": ({"keys": {"tool": "extension"}}, {"keys": {"tool": "directory"}}),
}
"""Keys that need more than one value to be changed."""

ELSEWHERE = {
    "name": ("cli/test_route_command.py", "answers: Harbour Dental"),
    "numbers": ("personas/test_routing.py", "numbers"),
}
"""What is told or decided before there is a call, with the test that shows it."""


def leaves() -> list[str]:
    keys = _keys(Persona)
    return [key for key in keys if not any(k.startswith((f"{key}.", f"{key}[].")) for k in keys)]


def altered(dotted: str, value: Any) -> dict[str, Any]:
    """The base persona with one key changed."""
    section, _, key = dotted.partition(".")
    if not key:
        return {**BASE, section: value}
    if section == "mcp_servers[]":
        return {**BASE, "mcp_servers": [{**BASE["mcp_servers"][0], key: value}]}
    if section == "destinations":
        return {**BASE, section: {"dentist": {**BASE[section]["dentist"], key: value}}}
    if key.startswith("hours."):
        hours = {**BASE["business"]["hours"], key.removeprefix("hours."): value}
        return {**BASE, "business": {**BASE["business"], "hours": hours}}
    return {**BASE, section: {**BASE[section], key: value}}


@tool
async def extension(number: str) -> str:
    """Find an extension."""
    return number


@tool
async def directory(name: str) -> str:
    """Look up a name."""
    return name


class Dialled:
    """Stands before the dialling of the model, and keeps what it is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: tuple[str, Mapping[str, Any]] = ("", {})
        dial = ModelLeg.dial

        async def kept(client: Client, model: str, session: Session, **options: float) -> ModelLeg:
            self.asked = (model, session.model_dump())
            return await dial(client, model, session, **options)

        monkeypatch.setattr(ModelLeg, "dial", kept)


async def made_of(office: Office, dialled: Dialled, raw: dict[str, Any]) -> dict[str, Any]:
    """Place a call to a persona and return all that the bridge made of it."""
    switchboard = office.bridge.switchboard
    switchboard.personas._personas["front-desk"] = Persona.model_validate(raw)
    async with office.call(greeted=False) as line:
        await line._bell.until(lambda: bool(line.heard))
        runner = switchboard.calls.live(line.call_id)
        assert runner is not None
        context = runner.hands._tools._context
        made = {
            "session": dialled.asked,
            "rules": runner._call._config,
            "kept": (runner.record.keeps_words, runner.hands.recording is not None),
            "tools": [
                repr(getattr(context, name))
                for name in ("business", "facts", "destinations", "recipients", "allowed_numbers")
            ],
        }
        await line.hang_up()
        await office.ended(line)
    switchboard.calls.closed("CA1", EndReason.MODEL_LOST)
    made["fallback"] = await office.post(
        "/twilio/after-stream?bridge.persona=front-desk", CallSid="CA1"
    )
    return made


async def test_every_key_changes_what_a_call_is_made_of(
    open_office: OpenOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = await open_office(limits=Limits(calls_per_caller_per_minute=1000))
    switchboard = office.bridge.switchboard
    for each in (extension, directory):
        switchboard.tools.add(each)
    secrets = {**switchboard.settings.tool_secrets, "SHOP_TOKEN": SecretStr("token")}
    told = switchboard.settings.model_copy(update={"tool_secrets": secrets})
    monkeypatch.setattr(switchboard, "settings", told)
    tools = ["hang_up", "extension", "directory"]
    dialled = Dialled(monkeypatch)
    usual = await made_of(office, dialled, BASE)
    idle = []
    for key, value in OTHERWISE.items():
        if await made_of(office, dialled, altered(key, value)) == usual:
            idle.append(key)
    for key, (one, other) in PAIRS.items():
        first = await made_of(office, dialled, {**BASE, "tools": tools, **one})
        if await made_of(office, dialled, {**BASE, "tools": tools, **other}) == first:
            idle.append(key)
    assert idle == []
    assert await made_of(office, dialled, BASE) == usual, "nothing else changes from call to call"


def test_no_key_is_forgotten_here() -> None:
    assert sorted(leaves()) == sorted({**OTHERWISE, **PAIRS, **ELSEWHERE})
    for file, words in ELSEWHERE.values():
        assert words in (TESTS / file).read_text(encoding="utf-8")
