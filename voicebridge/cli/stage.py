"""Puts a rehearsal on stage: the real bridge between a simulated carrier and an embedded model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from voicebridge.cli.dial import CALLS_PATH, ask
from voicebridge.cli.scenery import API_KEY, API_TOKEN, AUTH_TOKEN, Scenery
from voicebridge.errors import CarrierError, ConfigError
from voicebridge.personas.yaml_faults import did_you_mean
from voicebridge.rehearsal.account import Account
from voicebridge.rehearsal.actions import actions_of
from voicebridge.rehearsal.behaviour import (
    CallerBehaviour,
    RecordedCaller,
    ScriptedCaller,
    WaitingCaller,
)
from voicebridge.rehearsal.carrier import ACCOUNT_SID, SimulatedCarrier
from voicebridge.rehearsal.expect import Expect
from voicebridge.rehearsal.expectations import Outcome, missed
from voicebridge.rehearsal.live import Note
from voicebridge.rehearsal.notes import PhoneNote, ignore
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.realtime_server import RealtimeServer
from voicebridge.rehearsal.report import Report, make_report
from voicebridge.rehearsal.scenario import Scenario, load_scenario
from voicebridge.rehearsal.session_log import SessionLog, joined
from voicebridge.rehearsal.voice import Voice
from voicebridge.rehearsal.wav import read_caller
from voicebridge.server.running import RunningBridge, load_switchboard, running_bridge
from voicebridge.server.webhooks import VOICE_PATH

CALLER_VOICE, AGENT_VOICE = "m3", "f3"
LONGEST_CALL_S, PLACED_WITHIN_S = 300.0, 10.0
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
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class _Stage:
    """Everything that stands while a rehearsal is played."""

    scenario: Scenario
    bridge: RunningBridge
    model: RealtimeServer
    account: Account
    carrier: SimulatedCarrier


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
    file = find_scenario(rehearsal.config_dir, rehearsal.scenario)
    scenario = load_scenario(file)
    if rehearsal.dialect:
        scenario = scenario.model_copy(update={"dialect": rehearsal.dialect})
    if rehearsal.caller_wav:  # of another caller nothing can be expected
        scenario = scenario.model_copy(update={"expect": Expect()})
    caller = await asyncio.to_thread(_caller, rehearsal, scenario)
    async with (
        _staged(rehearsal, file, scenario, on_note) as stage,
        _calls_meanwhile(stage),
    ):
        errors = await _calls_before(rehearsal, stage)
        known = len(stage.model.sessions)
        stage.model.shared = stage.model.script.begin()
        phone = await _place(stage, caller)
    sessions = [session.log for session in stage.model.sessions[known:] if session.log.used]
    return _judged(rehearsal, stage, phone, sessions, errors)


@asynccontextmanager
async def _staged(
    rehearsal: Rehearsal,
    file: Path,
    scenario: Scenario,
    on_note: Callable[[Note], None] | None,
) -> AsyncIterator[_Stage]:
    """Set up the model, the account, the bridge and the carrier around it."""
    script = scenario.script()
    if rehearsal.caller_wav:
        script = replace(script, caller_lines=())
    async with AsyncExitStack() as stack:
        model = RealtimeServer(
            script,
            Voice(variant=AGENT_VOICE),
            api_key=API_KEY,
            faults=scenario.model.faults(),
            on_event=on_note,
        )
        await stack.enter_async_context(model)
        side = scenario.carrier
        account = Account(
            account_sid=ACCOUNT_SID,
            auth_token=AUTH_TOKEN,
            expects=side.outbound.to if side.outbound else "",
            manner=side.colleague,
            on_event=on_note or ignore,
        )
        await stack.enter_async_context(account.open())
        scenery = Scenery(
            config_dir=rehearsal.config_dir,
            file=file,
            scenario=scenario,
            out=rehearsal.out,
            model_url=model.url,
            api_url=account.url,
        )
        settings = stack.enter_context(scenery.settings())
        switchboard = load_switchboard(settings)
        persona = switchboard.personas.named(scenario.persona)
        bridge = await stack.enter_async_context(running_bridge(switchboard))
        carrier = SimulatedCarrier(
            bridge.url + VOICE_PATH,
            auth_token=AUTH_TOKEN,
            network_delay_ms=rehearsal.network_delay_ms,
            jitter_ms=rehearsal.jitter_ms,
            on_event=on_note,
            from_number=side.caller_number,
            dials=side.dials,
            rooms=account.rooms,
        )
        carrier.to_number = persona.numbers[0] if persona.numbers else NOBODYS_NUMBER
        yield _Stage(scenario, bridge, model, account, carrier)


async def _calls_before(rehearsal: Rehearsal, stage: _Stage) -> list[str]:
    """Place the earlier calls, each to its end, unwatched; return what went wrong in them."""
    side, script = stage.scenario.carrier, stage.model.script
    stage.model.script = replace(script, agent=side.earlier_agent or script.agent)
    errors: list[str] = []
    for _ in range(side.earlier_calls):
        caller = await asyncio.to_thread(_caller, rehearsal, stage.scenario)
        carrier = replace(stage.carrier, on_event=None)
        errors += (await carrier.place_call(caller, deadline_s=LONGEST_CALL_S)).errors
    stage.model.script = script
    return errors


@asynccontextmanager
async def _calls_meanwhile(stage: _Stage) -> AsyncIterator[None]:
    """Have other callers on the line, who hang up at the end."""
    waiting = [WaitingCaller() for _ in range(stage.scenario.carrier.calls_meanwhile)]
    calls: list[asyncio.Task[PhoneLog]] = []
    try:
        for number, caller in enumerate(waiting):
            there = asyncio.Event()
            carrier = replace(
                stage.carrier,
                on_event=partial(_ring_when_heard, there),
                from_number=f"+1555010{number:04d}",
                dials=(),
            )
            call = carrier.place_call(caller, deadline_s=LONGEST_CALL_S)
            calls.append(asyncio.create_task(call))
            async with asyncio.timeout(PLACED_WITHIN_S):
                await there.wait()
        yield
    finally:
        for caller in waiting:
            caller.over = True
        await asyncio.gather(*calls, return_exceptions=True)


def _ring_when_heard(there: asyncio.Event, note: PhoneNote) -> None:
    if note.kind in {"agent", "hang_up"}:
        there.set()


async def _place(stage: _Stage, caller: CallerBehaviour) -> PhoneLog:
    """Place the call that is watched, or have the bridge place it."""
    outbound = stage.scenario.carrier.outbound
    if outbound is None:
        return await stage.carrier.place_call(caller, deadline_s=LONGEST_CALL_S)
    wish = {"to": outbound.to, "persona": stage.scenario.persona, "consent": True}
    status, answer = await ask(stage.bridge.url + CALLS_PATH, API_TOKEN, wish)
    if status != 201:
        raise CarrierError(f"the bridge does not place the call: {answer}")
    async with asyncio.timeout(PLACED_WITHIN_S):
        placed = await stage.account.placed.get()
    placed = replace(
        placed,
        answered_by=outbound.answered_by,
        detected_after_ms=outbound.detected_after_ms,
    )
    return await stage.carrier.place_call(caller, deadline_s=LONGEST_CALL_S, placed=placed)


def _judged(
    rehearsal: Rehearsal,
    stage: _Stage,
    phone: PhoneLog,
    sessions: Sequence[SessionLog],
    errors: Sequence[str],
) -> Played:
    """Hold what came against the bars and against what the rehearsal expects."""
    # Needs numpy: who has not installed the extra is told so by the voice, before any call.
    from voicebridge.rehearsal.sounds import heard_sounds

    model, account = joined(sessions), stage.account
    phone.errors += [*errors, *account.errors]
    for colleague in account.colleagues:
        phone.errors += colleague.log.errors
    report = make_report(phone, model)
    sounds = heard_sounds(phone, report.heard)
    actions = actions_of(phone, model, sounds)
    folder = rehearsal.out / phone.call_sid
    outcome = Outcome(
        phone=phone,
        actions=actions,
        sounds=sounds,
        told=model.told,
        sessions=len(sessions),
        records=[json.loads(path.read_text("utf-8")) for path in record_files(folder)],
        requests=account.requests,
        colleague=[verb for one in account.colleagues for verb in one.log.verbs_after_stream],
        folder=rehearsal.out,
    )
    lines = missed(stage.scenario.expect, outcome)
    report = report.acted(actions, sounds).expected(lines)
    return Played(stage.scenario, phone, model, report, folder, outcome)


def record_files(folder: Path) -> list[Path]:
    """Find the records of a call: ``record.json``, and ``record-2.json`` of a second stream."""
    return sorted(folder.glob("record*.json"), key=lambda path: (len(path.name), path.name))


def _caller(rehearsal: Rehearsal, scenario: Scenario) -> CallerBehaviour:
    if rehearsal.caller_wav:
        return RecordedCaller(read_caller(rehearsal.caller_wav))
    voice = Voice(variant=CALLER_VOICE)
    return ScriptedCaller(
        [(step, voice.speak(step.say) if step.say else None) for step in scenario.caller]
    )
