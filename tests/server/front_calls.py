"""What the front door's tests share: callers at the simulated carrier, which follows our TwiML."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest
from server_office import AUTH_TOKEN, Office

from voicebridge.bridge.call_runner import CallRunner
from voicebridge.rehearsal.behaviour import ScriptedCaller
from voicebridge.rehearsal.carrier import SimulatedCarrier
from voicebridge.rehearsal.phone_log import PhoneLog
from voicebridge.rehearsal.scenario import CallerStep

OpenOffice = Callable[..., Awaitable[Office]]

WITHIN_S = 20.0
LISTENS = ScriptedCaller([])


def hangs_up(after_agent_ms: int = 100) -> ScriptedCaller:
    """Make a caller who hears the agent out and hangs up."""
    return ScriptedCaller([(CallerStep(hang_up=True, after_agent_ms=after_agent_ms), None)])


def carrier_of(office: Office, query: str = "", **options: object) -> SimulatedCarrier:
    carrier = SimulatedCarrier(office.bridge.url + "/twilio/voice" + query, auth_token=AUTH_TOKEN)
    for name, value in options.items():
        setattr(carrier, name, value)
    return carrier


def is_clean(log: PhoneLog) -> bool:
    """Tell whether the carrier found nothing wrong with our documents and messages."""
    return log.errors == [] and log.protocol_violations == []


def verbs(log: PhoneLog) -> list[str]:
    """Return the names of the verbs after the first stream; a hang-up keeps its reason."""
    return [
        verb if verb.startswith("Hangup") else verb.partition(" ")[0]
        for verb in log.verbs_after_stream
    ]


def watch(office: Office, monkeypatch: pytest.MonkeyPatch) -> asyncio.Queue[CallRunner]:
    """Return a queue to which every call comes when its stream begins."""
    calls, begun = office.bridge.switchboard.calls, asyncio.Queue[CallRunner](100)
    opened = calls.opened

    def note(call_id: str, runner: CallRunner) -> None:
        opened(call_id, runner)
        begun.put_nowait(runner)

    monkeypatch.setattr(calls, "opened", note)
    return begun


async def all_of(calls: Sequence[Awaitable[PhoneLog]]) -> list[PhoneLog]:
    """Have calls go on side by side."""
    async with asyncio.timeout(WITHIN_S):
        return list(await asyncio.gather(*calls))
