"""Puts a rehearsal on stage: the real bridge between a simulated carrier and an embedded model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from voicebridge.errors import ConfigError
from voicebridge.personas.yaml_faults import did_you_mean
from voicebridge.rehearsal.behaviour import CallerBehaviour, RecordedCaller, ScriptedCaller
from voicebridge.rehearsal.carrier import SimulatedCarrier
from voicebridge.rehearsal.live import Note
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.report import Report, make_report
from voicebridge.rehearsal.scenario import Scenario, load_scenario
from voicebridge.rehearsal.session_log import SessionLog
from voicebridge.rehearsal.voice import Voice
from voicebridge.rehearsal.wav import read_caller
from voicebridge.server.running import load_switchboard, running_bridge
from voicebridge.server.webhooks import VOICE_PATH
from voicebridge.settings import (
    TRANSPORT_VARIABLE,
    Settings,
    load_settings,
    process_environment,
    tool_secrets,
)

AUTH_TOKEN = "rehearsal-auth-token"  # noqa: S105 - both ends are ours and live for one call
API_KEY = "rehearsal-api-key"
CALLER_VOICE, AGENT_VOICE = "m3", "f3"
LONGEST_CALL_S = 300.0
NOBODYS_NUMBER = "+15550199999"
"""Called for a persona without a number: no other persona's, so that the default one answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """A call to be played; ``caller_wav`` replaces the scenario's caller, ``dialect`` its own."""

    config_dir: Path
    scenario: str
    out: Path
    caller_wav: Path | None = None
    network_delay_ms: int = 0
    jitter_ms: int = 0
    dialect: str | None = None


@dataclass(frozen=True, slots=True)
class Played:
    """A call that was played, as both ends and the bridge tell it.

    ``record_folder`` is where the bridge left its own record.
    """

    scenario: Scenario
    phone: PhoneLog
    model: SessionLog
    report: Report
    record_folder: Path


def find_scenario(config_dir: Path, name: str) -> Path:
    """Find a rehearsal by its name in the configuration, or by its path."""
    if name.endswith(".yaml"):
        return Path(name)
    folder = config_dir / "rehearsals"
    path = folder / f"{name}.yaml"
    if not path.is_file():
        known = sorted(file.stem for file in folder.glob("*.yaml"))
        shown = ", ".join(known) or "none"
        raise ConfigError(
            f"no rehearsal {name!r}{did_you_mean(name, known)} There are: {shown}.", file=folder
        )
    return path


async def play(rehearsal: Rehearsal, on_note: Callable[[Note], None] | None = None) -> Played:
    """Play a call to its end; ``on_note`` hears what happens at both ends as it happens.

    Raises ``ConfigError`` for a rehearsal that cannot be played.
    """
    scenario = load_scenario(find_scenario(rehearsal.config_dir, rehearsal.scenario))
    if rehearsal.dialect:
        scenario = scenario.model_copy(update={"dialect": rehearsal.dialect})
    caller = await asyncio.to_thread(_caller, rehearsal, scenario)
    script = scenario.script()
    if rehearsal.caller_wav:
        script = replace(script, caller_lines=())
    async with AsyncExitStack() as stage:
        model = await stage.enter_async_context(
            RealtimeServer(script, Voice(variant=AGENT_VOICE), api_key=API_KEY, on_event=on_note)
        )
        settings = _settings(rehearsal, scenario, model.url)
        switchboard = load_switchboard(settings)
        persona = switchboard.personas.named(scenario.persona)
        bridge = await stage.enter_async_context(running_bridge(switchboard))
        carrier = SimulatedCarrier(
            bridge.url + VOICE_PATH,
            auth_token=AUTH_TOKEN,
            network_delay_ms=rehearsal.network_delay_ms,
            jitter_ms=rehearsal.jitter_ms,
            on_event=on_note,
        )
        carrier.to_number = persona.numbers[0] if persona.numbers else NOBODYS_NUMBER
        phone = await carrier.place_call(caller, deadline_s=LONGEST_CALL_S)
    session = model.sessions[0].log if model.sessions else SessionLog()
    folder = rehearsal.out / phone.call_sid
    return Played(scenario, phone, session, make_report(phone, session), folder)


def _caller(rehearsal: Rehearsal, scenario: Scenario) -> CallerBehaviour:
    if rehearsal.caller_wav:
        return RecordedCaller(read_caller(rehearsal.caller_wav))
    voice = Voice(variant=CALLER_VOICE)
    return ScriptedCaller(
        [(step, voice.speak(step.say) if step.say else None) for step in scenario.caller]
    )


def _settings(rehearsal: Rehearsal, scenario: Scenario, model_url: str) -> Settings:
    """Take the settings of the configuration, but nothing that could reach the outside."""
    settings = load_settings(
        rehearsal.config_dir,
        {
            "OPENAI_API_KEY": API_KEY,
            "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
            "VOICEBRIDGE_REALTIME_URL": model_url,
            TRANSPORT_VARIABLE: process_environment().get(TRANSPORT_VARIABLE, ""),
        },
    )
    local = {"host": "127.0.0.1", "port": 0, "shutdown_grace_s": 0.0}
    return settings.model_copy(
        update={
            "public_url": None,
            "default_persona": scenario.persona,
            # A tool works in a rehearsal as it does in a call.
            "tool_secrets": tool_secrets(rehearsal.config_dir),
            "server": settings.server.model_copy(update=local),
            "realtime": settings.realtime.model_copy(update={"dialect": scenario.dialect}),
            "records": settings.records.model_copy(update={"directory": rehearsal.out}),
        }
    )
